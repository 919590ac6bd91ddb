//! Running out of file descriptors. Alone in its file, for the whole process feels it.

mod common;

use std::{
    fs::File,
    net::TcpStream,
    time::{Duration, Instant},
};

use common::*;
use socket2::{Domain, Socket, Type};

/// More than this many open files are not worth the time.
const DESCRIPTORS_MAX: usize = 2_000_000;

#[test]
fn accepting_goes_on_when_descriptors_are_back() {
    let server = Server::start(config("127.0.0.1"));
    converse(&mut tcp_client(server.address()), 1);
    let client = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let file = File::open("/dev/null").unwrap();
    let mut taken = Vec::new();
    while let Ok(file) = file.try_clone() {
        taken.push(file);
        if taken.len() == DESCRIPTORS_MAX {
            eprintln!("skipped: this process may open too many files");
            return;
        }
    }
    let began = Instant::now();
    client.connect(&server.address().into()).unwrap();
    let failed = |times| move |totals: &dns_frontend::Totals| totals.tcp.accept_failed >= times;
    server.wait_for("failing", failed(1));
    let totals = server.wait_for("trying again", failed(4));
    // It tries again and again, with a pause each time.
    assert!(began.elapsed() >= Duration::from_millis(250), "{totals:?}");
    drop(taken);
    let mut client: TcpStream = client.into();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    converse(&mut client, 2);
    server.stop();
}
