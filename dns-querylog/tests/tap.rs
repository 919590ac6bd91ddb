//! dnstap over sockets, to receivers of our own and of others.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};

use conformance::peer::find_program;
use dns_backend::Transport;
use dns_backend::log::Exchange;
use dns_querylog::dnstap::{Dnstap, Kind, Message, MessageKind, Policy, SocketFamily, SocketProtocol};
use dns_querylog::frames::{Control, expect_control, write_control};
use dns_querylog::{Format, QueryLog, QueryLogConfig, Target};
use prost::Message as _;

use support::{WWW, exchange, query, reply, wait_until};

fn config(socket: &Path) -> QueryLogConfig {
    QueryLogConfig {
        format: Format::Dnstap,
        target: Target::Socket(socket.to_owned()),
        identity: "ns1.example.org".into(),
        version: "jw238dns 1.2.3".into(),
        listeners: ["192.0.2.53:53", "[::]:53"].map(|address| address.parse().unwrap()).into(),
        ..QueryLogConfig::default()
    }
}

fn say(control: Control, stream: &mut UnixStream) {
    let mut frame = Vec::new();
    write_control(control, &mut frame);
    stream.write_all(&frame).unwrap();
}

/// Takes one connection and opens the stream.
fn accept(listener: &UnixListener) -> UnixStream {
    let (mut stream, _) = listener.accept().unwrap();
    expect_control(Control::Ready, &mut stream).unwrap();
    say(Control::Accept, &mut stream);
    expect_control(Control::Start, &mut stream).unwrap();
    stream
}

/// The next data frame; `None` once the sender stops, which is acknowledged.
fn receive(stream: &mut UnixStream) -> Option<Dnstap> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    if length == [0; 4] {
        // What is left of the control frame: its length and its type.
        let mut rest = [0; 8];
        stream.read_exact(&mut rest).unwrap();
        assert_eq!(rest, [0, 0, 0, 4, 0, 0, 0, 3]);
        say(Control::Finish, stream);
        return None;
    }
    let mut frame = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut frame).unwrap();
    Some(Dnstap::decode(&frame[..]).unwrap())
}

/// Takes one connection and returns all it brings.
fn receiver(listener: UnixListener) -> JoinHandle<Vec<Dnstap>> {
    thread::spawn(move || {
        let mut stream = accept(&listener);
        std::iter::from_fn(|| receive(&mut stream)).collect()
    })
}

#[test]
fn messages_say_what_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("tap");
    let received = receiver(UnixListener::bind(&socket).unwrap());
    let config = config(&socket);
    let hub = config.hub();
    let mut writer = hub.writer();
    let request = query(1, WWW);
    let answer = reply(&request);
    writer.record(&Exchange { rule: Some("pin"), ..exchange(&request, Some(&answer)) });
    let client: SocketAddr = "[2001:db8::1]:4000".parse().unwrap();
    writer.record(&Exchange { client, listener: 1, transport: Transport::Tcp, ..exchange(&request, None) });
    let log = QueryLog::start(config, hub).unwrap();
    log.stop().unwrap();
    assert_eq!((log.written(), log.dropped()), (2, 0));

    let dnstap = |message: Message| Dnstap {
        identity: Some(b"ns1.example.org".to_vec()),
        version: Some(b"jw238dns 1.2.3".to_vec()),
        kind: Kind::Message.into(),
        message: Some(message),
    };
    let asked = Message {
        kind: MessageKind::AuthQuery.into(),
        socket_family: Some(SocketFamily::Inet.into()),
        socket_protocol: Some(SocketProtocol::Udp.into()),
        query_address: Some(vec![192, 0, 2, 1]),
        response_address: Some(vec![192, 0, 2, 53]),
        query_port: Some(5353),
        response_port: Some(53),
        query_time_sec: Some(1_700_000_000),
        query_time_nsec: Some(123_456_789),
        query_message: Some(request.clone()),
        policy: Some(Policy { rule: Some(b"pin".to_vec()) }),
        ..Message::default()
    };
    let answered = Message {
        kind: MessageKind::AuthResponse.into(),
        query_message: None,
        response_time_sec: Some(1_700_000_000),
        response_time_nsec: Some(123_456_789),
        response_message: Some(answer),
        ..asked.clone()
    };
    let unanswered = Message {
        socket_family: Some(SocketFamily::Inet6.into()),
        socket_protocol: Some(SocketProtocol::Tcp.into()),
        query_address: Some(b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01".to_vec()),
        query_port: Some(4000),
        // A wildcard says nothing of where the query came in.
        response_address: None,
        response_port: None,
        policy: None,
        ..asked.clone()
    };
    assert_eq!(received.join().unwrap(), [asked, answered, unanswered].map(dnstap));
}

#[test]
fn a_receiver_that_comes_back_gets_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("tap");
    let config = config(&socket);
    let hub = config.hub();
    let mut writer = hub.writer();
    let log = QueryLog::start(config, hub).unwrap();
    // Nobody is there yet.
    writer.record(&exchange(&query(1, WWW), None));
    wait_until("the entry is dropped", || log.dropped() == 1);

    let listener = UnixListener::bind(&socket).unwrap();
    let mut stream = accept(&listener);
    writer.record(&exchange(&query(2, WWW), None));
    assert_eq!(id(&receive(&mut stream).unwrap()), 2);
    wait_until("the entry counts as written", || log.written() == 1);
    assert_eq!(log.dropped(), 1);

    // The receiver goes, as it does when it is restarted.
    drop((stream, listener));
    fs::remove_file(&socket).unwrap();
    wait_until("entries are dropped", || {
        writer.record(&exchange(&query(3, WWW), None));
        log.dropped() > 1
    });
    assert_eq!(log.written(), 1, "nothing was sent to who was gone");

    let received = receiver(UnixListener::bind(&socket).unwrap());
    wait_until("entries are written", || {
        writer.record(&exchange(&query(4, WWW), None));
        log.written() > 1
    });
    log.stop().unwrap();
    let received = received.join().unwrap();
    assert_eq!(received.len() as u64, log.written() - 1);
    assert_eq!(id(received.last().unwrap()), 4);
}

