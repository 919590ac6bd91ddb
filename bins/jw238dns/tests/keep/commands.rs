//! The commands that manage a server: backups, and tokens.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use dns_api::client::{Client, Revision};
use dns_api::model::{RecordSpec, ZoneSpec};

use crate::site::{Site, client, runtime};
use crate::support::{Process, command, get, zone};
use crate::volume::is_root;

fn run(site: &Site, words: &[&str]) -> Output {
    command(site.folder.path(), &[words, &["--config", "config.yaml"]].concat()).output().unwrap()
}

#[track_caller]
fn expect(output: &Output, code: i32, text: &str) -> String {
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{error}");
    assert!(error.contains(text), "{text} in {error}");
    out.into_owned()
}

fn url(server: &Process) -> String {
    format!("http://{}", server.http())
}

fn record(name: &str, value: &str) -> RecordSpec {
    let (name, value) = (name.to_owned(), vec![value.to_owned()].into());
    RecordSpec { name, rtype: "A".to_owned(), ttl: Some(300), value }
}

#[test]
fn a_backup_of_a_server_that_runs_is_restored_into_one_that_does_not() {
    let site = Site::new("", "");
    let server = site.start();
    let admin = site.admin(&server);
    let runtime = runtime();
    let zone = ZoneSpec { name: "example.org".to_owned(), soa: None, ns: Vec::new(), ttl: None };
    runtime.block_on(admin.create_zone(&zone)).unwrap();
    runtime.block_on(admin.create_record(&record("www.example.org", "192.0.2.1"))).unwrap();
    let copy = site.folder.path().join("copy");
    expect(&run(&site, &["backup", "copy", "--url", &url(&server)]), 0, "copy has all zones");
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    // It is never written over another.
    expect(&run(&site, &["backup", "copy", "--url", &url(&server)]), 1, "copy is there already");
    runtime.block_on(admin.delete_records("www.example.org", None, Revision::Any)).unwrap();
    expect(&run(&site, &["restore", "copy"]), 1, "is in use by");
    server.stop();
    // Without a server it is copied from the folder.
    expect(&run(&site, &["backup", "later"]), 0, "later has all zones");
    expect(&run(&site, &["backup", "later"]), 1, "later is there already");
    expect(&run(&site, &["restore", "copy"]), 1, "data has a journal already: --replace keeps it beside");
    fs::write(site.folder.path().join("junk"), "no journal").unwrap();
    expect(&run(&site, &["restore", "junk", "--replace"]), 1, "junk is no journal");
    // Whoever restores knows that a backup can be restored.
    let whole = fs::read(&copy).unwrap();
    fs::write(site.folder.path().join("half"), &whole[..whole.len() / 2]).unwrap();
    let half = run(&site, &["restore", "half", "--replace"]);
    expect(&half, 1, "half is damaged: ");
    expect(&half, 1, "nothing was restored, take another copy");
    let told = String::from_utf8_lossy(&half.stderr);
    assert!(!told.contains("restore a backup"), "{told}");
    expect(&run(&site, &["restore", "copy", "--replace"]), 0, "will be served from the next start on");
    let server = site.start();
    server.expect("www.example.org A", "NOERROR 192.0.2.1");
    // Its tokens are those of then, too.
    let found = runtime.block_on(site.admin(&server).records_at("www.example.org", None)).unwrap();
    assert_eq!(found[0].value, ["192.0.2.1"]);
}

/// A new machine: the data folder is not there, and the server will not be root.
#[test]
fn what_root_restores_is_for_the_user_of_the_server() {
    if !is_root() {
        println!("skipped: what_root_restores_is_for_the_user_of_the_server has to be run by root");
        return;
    }
    let site = Site::new("", "");
    let server = site.start();
    runtime().block_on(site.admin(&server).create_record(&record("www.example.org", "192.0.2.1"))).unwrap();
    server.stop();
    expect(&run(&site, &["backup", "copy"]), 0, "copy has all zones");
    let copy = site.folder.path().join("copy");
    let copy = copy.to_str().unwrap();

    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let data = folder.path().join("srv/dns/data");
    let site = Site::with_data(folder, data, "", "user: nobody\n");
    expect(&run(&site, &["restore", "absent"]), 1, "absent");
    assert!(!site.folder.path().join("srv").exists());
    expect(&run(&site, &["restore", copy]), 0, "will be served from the next start on");
    assert_eq!(fs::metadata(site.data()).unwrap().permissions().mode() & 0o777, 0o700);
    let server = site.start();
    server.expect("www.example.org A", "NOERROR 192.0.2.1");
    server.stop();

    // One that is root's already would be of no use to the server, and root may mean it for something else.
    fs::remove_dir_all(site.data()).unwrap();
    fs::create_dir(site.data()).unwrap();
    let remedy = format!("run chown nobody {}", site.data().display());
    expect(&run(&site, &["restore", copy]), 1, &remedy);
    assert_eq!(fs::read_dir(site.data()).unwrap().count(), 0);
}

