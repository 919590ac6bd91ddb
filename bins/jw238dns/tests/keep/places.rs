//! Where data is kept, and who may read it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::disk::shell;
use crate::site::{Site, client, record, runtime};
use crate::support::{Process, ask, command, folder, get};

#[track_caller]
fn mode(path: &Path) -> u32 {
    let metadata = fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    metadata.permissions().mode() & 0o7777
}

#[test]
fn data_is_for_its_owner_whatever_the_umask() {
    for umask in ["000", "022", "077"] {
        let site = Site::new("", "");
        let plain = site.command();
        let script = format!("umask {umask}; exec \"$0\" \"$@\"");
        let server = Process::spawn(shell(&plain, &script, plain.get_args()));
        server.wait_for("answering HTTP");
        let admin = site.admin(&server);
        runtime().block_on(admin.create_record(&record("www.example.org. A 192.0.2.1"))).unwrap();
        assert_eq!(mode(&site.data()), 0o700, "umask {umask}");
        let mut files = Vec::new();
        for entry in fs::read_dir(site.data()).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{} with umask {umask}", path.display());
            files.push(path.file_name().unwrap().to_str().unwrap().to_owned());
        }
        files.sort();
        assert_eq!(files, ["admin-token", "journal.redb", "lock"]);
        server.stop();
    }
}

#[test]
fn the_first_start_says_where_the_token_is_and_no_start_what_it_is() {
    let site = Site::new("", "");
    let path = site.data().join("admin-token");
    let first = site.start();
    first.wait_for(&format!("the token for the API is in {}", path.display()));
    let token = fs::read_to_string(&path).unwrap();
    let log = first.log_behind(0);
    assert_eq!(log.matches("the token for the API is in").count(), 1, "{log}");
    assert!(!log.contains(token.trim()), "{log}");
    first.stop();
    let second = site.start();
    runtime().block_on(site.admin(&second).status()).unwrap();
    let log = second.log_behind(0);
    assert!(!log.contains("the token for the API is in") && !log.contains(token.trim()), "{log}");
    assert_eq!(fs::read_to_string(&path).unwrap(), token);
    second.stop();
}

#[test]
fn the_place_of_the_token_is_told_whatever_the_log_leaves_out() {
    let site = Site::new("", "log_level: error\n");
    let server = site.spawn();
    server.wait_for(&format!("the token for the API is in {}", site.data().join("admin-token").display()));
    server.stop();
}

/// A sample, started with these variables.
fn sample(home: &Path, variables: &[(&str, PathBuf)]) -> Process {
    let mut command = command(home, &["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    Process::spawn(command)
}

#[test]
fn the_sample_keeps_its_data_where_the_system_or_the_user_has_a_place() {
    let folder = folder(&[]);
    let at = |name: &str| folder.path().join(name);
    for (variables, place) in [
        (vec![("HOME", at("home"))], "home/.local/share/jw238dns"),
        (vec![("HOME", at("home")), ("XDG_DATA_HOME", at("xdg"))], "xdg/jw238dns"),
        (vec![("HOME", at("home")), ("XDG_DATA_HOME", at("xdg")), ("STATE_DIRECTORY", at("state"))], "state"),
    ] {
        let place = at(place);
        for start in 0..2 {
            let server = sample(folder.path(), &variables);
            server.wait_for("answering HTTP");
            let token = fs::read_to_string(place.join("admin-token")).unwrap();
            let admin = client(&server, token.trim());
            runtime().block_on(async {
                let status = admin.status().await.unwrap();
                assert!(status.durable);
                assert_eq!(status.contents.unwrap().journal, Some(place.display().to_string()));
                if start == 0 {
                    admin.create_record(&record("new.example.test. A 192.0.2.7")).await.unwrap();
                }
            });
            assert_eq!(ask(server.dns(), "new.example.test. A"), "NOERROR 192.0.2.7");
            assert_eq!(ask(server.dns(), "www.example.test. A"), "NOERROR 192.0.2.1");
            assert_eq!(mode(&place), 0o700);
            server.stop();
        }
    }
}

#[test]
fn a_sample_without_a_place_says_so() {
    let folder = folder(&[]);
    let server = sample(folder.path(), &[]);
    server.wait_for("answering HTTP");
    server.wait_for("changes are kept in memory alone");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    server.stop();
}

#[test]
fn two_samples_do_not_share_a_place() {
    let folder = folder(&[]);
    let home = [("HOME", folder.path().to_owned())];
    let first = sample(folder.path(), &home);
    first.wait_for("answering HTTP");
    let (status, log) = sample(folder.path(), &home).wait();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains(&format!("jw238dns is in use by process {}", first.id())), "{log}");
    assert!(!log.contains("answering"), "{log}");
    first.expect("www.example.test. A", "NOERROR 192.0.2.1");
    // With a place of its own there can be as many as one likes.
    let second = sample(folder.path(), &[("HOME", folder.path().join("other"))]);
    second.wait_for("answering HTTP");
    second.expect("www.example.test. A", "NOERROR 192.0.2.1");
    second.stop();
    first.stop();
}

#[test]
fn a_data_folder_that_goes_away_is_missed() {
    let site = Site::new("", "");
    let server = site.start();
    let (admin, runtime) = (site.admin(&server), runtime());
    let data = site.data();
    let token = site.folder.path().join("token");
    fs::copy(data.join("admin-token"), &token).unwrap();
    assert_eq!(get(server.http(), "/ready").0, 200);
    fs::remove_dir_all(&data).unwrap();
    server.wait_for("was removed or replaced, so what it has ends with this process");
    let refused =
        runtime.block_on(admin.create_record(&record("late.example.org. A 192.0.2.1"))).unwrap_err();
    assert_eq!(refused.status().map(|status| status.as_u16()), Some(503), "{refused}");
    let told = runtime.block_on(admin.status()).unwrap();
    assert!(!told.writable && told.ready, "what is asked is answered: {told:?}");

    // What it says helps.
    fs::create_dir(&data).unwrap();
    let url = format!("http://{}", server.http());
    let words = ["backup", "copy", "--config", "config.yaml", "--token-file", "token", "--url", &url];
    let backup = command(site.folder.path(), &words).output().unwrap();
    assert!(backup.status.success(), "{}", String::from_utf8_lossy(&backup.stderr));
    server.stop();
    let words = ["restore", "copy", "--config", "config.yaml"];
    assert!(command(site.folder.path(), &words).output().unwrap().status.success());
    let server = site.start();
    assert_eq!(get(server.http(), "/ready").0, 200);
    server.stop();
}
