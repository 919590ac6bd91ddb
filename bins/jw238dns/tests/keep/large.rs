//! Killed while the journal brings its tables up to date and forgets what is old.

use std::collections::BTreeMap;
use std::time::Duration;

use dns_api::client::{Client, Revision};
use dns_api::model::{Change as Step, ChangeRequest, Record, RecordSpec};

use crate::ledger::history;
use crate::random::{Random, is_heavy, play};
use crate::site::{Site, record, records, runtime};
use crate::support::{Process, ask};

/// Names of a set of changes: with their values more than a fifth of what lets the journal begin to tidy up by itself.
const NAMES: usize = 1_000;
/// Octets of a value: much of a set, few records to look at.
const VALUE_OCTETS: usize = 4_000;
/// How much of the past is to be remembered: two or three sets.
const HISTORY: &str = ", history: {max_octets: 20000000}";
/// Where all of them are.
const APEX: &str = "large.test.";

#[test]
fn tidying_up_can_be_cut_short_anywhere() {
    play(1, 10, |seed| {
        println!("TEST_SEED={seed}");
        runtime().block_on(game(seed));
    });
}

/// One set of changes after the other, each of which gives all names the number of the set.
async fn game(seed: u64) {
    let mut random = Random::new(seed);
    let site = Site::new(HISTORY, "");
    let mut server = site.start();
    let mut last = Last::default();
    site.admin(&server).put_record(&record(&format!("{APEX} TXT apex")), Revision::Absent).await.unwrap();
    for round in 0..if is_heavy() { 4 } else { 1 } {
        println!("round {round}");
        let admin = site.admin(&server);
        // Enough for the journal to begin; every set after that finds it at work.
        for _ in 0..4 + random.below(3) {
            last.asked += 1;
            let answer = admin.change(&set(last.asked)).await.unwrap();
            last.acknowledged = last.asked;
            last.versions.insert(last.asked, answer.version);
        }
        last.asked += 1;
        let request = set(last.asked);
        // Killed while it tidies up, while it takes another set, while it stops in good order, or with nothing to do.
        match random.below(4) {
            0 => server.signal("TERM"),
            1 => {}
            _ => {
                let pause = Duration::from_micros(random.below(400_000));
                // However this ends.
                drop(tokio::time::timeout(pause, admin.change(&request)).await);
            }
        }
        // Chooses the moment of the kill; nothing counts on how long it takes.
        std::thread::sleep(Duration::from_micros(random.below(200_000)));
        drop(server);
        server = site.start();
        check(&site.admin(&server), &server, &mut last).await;
    }
}

/// Which sets there were.
#[derive(Default)]
struct Last {
    asked: u64,
    acknowledged: u64,
    versions: BTreeMap<u64, u64>,
}

async fn check(admin: &Client, server: &Process, last: &mut Last) {
    let mut numbers = BTreeMap::new();
    let mut count = 0;
    let is_numbered = |record: &Record| record.rtype == "TXT" && record.name != APEX;
    for record in records(admin).await.into_iter().filter(is_numbered) {
        let number = record.value[0].trim_matches('"').split('-').next().unwrap().parse::<u64>().unwrap();
        *numbers.entry(number).or_insert(0) += 1;
        count += 1;
    }
    assert_eq!((count, numbers.len()), (NAMES, 1), "half a set of changes: {numbers:?}");
    let number = *numbers.keys().next().unwrap();
    assert!((last.acknowledged..=last.asked).contains(&number), "{number} is not {}", last.acknowledged);
    last.asked = number;
    last.acknowledged = number;
    for name in [0, NAMES / 2, NAMES - 1] {
        let answer = ask(server.dns(), &format!("n{name}.{APEX} A"));
        assert_eq!(answer, format!("NOERROR {}", address(number)), "over DNS");
    }
    // What is remembered has no gap, up to the newest.
    let found = history(admin).await;
    let remembered = last.versions.iter().filter(|(_, version)| found.contains_key(version));
    let remembered: Vec<u64> = remembered.map(|(number, _)| *number).collect();
    let oldest = *remembered.first().expect("the last set is remembered");
    let expected: Vec<u64> = last.versions.keys().copied().filter(|number| *number >= oldest).collect();
    assert_eq!(remembered, expected, "there are gaps in the history");
    let next = format!("next.{APEX} A 192.0.2.1");
    let version = admin.create_record(&record(&next)).await.unwrap().version;
    assert!(found.keys().all(|found| *found < version), "{version} was given before");
    admin.delete_records(&format!("next.{APEX}"), None, Revision::Any).await.unwrap();
}

fn set(number: u64) -> ChangeRequest {
    let changes = (0..NAMES).flat_map(|name| {
        let name = format!("n{name}.{APEX}");
        let record = |rtype: &str, value| RecordSpec {
            name: name.clone(),
            rtype: rtype.to_owned(),
            ttl: Some(300),
            value: vec![value].into(),
        };
        let text = format!("{number}-{}", "x".repeat(200));
        let text = vec![text; VALUE_OCTETS / 200].join(" ");
        [Step::Put { record: record("TXT", text) }, Step::Put { record: record("A", address(number)) }]
    });
    ChangeRequest { changes: changes.collect(), preconditions: Vec::new(), dry_run: false, comment: None }
}

/// Tells the number of a set.
fn address(number: u64) -> String {
    let [.., b, c, d] = number.to_be_bytes();
    format!("10.{b}.{c}.{d}")
}
