//! A server process, and questions to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dns_server::dns_core::wire::op::{Message, Query};
use dns_server::dns_core::wire::rr::{Name, RecordType};

/// The most that anything here may take; a slow machine needs it, a broken server ends in it.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A running server. Dropping it kills it.
pub struct Process {
    child: Child,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log {
    lines: Mutex<(Vec<String>, bool)>,
    more: Condvar,
}

/// A command that serves in a folder, without any variable of ours.
pub fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jw238dns"));
    command.args(words).current_dir(folder).env_clear();
    command
}

impl Process {
    /// Starts a server on a free port of the loopback address and waits until it answers.
    pub fn start(folder: &Path, words: &[&str]) -> Self {
        let process = Self::spawn(command(folder, &[&["--listen", "127.0.0.1:0"], words].concat()));
        process.wait_for("answering DNS");
        process
    }

    /// Starts a server and waits for nothing.
    pub fn spawn(mut command: Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let log = Arc::new(Log::default());
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let writer = log.clone();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                writer.lines.lock().unwrap().0.push(line);
                writer.more.notify_all();
            }
            writer.lines.lock().unwrap().1 = true;
            writer.more.notify_all();
        });
        Self { child, log }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Where it answers DNS.
    pub fn dns(&self) -> SocketAddr {
        address(&self.wait_for("answering DNS"))
    }

    /// Where it answers HTTP.
    pub fn http(&self) -> SocketAddr {
        address(&self.wait_for("answering HTTP"))
    }

    /// Lines so far, to look for what comes behind them.
    pub fn mark(&self) -> usize {
        self.log.lines.lock().unwrap().0.len()
    }

    /// The first line of the log that has this text.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_for_behind(0, text)
    }

    /// Whether it gets as far as to answer; if not, it says that it cannot listen.
    pub fn begins(&self) -> bool {
        !self.wait_for_any(0, &["answering DNS", "cannot listen"]).contains("cannot listen")
    }

    /// The first line of the log behind a mark that has this text.
    pub fn wait_for_behind(&self, mark: usize, text: &str) -> String {
        self.wait_for_any(mark, &[text])
    }

    fn wait_for_any(&self, mark: usize, texts: &[&str]) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.log.lines.lock().unwrap();
        loop {
            if let Some(line) =
                lines.0[mark..].iter().find(|line| texts.iter().any(|text| line.contains(text)))
            {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!lines.1 && !left.is_zero(), "no {texts:?} in {:#?}", &lines.0[mark..]);
            lines = self.log.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// All lines behind a mark.
    pub fn log_behind(&self, mark: usize) -> String {
        self.log.lines.lock().unwrap().0[mark..].join("\n")
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Waits for its end, and returns how that was and what it logged.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.log.lines.lock().unwrap();
        while !lines.1 {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it goes on: {:#?}", lines.0);
            lines = self.log.more.wait_timeout(lines, left).unwrap().0;
        }
        let log = lines.0.join("\n");
        drop(lines);
        (self.child.wait().unwrap(), log)
    }

    /// Tells it to stop, and expects that it does so in good order.
    #[track_caller]
    pub fn stop(self) {
        self.signal("TERM");
        let (status, log) = self.wait();
        assert_eq!(status.code(), Some(0), "{log}");
    }

    /// Asks again and again until the answer is as expected.
    #[track_caller]
    pub fn expect(&self, question: &str, expected: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = ask(self.dns(), question);
            if answer == expected {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{question}: {answer} instead of {expected}\n{}",
                self.log_behind(0)
            );
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address(line: &str) -> SocketAddr {
    line.split_once("address=").unwrap().1.trim().parse().unwrap()
}

/// The message that asks `"www.example.org. A"`.
pub fn query(question: &str) -> Vec<u8> {
    let (qname, qtype) = question.split_once(' ').unwrap();
    let mut message = Message::query();
    message.add_query(Query::query(qname.parse::<Name>().unwrap(), qtype.parse::<RecordType>().unwrap()));
    message.to_vec().unwrap()
}

/// The answer as `"NOERROR 192.0.2.1 192.0.2.2"`, RDATA sorted.
pub fn shown(reply: &[u8]) -> String {
    let message = Message::from_vec(reply).unwrap();
    let mut values: Vec<String> = message.answers.iter().map(|record| record.data.to_string()).collect();
    values.sort();
    let rcode = match u16::from(message.metadata.response_code) {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        5 => "REFUSED",
        _ => "other",
    };
    values.insert(0, rcode.to_owned());
    values.join(" ")
}

/// Asks over UDP. Datagrams may get lost, so it asks again.
#[track_caller]
pub fn ask(server: SocketAddr, question: &str) -> String {
    shown(&ask_wire(server, question))
}

/// The same, with the reply as it came.
#[track_caller]
pub fn ask_wire(server: SocketAddr, question: &str) -> Vec<u8> {
    let query = query(question);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    for _ in 0..6 {
        socket.send_to(&query, server).unwrap();
        let mut reply = [0; 4096];
        if let Ok(octets) = socket.recv(&mut reply) {
            assert_eq!(reply[..2], query[..2]);
            return reply[..octets].to_vec();
        }
    }
    panic!("{server} does not answer {question}");
}

/// Asks over TCP.
#[track_caller]
pub fn ask_tcp(server: SocketAddr, question: &str) -> String {
    let mut stream = connect(server);
    send(&mut stream, &query(question));
    shown(&receive(&mut stream))
}

/// A connection on which nothing waits for ever.
pub fn connect(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a message with its length before it.
pub fn send(stream: &mut TcpStream, message: &[u8]) {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length, message].concat()).unwrap();
}

/// The next message of a connection.
pub fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).unwrap();
    message
}

/// Status and body of a page.
pub fn get(server: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = connect(server);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// A zone file in which `www` has this address.
pub fn zone(address: &str) -> String {
    format!("$TTL 300\n@ SOA ns hostmaster 1 1h 10m 1w 5m\n@ NS ns\nns A 192.0.2.53\nwww A {address}\n")
}

/// Writes files into a new folder.
pub fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        write(&folder, path, content);
    }
    folder
}

/// Writes a file in place.
pub fn write(folder: &tempfile::TempDir, path: &str, content: &str) {
    let path = folder.path().join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// Writes a file beside another, and renames it over that one.
pub fn replace(folder: &tempfile::TempDir, path: &str, content: &str) {
    let (new, path) = (folder.path().join("new~"), folder.path().join(path));
    std::fs::write(&new, content).unwrap();
    std::fs::rename(new, path).unwrap();
}
