//! Starting: from flags, files and variables to answers.

use std::net::UdpSocket;

use crate::support::{Process, ask, ask_tcp, command, folder, zone};

#[test]
fn without_configuration_it_serves_the_sample_and_says_how_to_try_it() {
    let folder = folder(&[]);
    let server = Process::start(folder.path(), &[]);
    let dns = server.dns();
    assert_eq!(ask(dns, "www.example.test. A"), "NOERROR 192.0.2.1");
    assert_eq!(ask_tcp(dns, "www.example.test. A"), "NOERROR 192.0.2.1");
    assert_eq!(ask(dns, "www.example.net. A"), "REFUSED");
    server.wait_for(&format!("try: dig @127.0.0.1 -p {} www.example.test.", dns.port()));
    server.wait_for("serving zones=1 zones_failed=0 records=");
    server.stop();
}

#[test]
fn flags_variables_and_file_come_together() {
    let files = [
        ("etc/config.yaml", "zones: [{name: example.org, file: a.zone}]\nlisten: {dns: '127.0.0.1:1'}\n"),
        ("etc/a.zone", &zone("192.0.2.1")),
        ("b.zone", &zone("192.0.2.2")),
    ];
    let folder = folder(&files);
    let words = ["--config", "etc/config.yaml", "--zone", "example.net=b.zone", "--log-format", "json"];
    let mut command = command(folder.path(), &words);
    command.env("JW238DNS_LISTEN__DNS", "127.0.0.1:0");
    command.env("JW238DNS_RECORDS", "[{name: www.example.com., type: A, value: 192.0.2.3}]");
    let server = Process::spawn(command);
    let line = server.wait_for("answering DNS");
    let address = line.split_once(r#""address":""#).expect("a JSON line").1.split('"').next().unwrap();
    let dns = address.parse().unwrap();
    for (name, answer) in [("org", "192.0.2.1"), ("net", "192.0.2.2"), ("com", "192.0.2.3")] {
        assert_eq!(ask(dns, &format!("www.example.{name}. A")), format!("NOERROR {answer}"));
    }
    assert_eq!(ask(dns, "www.example.test. A"), "REFUSED", "the sample is for those who say nothing");
}

#[test]
fn a_zone_of_a_flag_replaces_the_sample() {
    let folder = folder(&[("a.zone", &zone("192.0.2.1"))]);
    let server = Process::start(folder.path(), &["--zone", "example.org=a.zone"]);
    server.wait_for(&format!("try: dig @127.0.0.1 -p {} example.org. SOA", server.dns().port()));
    assert_eq!(ask(server.dns(), "www.example.org. A"), "NOERROR 192.0.2.1");
    assert_eq!(ask(server.dns(), "www.example.test. A"), "REFUSED");
}

#[test]
fn the_short_form_listens_on_all_addresses_that_there_are() {
    let folder = folder(&[]);
    // Port 0 is no `dns_port`, and one that was free a moment ago may be somebody else's by now: then another one is.
    let (server, port) = (0..20)
        .find_map(|_| {
            let port = UdpSocket::bind("0.0.0.0:0").ok()?.local_addr().ok()?.port();
            let mut command = command(folder.path(), &[]);
            command.env("JW238DNS_DNS_PORT", port.to_string());
            let server = Process::spawn(command);
            server.begins().then_some((server, port))
        })
        .unwrap();
    let dns = server.wait_for("answering DNS");
    assert!(dns.ends_with(&format!("address=0.0.0.0:{port}")), "{dns}");
    server.wait_for(&format!("try: dig @127.0.0.1 -p {port} "));
    assert_eq!(ask(([127, 0, 0, 1], port).into(), "www.example.test. A"), "NOERROR 192.0.2.1");
    if UdpSocket::bind("[::]:0").is_ok() {
        server.wait_for(&format!("address=[::]:{port}"));
    } else {
        server.wait_for("the system does not have this address");
    }
}

#[test]
fn nothing_to_serve_is_worth_a_warning() {
    let folder = folder(&[("config.yaml", "workers: 1\n")]);
    let server = Process::start(folder.path(), &["--config", "config.yaml"]);
    server.wait_for("there are neither zones nor records");
    assert_eq!(ask(server.dns(), "www.example.test. A"), "REFUSED");
}

#[test]
fn what_can_be_loaded_is_served_beside_what_cannot() {
    let files = [
        (
            "config.yaml",
            "zones: [{name: example.org, file: good.zone}, {name: example.net, file: bad.zone}]\nzones_dir: more\n",
        ),
        ("good.zone", &zone("192.0.2.1")),
        ("bad.zone", "@ 300 SOA ns hostmaster 1 2 3 4 5\n@ 300 NS ns\nwww 300 A 192.0.2.256\n"),
        ("more/example.com.zone", ""),
        ("more/folder.example.zone/x", ""),
        ("more/other.example.zone", &zone("192.0.2.2")),
    ];
    let folder = folder(&files);
    let server = Process::start(folder.path(), &["--config", "config.yaml"]);
    let dns = server.dns();
    for (question, answer) in [
        ("www.example.org. A", "NOERROR 192.0.2.1"),
        ("www.example.net. A", "SERVFAIL"),
        ("www.example.com. A", "SERVFAIL"),
        ("www.folder.example. A", "SERVFAIL"),
        ("www.other.example. A", "NOERROR 192.0.2.2"),
        ("www.else.example. A", "REFUSED"),
    ] {
        assert_eq!(ask(dns, question), answer, "{question}");
    }
    server.wait_for(&format!("try: dig @127.0.0.1 -p {} example.org. SOA", dns.port()));
    let log = server.log_behind(0);
    for problem in [
        "bad.zone:3:",
        "more/example.com.zone: is empty",
        "more/folder.example.zone: is a folder, not a file",
        "serving zones=2 zones_failed=3 records=8",
    ] {
        assert_eq!(log.matches(problem).count(), 1, "{problem} in {log}");
    }
}