/// ID of the query in a frame.
fn id(dnstap: &Dnstap) -> u16 {
    let query = dnstap.message.as_ref().unwrap().query_message.as_ref().unwrap();
    u16::from_be_bytes([query[0], query[1]])
}

#[test]
fn a_receiver_that_does_not_read_costs_entries_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("tap");
    let listener = UnixListener::bind(&socket).unwrap();
    let config = config(&socket);
    let hub = config.hub();
    let mut writer = hub.writer();
    let log = QueryLog::start(config, hub).unwrap();
    let stuck = accept(&listener);
    let large = vec![0; 60_000];
    wait_until("entries are dropped", || {
        writer.record(&exchange(&large, None));
        log.dropped() > 0
    });
    // That would be an error, had the rest of the log waited for the receiver.
    log.stop().unwrap();
    drop(stuck);
}

#[test]
fn a_receiver_that_wants_something_else_gets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("tap");
    let listener = UnixListener::bind(&socket).unwrap();
    let config = config(&socket);
    let hub = config.hub();
    let mut writer = hub.writer();
    let log = QueryLog::start(config, hub).unwrap();
    let (mut stream, _) = listener.accept().unwrap();
    expect_control(Control::Ready, &mut stream).unwrap();
    stream.write_all(b"\0\0\0\0\0\0\0\x0d\0\0\0\x01\0\0\0\x01\0\0\0\x01x").unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"", "the stream ends without START");
    writer.record(&exchange(&query(1, WWW), None));
    wait_until("the entry is dropped", || log.dropped() == 1);
    assert_eq!(log.written(), 0);
    // Who would be asked again must not keep the test waiting.
    drop(listener);
}

/// A program of ours that is ended with the test.
struct Capture {
    child: Child,
    file: PathBuf,
}

impl Capture {
    fn start(program: &Path, folder: &Path, socket: &Path) -> Self {
        let file = folder.join("captured");
        let mut command = Command::new(program);
        command.args(["-t", "protobuf:dnstap.Dnstap", "-u"]).arg(socket).arg("-w").arg(&file);
        let child = command.stderr(Stdio::null()).spawn().unwrap();
        let capture = Self { child, file };
        wait_until("the receiver listens", || socket.exists());
        capture
    }

    /// Ends it so that it writes what it holds.
    fn finish(mut self) -> PathBuf {
        let status = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
        self.child.wait().unwrap();
        self.file.clone()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // It may have ended already, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The reference implementation's receiver takes our stream, and its reader understands what is in there.
#[test]
fn programs_of_others_read_what_we_send() {
    let programs = ["fstrm_capture", "dnstap-ldns"].map(|program| (program, find_program(program)));
    let [(_, Some(capture)), (_, Some(reader))] = &programs else {
        let required = std::env::var_os("TEST_PEERS").is_some_and(|value| value == "required");
        assert!(!required, "required, but not installed: {programs:?}");
        eprintln!("skipping the readers of dnstap: not installed: {programs:?}");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("tap");
    let capture = Capture::start(capture, folder.path(), &socket);
    let config = config(&socket);
    let hub = config.hub();
    let mut writer = hub.writer();
    let request = query(0x1234, WWW);
    let answer = reply(&request);
    for _ in 0..1000 {
        writer.record(&exchange(&request, Some(&answer)));
    }
    let client: SocketAddr = "[2001:db8::1]:4000".parse().unwrap();
    writer.record(&Exchange { client, transport: Transport::Tcp, ..exchange(&request, Some(&answer)) });
    let log = QueryLog::start(config, hub).unwrap();
    log.stop().unwrap();
    assert_eq!((log.written(), log.dropped()), (1001, 0));
    let file = capture.finish();

    let read = |option: &str| {
        let output = Command::new(reader).env("TZ", "UTC").args([option, "-r"]).arg(&file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let short = read("-q");
    let lines: Vec<_> = short.lines().collect();
    assert_eq!(lines.len(), 2002);
    assert_eq!(lines[0], "2023-11-14 22:13:20.123456 AQ 192.0.2.1 UDP 33b \"www.example.org.\" IN A");
    assert_eq!(lines[1], "2023-11-14 22:13:20.123456 AR 192.0.2.1 UDP 49b \"www.example.org.\" IN A");
    assert_eq!(lines[2000], "2023-11-14 22:13:20.123456 AQ 2001:db8::1 TCP 33b \"www.example.org.\" IN A");
    let long = read("-y");
    for expected in [
        "identity: \"ns1.example.org\"",
        "version: \"jw238dns 1.2.3\"",
        "response_address: \"192.0.2.53\"",
        "response_port: 53",
        "query_port: 5353",
        "www.example.org.\t3600\tIN\tA\t192.0.2.7",
    ] {
        assert!(long.contains(expected), "{expected} is missing in:\n{}", &long[..long.len().min(4000)]);
    }
}
