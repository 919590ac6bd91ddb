//! `jw238dns check`: what it prints and how it exits.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs the binary in a folder, without any variable of ours.
fn check(folder: &Path, words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_jw238dns"))
        .arg("check")
        .args(words)
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap()
}

#[track_caller]
fn expect(output: &Output, code: i32, stdout: &str, stderr: &str) {
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    assert_eq!((text(&output.stdout), text(&output.stderr)), (stdout.to_owned(), stderr.to_owned()));
    assert_eq!(output.status.code(), Some(code));
}

const SOUND: &str =
    "$TTL 1h\n@ SOA ns.example.net. hostmaster 7 2h 1h 2w 5m\n@ NS ns.example.net.\n@ NS ns.example.com.\n";

#[test]
fn every_fault_of_every_zone_is_told_with_its_place() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/checks");
    let output = check(&folder, &["--config", "config.yaml"]);
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    let found = format!("{}--\n{}", text(&output.stderr), text(&output.stdout));
    let path = folder.join("expected");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    assert_eq!(found, std::fs::read_to_string(&path).unwrap());
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn what_was_checked_is_told_where_all_is_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, "dns_port: 5353\n").unwrap();
    expect(&check(folder.path(), &["--config", "config.yaml"]), 0, "0 errors, 0 warnings\n", "");

    std::fs::write(folder.path().join("a.zone"), SOUND).unwrap();
    expect(
        &check(folder.path(), &["--config", "config.yaml", "--zone", "example.org=a.zone"]),
        0,
        "zone example.org.: serial 7, 3 records\n0 errors, 0 warnings\n",
        "",
    );
}

#[test]
fn warnings_do_not_fail_a_check() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.zone"), format!("{SOUND}www CNAME gone\n")).unwrap();
    std::fs::write(
        folder.path().join("config.yaml"),
        "backend: {upstream: {enabled: true, servers: '192.0.2.53:53'}}\n",
    )
    .unwrap();
    let output = check(folder.path(), &["--config", "config.yaml", "--zone", "example.org=a.zone"]);
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(
        lines[0].starts_with("warning: config.yaml:1:31: backend.upstream.enabled: forwarding is not"),
        "{stderr}"
    );
    assert_eq!(
        lines[1..],
        ["warning: a.zone:5: www.example.org. is an alias of gone.example.org., which has no records"]
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn records_are_held_to_the_rules_of_the_store() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("config.yaml"),
        "records:\n- {name: a.example.org., type: A, ttl: 300, value: ['192.0.2.1']}\n\
         - {name: a.example.org., type: CNAME, ttl: 300, value: ['b.example.org.']}\n",
    )
    .unwrap();
    let output = check(folder.path(), &["--config", "config.yaml"]);
    assert!(!output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("a.example.org.") && stderr.contains("CNAME"), "{stderr}");
}

#[test]
fn a_certificate_without_its_key_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    let config =
        "dns_port: 5353\nhttp_port: 8443\napi: {tls: {certificate: cert.pem, private_key: key.pem}}\n";
    std::fs::write(folder.path().join("config.yaml"), config).unwrap();
    let words = ["--config", "config.yaml"];
    let wrong = "error: api.tls: cannot read key.pem: No such file or directory (os error 2)\n";
    expect(&check(folder.path(), &words), 1, "1 error, 0 warnings\n", wrong);
    std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    expect(&check(folder.path(), &words), 0, "0 errors, 0 warnings\n", "");
    // Where HTTP is not spoken, nobody needs it.
    std::fs::remove_file(folder.path().join("key.pem")).unwrap();
    std::fs::write(folder.path().join("config.yaml"), config.replace("http_port: 8443\n", "")).unwrap();
    expect(&check(folder.path(), &words), 0, "0 errors, 0 warnings\n", "");
}

/// Whoever checks, root or not. Who starts the server may be somebody else, and then it is not known what they may write.
#[test]
fn the_user_to_become_is_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["--config", "config.yaml"];
    let config = "user: no-such-user\nstore: {data_dir: config.yaml}\n";
    std::fs::write(folder.path().join("config.yaml"), config).unwrap();
    let told = "warning: a server could not start on this machine: user: there is no user \"no-such-user\"\n\
                note: store.data_dir was not looked at: that is for root, or the user of the server\n";
    expect(&check(folder.path(), &words), 0, "0 errors, 1 warning\n", told);
    let uid = nix::unistd::geteuid();
    if uid.is_root() {
        // A service manager starts servers as users of its own, and makes their folders.
        std::fs::create_dir(folder.path().join("data")).unwrap();
        std::os::unix::fs::chown(folder.path().join("data"), Some(65_534), Some(65_534)).unwrap();
        std::fs::write(folder.path().join("config.yaml"), "store: {data_dir: data}\n").unwrap();
    } else {
        let other = format!("{0}:{0}", uid.as_raw() + 1);
        std::fs::write(folder.path().join("config.yaml"), config.replace("no-such-user", &other)).unwrap();
    }
    let told = "note: store.data_dir was not looked at: that is for root, or the user of the server\n";
    expect(&check(folder.path(), &words), 0, "0 errors, 0 warnings\n", told);
}

#[test]
fn the_sample_is_sound() {
    let folder = tempfile::tempdir().unwrap();
    let output = check(folder.path(), &[]);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        stdout.ends_with("0 errors, 0 warnings\n"),
        "{stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(0));
}
