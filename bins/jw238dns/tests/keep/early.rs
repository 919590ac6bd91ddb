//! Killed while it starts for the first time: the next one makes a folder of what is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::random::{Random, play};
use crate::site::{Site, client, record, runtime};
use crate::support::Process;

#[test]
fn a_first_start_that_was_killed_is_made_good_by_the_next() {
    // As long as a start takes here; what comes later is another test.
    let began = Instant::now();
    drop(Site::new("", "").start());
    let whole = began.elapsed();
    play(12, 300, |seed| {
        println!("TEST_SEED={seed}");
        let mut random = Random::new(seed);
        let site = Site::new("", "");
        let mut kills = 1;
        while kills > 0 {
            let server = site.spawn();
            // Chooses the moment of the kill; nothing counts on how long it takes.
            std::thread::sleep(part(whole, &mut random));
            drop(server);
            kills = if random.one_in(2) { kills } else { kills - 1 };
        }
        serves(&site);
    });
}

/// The folder is as good as any, and has a token that works.
fn serves(site: &Site) {
    let server: Process = site.start();
    let admin = site.admin(&server);
    runtime().block_on(async {
        admin.create_record(&record("www.example.org. A 192.0.2.1")).await.unwrap();
        let tokens = admin.tokens().await.unwrap().tokens;
        assert_eq!(tokens.len(), 1, "nobody has the secrets of all but the last of {tokens:?}");
        // A start that had come no further than to the token has left a file with one that nobody knows of.
        for path in left(&site.data(), |name| name.starts_with(".admin-token-")) {
            let secret = fs::read_to_string(path).unwrap();
            if !secret.is_empty() {
                let error = client(&server, secret.trim()).own_token().await.unwrap_err();
                assert_eq!(error.status().map(|status| status.as_u16()), Some(401), "{error}");
            }
        }
    });
    server.expect("www.example.org. A", "NOERROR 192.0.2.1");
    server.stop();
    let names = left(&site.data(), |name| !name.starts_with(".admin-token-"));
    assert_eq!(names, ["admin-token", "journal.redb", "lock"].map(|name| site.data().join(name)));
}

/// Those files of a folder, sorted.
fn left(folder: &Path, counts: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut paths: Vec<PathBuf> = names.filter(|name| counts(name)).map(|name| folder.join(name)).collect();
    paths.sort();
    paths
}

/// Any part of a time.
fn part(whole: Duration, random: &mut Random) -> Duration {
    whole.mul_f64(random.below(1000) as f64 / 1000.0)
}