#[test]
fn a_backup_needs_something_to_copy_and_someone_who_may() {
    let site = Site::new("", "");
    expect(&run(&site, &["backup", "copy"]), 1, "there is nothing to copy");
    expect(&run(&site, &["backup", "copy"]), 1, "name the configuration of the server by --config");
    expect(&run(&site, &["restore", "absent"]), 1, "cannot read absent: No such file");
    assert!(!site.data().exists(), "looking does not make it");
    // A disk that is not mounted leaves an empty folder.
    fs::create_dir(site.data()).unwrap();
    expect(&run(&site, &["backup", "copy"]), 1, "there is nothing to copy");
    assert_eq!(fs::read_dir(site.data()).unwrap().count(), 0);
    assert!(!site.folder.path().join("copy").exists());
    fs::remove_dir(site.data()).unwrap();
    expect(
        &run(&site, &["token", "list"]),
        2,
        "the server writes it at its first start, or give --token-file",
    );
    expect(&run(&site, &["backup", "-"]), 2, "a backup is a file");
    let server = site.start();
    fs::write(site.folder.path().join("token"), "jw238_00000000_0\n").unwrap();
    let words = ["backup", "copy", "--url", &url(&server), "--token-file", "token"];
    expect(&run(&site, &words), 1, "the token is not valid: it is the one from token; give another one by");
    assert!(!site.folder.path().join("copy").exists(), "half a backup is none");
}

#[test]
fn tokens_are_made_listed_and_revoked_by_command() {
    let site = Site::new("", "");
    let server = site.start();
    let url = url(&server);
    let words = ["token", "create", "ci", "--access", "write", "--zone", "example.org", "--type", "A"];
    let made = run(&site, &[&words[..], &["--expires", "30d", "--url", &url]].concat());
    let secret = expect(&made, 0, "this is the only time that it is shown");
    let ci = client(&server, secret.trim());
    let runtime = runtime();
    runtime.block_on(ci.create_record(&record("www.example.org", "192.0.2.1"))).unwrap();
    let refused = runtime.block_on(ci.create_record(&record("www.example.net", "192.0.2.1"))).unwrap_err();
    assert_eq!(refused.status().map(|status| status.as_u16()), Some(403), "{refused}");
    let list = expect(&run(&site, &["token", "list", "--url", &url]), 0, "");
    let line = list.lines().find(|line| line.contains("  ci  ")).unwrap();
    assert!(line.contains("write zones example.org. types A  expires "), "{line}");
    let id = line.split(' ').next().unwrap();
    expect(&run(&site, &["token", "revoke", id, "--url", &url]), 0, "is revoked");
    expect(&run(&site, &["token", "revoke", id, "--url", &url]), 1, "there is no token");
    let refused = runtime.block_on(ci.create_record(&record("ftp.example.org", "192.0.2.1"))).unwrap_err();
    assert_eq!(refused.status().map(|status| status.as_u16()), Some(401), "{refused}");
    // Mistakes are told before anything is asked for.
    expect(&run(&site, &["token", "create", "x", "--expires", "soon", "--url", &url]), 2, "such as 30d");
    expect(&run(&site, &["token", "create", "x", "--type", "ANY", "--url", &url]), 1, "'ANY' is not a type");
}

/// Whoever can read the data folder gets in again, whatever has become of the first token.
#[test]
fn a_token_is_made_while_the_server_does_not_run() {
    let site = Site::new("", "");
    site.start().stop();
    let file = site.data().join("admin-token");
    fs::remove_file(&file).unwrap();
    let made = run(&site, &["token", "create", "rescue", "--access", "admin"]);
    let secret = expect(&made, 0, "this is the only time that it is shown");
    expect(&run(&site, &["token", "create", "x", "--type", "ANY"]), 1, "'ANY' is not a type");
    let server = site.start();
    let line = server.wait_for("this file has no admin token");
    assert!(line.contains("rescue ("), "{line}");
    assert!(!file.exists());
    let tokens = runtime().block_on(client(&server, secret.trim()).tokens()).unwrap().tokens;
    let names: Vec<_> = tokens.iter().map(|token| token.name.as_str()).collect();
    assert_eq!(names, ["admin", "rescue"]);
    server.stop();
}

