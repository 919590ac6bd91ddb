//! Stopping: what has arrived is answered first.

use std::net::UdpSocket;
use std::time::Duration;

use crate::support::{Process, connect, folder, query, receive, send, shown};

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
fn an_interrupt_ends_it_as_well() {
    let folder = folder(&[]);
    let server = Process::start(folder.path(), &[]);
    server.signal("INT");
    assert_eq!(server.wait().0.code(), Some(0));
}
