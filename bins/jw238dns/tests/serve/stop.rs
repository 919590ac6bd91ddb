//! Stopping: what has arrived is answered first.

use std::net::UdpSocket;
use std::time::Duration;

use crate::support::{Process, command, connect, folder, query, receive, send, shown};

#[test]
fn queries_that_have_arrived_are_answered_before_the_end() {
    let folder = folder(&[]);
    let server = Process::start(folder.path(), &[]);
    let dns = server.dns();
    let query = query("www.example.test. A");
    let mut stream = connect(dns);
    // It has been accepted, so that it counts as open.
    send(&mut stream, &query);
    assert_eq!(shown(&receive(&mut stream)), "NOERROR 192.0.2.1");

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    for _ in 0..100 {
        socket.send_to(&query, dns).unwrap();
        send(&mut stream, &query);
    }
    server.signal("TERM");
    let mut reply = [0; 512];
    for _ in 0..100 {
        let octets = socket.recv(&mut reply).expect("what was sent before the signal is answered");
        assert_eq!(shown(&reply[..octets]), "NOERROR 192.0.2.1");
        assert_eq!(shown(&receive(&mut stream)), "NOERROR 192.0.2.1");
    }
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.trim_end().ends_with("stopped"), "{log}");
}

#[test]
fn whoever_loads_can_be_stopped() {
    let big = "$TTL 300\n@ SOA ns hostmaster 1 1h 10m 1w 5m\n@ NS ns\nns A 192.0.2.53\n";
    let lines = (0..40).map(|line| format!("$GENERATE 1-65535 h${{0,5}}-{line} A 192.0.2.1\n"));
    let folder = folder(&[("big.zone", &(big.to_owned() + &lines.collect::<String>()))]);
    let words = ["--listen", "127.0.0.1:0", "--zone", "example.org=big.zone"];
    let server = Process::spawn(command(folder.path(), &words));
    server.wait_for("loading");
    server.signal("TERM");
    let (status, log) = server.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("answering"), "{log}");
}

#[test]
fn an_interrupt_ends_it_as_well() {
    let folder = folder(&[]);
    let server = Process::start(folder.path(), &[]);
    server.signal("INT");
    assert_eq!(server.wait().0.code(), Some(0));
}