#[test]
fn a_token_comes_from_the_environment_as_well() {
    let site = Site::new("", "");
    let mut served = site.command();
    served.env("JW238DNS_TOKEN", "of-somebody-else");
    let server = Process::spawn(served);
    site.admin(&server);
    let secret = fs::read_to_string(site.data().join("admin-token")).unwrap();
    fs::remove_file(site.data().join("admin-token")).unwrap();
    let url = url(&server);
    for words in [&["token", "list"][..], &["backup", "copy"]] {
        let words = [words, &["--config", "config.yaml", "--url", &url]].concat();
        let mut command = command(site.folder.path(), &words);
        expect(&command.env("JW238DNS_TOKEN", secret.trim()).output().unwrap(), 0, "");
    }
    let mut check = command(site.folder.path(), &["check", "--config", "config.yaml"]);
    expect(&check.env("JW238DNS_TOKEN", secret.trim()).output().unwrap(), 0, "");
    server.stop();
}

/// One reason is told once.
#[test]
fn what_the_server_says_is_not_said_twice() {
    let folder = tempfile::tempdir().unwrap();
    let config = "listen: {dns: '127.0.0.1:0', http: '127.0.0.1:0'}\napi: {admin_token_file: token}\n";
    fs::write(folder.path().join("config.yaml"), config).unwrap();
    let server = Process::spawn(command(folder.path(), &["--config", "config.yaml"]));
    let url = url(&server);
    let words = ["backup", "copy", "--config", "config.yaml", "--url", &url];
    let output = command(folder.path(), &words).output().unwrap();
    expect(&output, 1, "there is no backup: nothing is kept on disk: store.data_dir is not set");
    assert_eq!(String::from_utf8_lossy(&output.stderr).matches("nothing is kept").count(), 1);
    server.stop();
}

#[test]
fn the_own_token_stays_on_this_machine() {
    let site = Site::new("", "");
    site.start().stop();
    let output = run(&site, &["token", "list", "--url", "https://192.0.2.1:5380"]);
    expect(&output, 2, "is not sent to other machines");
}

#[test]
fn a_server_that_is_not_there_is_told_with_a_way_on() {
    let site = Site::new("", "");
    site.start().stop();
    // Bound, so that nobody else gets the port, and not listened at.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let place = socket.local_addr().unwrap();
    let gone = run(&site, &["token", "list", "--url", &format!("http://{place}")]);
    expect(&gone, 1, "Connection refused (os error 111); start the server, or say by --url where it is");
    let unknown = run(&site, &["token", "list", "--url", &format!("https://{place}")]);
    expect(&unknown, 2, "give its certificate, a PEM file, by --ca");
}

/// Somebody else's data folder is not to be changed for them, but used by whom it belongs to.
#[test]
fn who_may_not_read_the_data_folder_is_told_who_may() {
    if !is_root() {
        println!("skipped: who_may_not_read_the_data_folder_is_told_who_may has to be run by root");
        return;
    }
    let site = Site::new("", "");
    site.start().stop();
    expect(&run(&site, &["backup", "copy"]), 0, "copy has all zones");
    // Where that user can start it, wherever it was built.
    let program = site.folder.path().join("jw238dns");
    fs::copy(env!("CARGO_BIN_EXE_jw238dns"), &program).unwrap();
    let modes = [(site.folder.path().to_owned(), 0o755), (site.folder.path().join("copy"), 0o644)];
    for (path, mode) in modes.into_iter().chain([(program.clone(), 0o755)]) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }
    for (mode, place) in [(0o700, "data/journal.redb: "), (0o755, "data: ")] {
        fs::set_permissions(site.data(), Permissions::from_mode(mode)).unwrap();
        for words in [&["token", "create", "x"][..], &["backup", "later"], &["restore", "copy", "--replace"]]
        {
            let mut command = Command::new(&program);
            command.args(words).args(["--config", "config.yaml"]).current_dir(site.folder.path()).env_clear();
            let output = command.uid(65_534).gid(65_534).output().unwrap();
            let told = format!("{place}Permission denied (os error 13); run this as the user of the server");
            expect(&output, 1, &told);
        }
    }
}

