//! The binary as people call it: what it prints and how it exits.

use std::path::Path;
use std::process::{Command, Output};

/// Runs the binary in a folder, without any variable of ours.
fn run(folder: &Path, words: &[&str]) -> Output {
    run_with(folder, words, &[])
}

fn run_with(folder: &Path, words: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jw238dns"))
        .args(words)
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn expect(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}{}", stdout(output), stderr(output));
}

#[test]
fn check_lists_every_mistake_of_file_and_environment() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("config.yaml"), "worker: 2\nlog_level: loud\n").unwrap();
    let output = run_with(
        folder.path(),
        &["check", "--config", "config.yaml"],
        &[("JW238DNS_HTTP_PORT", "x"), ("JW238DNS_SERVICE_HOST", "10.96.0.10")],
    );
    expect(&output, 2);
    assert_eq!(
        stderr(&output),
        "JW238DNS_HTTP_PORT: http_port: 'x' is not a number\n\
         config.yaml:1:1: worker: unknown key, did you mean 'workers'?\n\
         config.yaml:2:12: log_level: 'loud' is not one of off, error, warn, info, debug, trace\n"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = tempfile::tempdir().unwrap();
    for words in [&["check", "--config", "absent.yaml"][..], &["--config", "absent.yaml"]] {
        let output = run(folder.path(), words);
        expect(&output, 2);
        assert!(stderr(&output).starts_with("absent.yaml: cannot be read: "), "{}", stderr(&output));
    }
}

#[test]
fn format_writes_what_reads_back_to_itself() {
    let folder = tempfile::tempdir().unwrap();
    let zone = "$TTL 1h\n@ SOA ns1 hostmaster 1 1h 10m 1w 5m ; remark\n NS ns1\nns1 A 192.0.2.53\n";
    std::fs::write(folder.path().join("a.zone"), zone).unwrap();
    let first = run(folder.path(), &["format", "a.zone", "--origin", "example.com"]);
    expect(&first, 0);
    assert!(stdout(&first).contains("192.0.2.53"), "{}", stdout(&first));

    std::fs::write(folder.path().join("b.zone"), stdout(&first)).unwrap();
    let second = run(folder.path(), &["format", "b.zone"]);
    expect(&second, 0);
    assert_eq!(stdout(&second), stdout(&first));
}

#[test]
fn format_writes_nothing_when_there_are_mistakes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("a.zone"),
        "$ORIGIN example.com.\n@ 300 A 192.0.2.256\n@ 300 MX mail\n",
    )
    .unwrap();
    let output = run(folder.path(), &["format", "a.zone"]);
    expect(&output, 1);
    assert_eq!(stdout(&output), "");
    for place in ["a.zone:2:9: ", "a.zone:3:"] {
        assert!(stderr(&output).contains(place), "{}", stderr(&output));
    }
    expect(&run(folder.path(), &["format", "absent.zone"]), 1);
    expect(&run(folder.path(), &["format", "."]), 1);
}

#[test]
fn completions_and_version_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let output = run(folder.path(), &["completions", shell]);
        expect(&output, 0);
        assert!(stdout(&output).contains("completions"), "{shell}");
    }
    let output = run(folder.path(), &["--version"]);
    expect(&output, 0);
    assert_eq!(stdout(&output), format!("jw238dns {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_flags_exit_with_2() {
    let folder = tempfile::tempdir().unwrap();
    for words in [
        &["--listen", "localhost:53"][..],
        &["--listen", "127.0.0.1"],
        &["--zone", "example.com"],
        &["--log-level", "loud"],
        &["--strict", "check"],
        &["token", "list", "--url", "127.0.0.1:5380"],
        &["backup", "copy", "--url", "ftp://127.0.0.1"],
        &["serv"],
        &["format"],
    ] {
        let output = run(folder.path(), words);
        expect(&output, 2);
        assert!(stderr(&output).starts_with("error: "), "{}", stderr(&output));
    }
}

#[test]
fn explain_says_view_rule_zone_and_source() {
    let folder = tempfile::tempdir().unwrap();
    let config = "records:\n  - {name: www.example.org., type: A, value: 192.0.2.1}\n\
                  views:\n  - name: inside\n    clients: [10.0.0.0/8]\n    shared: true\n    records:\n      \
                  - {name: db.example.org., type: A, value: 10.0.0.1}\n\
                  rules:\n  - {name: no-txt, match: {names: [.example.org.], types: [TXT]}, action: nodata}\n";
    std::fs::write(folder.path().join("config.yaml"), config).unwrap();
    let explain = |words: &[&str]| {
        let output = run(folder.path(), &[&["explain", "--config", "config.yaml"], words].concat());
        expect(&output, 0);
        stdout(&output)
    };
    assert_eq!(
        explain(&["db.example.org", "a", "--client", "10.1.2.3"]),
        "question  db.example.org. A from 10.1.2.3 at 0.0.0.0:53\nview      inside\n\
         zone      db.example.org., derived from the names of records\n\
         answer    the A records of db.example.org., from config\n"
    );
    assert_eq!(
        explain(&["www.example.org", "--client", "10.1.2.3"]),
        "question  www.example.org. A from 10.1.2.3 at 0.0.0.0:53\nview      inside\n\
         zone      www.example.org., of view default, derived from the names of records\n\
         answer    the A records of www.example.org., from config\n"
    );
    assert_eq!(
        explain(&["www.example.org.", "TXT"]),
        "question  www.example.org. TXT from 127.0.0.1 at 0.0.0.0:53\nview      default\n\
         rule      no-txt decides: nodata\n\
         zone      www.example.org., derived from the names of records\nanswer    what the rule says\n"
    );
    assert!(explain(&["db.example.org"]).ends_with("answer    REFUSED: no zone has the name\n"));
    // What it cannot know, it says.
    std::fs::write(folder.path().join("config.yaml"), format!("http_port: 8080\n{config}")).unwrap();
    let text = explain(&["db.example.org"]);
    let (answer, note) = text.split_once("note      ").unwrap();
    assert!(answer.ends_with("answer    REFUSED: no zone has the name\n"), "{text}");
    assert!(note.contains("changed over HTTP") && note.contains("GET /api/v1/resolve"), "{text}");
    let words = ["explain", "--config", "config.yaml", "a.example", "--listener", "192.0.2.9:53"];
    let output = run(folder.path(), &words);
    expect(&output, 2);
    assert_eq!(
        stderr(&output),
        "--listener: the configuration has no listener 192.0.2.9:53, only 0.0.0.0:53, [::]:53\n"
    );
}