#[test]
fn a_server_is_managed_over_tls() {
    let site = Site::new("", "api: {tls: {certificate: cert.pem, private_key: key.pem}}\n");
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(site.folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    expect(&command(site.folder.path(), &["--config", "config.yaml"]).output().unwrap(), 1, "key.pem");
    fs::write(site.folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let server = site.start();
    let url = format!("https://localhost:{}", server.http().port());
    // The certificate of the configuration is the one to trust.
    let list = expect(&run(&site, &["token", "list", "--url", &url]), 0, "");
    assert!(list.contains("  admin  admin"), "{list}");
    // One that cannot be read again is told to whoever asks for that.
    let token = fs::read_to_string(site.data().join("admin-token")).unwrap();
    let admin = Client::with_ca(&url, token.trim(), made.cert.pem().as_bytes()).unwrap();
    fs::write(site.folder.path().join("key.pem"), "none").unwrap();
    let error = runtime().block_on(admin.reload()).unwrap_err();
    let reasons = &error.problem().unwrap().reasons;
    assert!(reasons[0].starts_with("api.tls: the certificate from before stays: "), "{reasons:?}");
    assert!(reasons[0].contains("key.pem"), "{reasons:?}");
    server.wait_for("the certificate from before stays");
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(site.folder.path().join("other.pem"), other.cert.pem()).unwrap();
    expect(&run(&site, &["token", "list", "--url", &url, "--ca", "other.pem"]), 1, "cannot connect");
}

/// As `openssl req -x509` makes one, unless told otherwise.
#[test]
fn a_certificate_for_signing_others_has_to_be_the_servers() {
    let site = Site::new("", "api: {tls: {certificate: cert.pem, private_key: key.pem}}\n");
    let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    let path = |name: &str| site.folder.path().join(name);
    fs::write(path("cert.pem"), parameters.self_signed(&key).unwrap().pem()).unwrap();
    fs::write(path("key.pem"), key.serialize_pem()).unwrap();
    let server = site.start();
    let url = format!("https://localhost:{}", server.http().port());
    // The configuration names the certificate.
    let listed = expect(&run(&site, &["token", "list", "--url", &url]), 0, "");
    assert!(listed.contains("admin"), "{listed}");
    let other = rcgen::KeyPair::generate().unwrap();
    fs::write(path("other.pem"), parameters.self_signed(&other).unwrap().pem()).unwrap();
    let words = ["token", "list", "--url", &url, "--ca", "other.pem"];
    expect(&run(&site, &words), 1, "(CA:TRUE), which is believed only if it is given itself by --ca");
    server.stop();
}

#[test]
fn a_reload_over_http_reads_the_configuration_anew() {
    let site = Site::new("", "records: [{name: a.example.net., type: A, value: 192.0.2.1}]\n");
    let server = site.start();
    server.expect("a.example.net A", "NOERROR 192.0.2.1");
    let (admin, runtime) = (site.admin(&server), runtime());
    let path = site.folder.path().join("config.yaml");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("192.0.2.1}", "192.0.2.2}")).unwrap();
    let reloaded = runtime.block_on(admin.reload()).unwrap();
    assert_eq!(reloaded.warnings, Vec::<String>::new());
    server.expect("a.example.net A", "NOERROR 192.0.2.2");
    // What the log says, whoever asked is told.
    let other = text.replace("192.0.2.1}", "192.0.2.2}").replace("/data'", "/other'");
    fs::write(
        &path,
        format!("workers: 2\nbackend: {{upstream: {{enabled: true, servers: '192.0.2.53:53'}}}}\n{other}"),
    )
    .unwrap();
    let warnings = runtime.block_on(admin.reload()).unwrap().warnings;
    for expected in ["workers has changed, which takes", "store has changed", "backend.upstream.enabled: "] {
        assert!(warnings.iter().any(|warning| warning.contains(expected)), "{expected} in {warnings:?}");
    }
    fs::write(&path, text.replace("records:", "recrods:")).unwrap();
    let error = runtime.block_on(admin.reload()).unwrap_err();
    assert_eq!(error.status().map(|status| status.as_u16()), Some(422), "{error}");
    let problem = error.problem().unwrap();
    assert!(problem.reasons.iter().any(|reason| reason.contains("recrods")), "{problem:?}");
    server.expect("a.example.net A", "NOERROR 192.0.2.2");
}

/// The way out is the one that is told.
#[test]
fn a_file_waits_until_the_zone_that_the_api_has_made_is_gone() {
    let site = Site::new("", "");
    let server = site.start();
    let (admin, runtime) = (site.admin(&server), runtime());
    let made = ZoneSpec { name: "example.org".to_owned(), soa: None, ns: Vec::new(), ttl: None };
    runtime.block_on(admin.create_zone(&made)).unwrap();
    runtime.block_on(admin.create_record(&record("www.example.org", "192.0.2.1"))).unwrap();
    server.stop();
    let config = site.folder.path().join("config.yaml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}zones: [{{name: example.org, file: a.zone}}]\n")).unwrap();
    fs::write(site.folder.path().join("a.zone"), zone("192.0.2.2")).unwrap();
    let server = site.start();
    let told = server.wait_for("a.zone is not served, as the API has made a zone of this name");
    assert!(told.contains("DELETE /api/v1/zones/example.org."), "{told}");
    assert_eq!(get(server.http(), "/ready").0, 200);
    server.expect("www.example.org A", "NOERROR 192.0.2.1");
    let admin = site.admin(&server);
    runtime.block_on(admin.delete_zone("example.org.")).unwrap();
    runtime.block_on(admin.reload()).unwrap();
    server.expect("www.example.org A", "NOERROR 192.0.2.2");
    server.stop();
}
