//! Legitimate clients: stub resolvers that ask a little, check what they get, and try once more after a second.

use std::collections::{HashMap, VecDeque};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use dns_core::ResponseCode;
use serde::Serialize;

use super::ask::{CookieJar, over_tcp, packet};
use super::zone::Question;
use crate::message::Response;

/// Clients over UDP, each with an address of its own.
const UDP_CLIENTS: u8 = 8;
/// Clients over TCP.
const TCP_CLIENTS: u64 = 4;
/// How long a question over TCP may take.
const TCP_PATIENCE: Duration = Duration::from_secs(2);
/// Between two connections.
const TCP_INTERVAL: Duration = Duration::from_millis(25);
/// How long a stub resolver waits before it asks again, and before it gives up.
const PATIENCE: Duration = Duration::from_secs(1);
/// The longest that a question can be on its way, both tries together: an attack goes on for so long after the last question, so
/// that no answer is owed to its end.
pub const UDP_TAIL: Duration = PATIENCE.saturating_mul(2);
/// The same over TCP.
pub const TCP_TAIL: Duration = TCP_PATIENCE.saturating_mul(2);
/// How often sockets are looked at, which is also how exact latencies are.
const POLL: Duration = Duration::from_micros(500);
/// BADCOOKIE ([RFC 7873, section 8](https://www.rfc-editor.org/rfc/rfc7873#section-8)).
const BAD_COOKIE: ResponseCode = ResponseCode(23);
/// Questions that are sent together after a pause, at most.
const BURST: u32 = 16;

/// What clients got.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Tally {
    /// Questions asked.
    pub asked: u64,
    /// Answered rightly at the first try.
    pub first: u64,
    /// Answered rightly at the first or second try, or over TCP after TC or two BADCOOKIEs.
    pub answered: u64,
    /// Of those, over TCP.
    pub by_tcp: u64,
    /// Answers that were wrong. They count as none.
    pub wrong: u64,
    /// What went wrong first: a wrong answer, or a connection that failed.
    pub first_failure: Option<String>,
    /// Half of the first answers came within this.
    pub median_millis: f64,
    /// 99 of 100 first answers came within this.
    pub p99_millis: f64,
    /// Clients that the server gave a cookie, if they used any.
    pub with_cookie: Option<u64>,
}

impl Tally {
    /// Answered at the first try, in percent.
    pub fn first_percent(&self) -> f64 {
        percent(self.first, self.asked)
    }

    /// Answered in the end, in percent.
    pub fn answered_percent(&self) -> f64 {
        percent(self.answered, self.asked)
    }

    fn note_wrong(&mut self, reason: String) {
        self.wrong += 1;
        self.first_failure.get_or_insert(reason);
    }

    fn note_latencies(&mut self, mut millis: Vec<f64>) {
        millis.sort_by(f64::total_cmp);
        let at = |share: f64| {
            let index = (millis.len() as f64 * share) as usize;
            millis.get(index.min(millis.len().saturating_sub(1))).copied().unwrap_or(0.0)
        };
        (self.median_millis, self.p99_millis) = (at(0.5), at(0.99));
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 100.0 } else { part as f64 * 100.0 / whole as f64 }
}

/// A client over UDP: its socket and what it remembers.
struct Client {
    source: Ipv4Addr,
    socket: UdpSocket,
    jar: Option<CookieJar>,
    next_id: u16,
    waiting: HashMap<u16, Waiting>,
}

/// A question without an answer yet.
struct Waiting {
    question: Question,
    sent: Instant,
    is_retry: bool,
    /// BADCOOKIE came once already.
    had_bad_cookie: bool,
}

/// Asks over UDP, so many questions per second in all, until then; waits for the last answers.
///
/// # Errors
/// Sockets cannot be had.
pub fn over_udp(server: SocketAddrV4, rate: u32, cookies: bool, until: Instant) -> Result<Tally> {
    ensure!(server.ip().is_loopback(), "{server} is not on loopback");
    let mut clients =
        (0..UDP_CLIENTS).map(|number| Client::new(number, server, cookies)).collect::<Result<Vec<_>>>()?;
    let (truncated, questions) = mpsc::channel::<(Ipv4Addr, Question)>();
    let mut tally = Tally::default();
    let by_tcp = thread::scope(|scope| {
        let fallback = scope.spawn(move || {
            let asked = questions.iter();
            asked.filter(|(source, question)| over_tcp(*source, server, question, PATIENCE).is_ok()).count()
                as u64
        });
        converse(&mut clients, rate, until, &mut tally, &truncated);
        drop(truncated);
        fallback.join().unwrap_or(0)
    });
    tally.by_tcp = by_tcp;
    tally.answered += by_tcp;
    if cookies {
        let filled = clients.iter().filter(|client| client.jar.as_ref().is_some_and(CookieJar::is_filled));
        tally.with_cookie = Some(filled.count() as u64);
    }
    Ok(tally)
}

/// Sends what is due, takes what has come, and gives up what took too long.
fn converse(
    clients: &mut [Client],
    rate: u32,
    until: Instant,
    tally: &mut Tally,
    truncated: &mpsc::Sender<(Ipv4Addr, Question)>,
) {
    let mut millis = Vec::new();
    let mut order: VecDeque<(Instant, usize, u16)> = VecDeque::new();
    let interval = Duration::from_secs(1) / rate.max(1);
    let mut due = Instant::now();
    loop {
        let stopping = Instant::now() >= until;
        for _ in 0..BURST {
            if stopping || due > Instant::now() {
                break;
            }
            let number = (tally.asked % clients.len() as u64) as usize;
            let id = clients[number].ask(Question::of(tally.asked), false);
            order.push_back((Instant::now() + PATIENCE, number, id));
            tally.asked += 1;
            due += interval;
        }
        for client in &mut *clients {
            client.receive(tally, &mut millis, truncated);
        }
        // After the sockets were read: what has come in time counts, however late we look.
        while order.front().is_some_and(|(deadline, ..)| *deadline <= Instant::now()) {
            let Some((_, number, id)) = order.pop_front() else { break };
            if let Some(waiting) = clients[number].waiting.remove(&id)
                && !waiting.is_retry
            {
                let id = clients[number].ask(waiting.question, true);
                order.push_back((Instant::now() + PATIENCE, number, id));
            }
        }
        if stopping && clients.iter().all(|client| client.waiting.is_empty()) {
            break;
        }
        thread::sleep(POLL);
    }
    tally.note_latencies(millis);
}

impl Client {
    fn new(number: u8, server: SocketAddrV4, cookies: bool) -> Result<Self> {
        let source = Ipv4Addr::new(127, 200, number, 1);
        let socket = UdpSocket::bind((source, 0))?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        let jar = cookies.then(|| CookieJar::new(0x6a61_7200 + u64::from(number)));
        Ok(Self { source, socket, jar, next_id: u16::from(number) << 12, waiting: HashMap::new() })
    }

    fn ask(&mut self, question: Question, is_retry: bool) -> u16 {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        // What cannot be sent is as good as lost, and tried again as such.
        let _ = self.socket.send(&packet(id, &question, self.jar.as_ref()));
        let waiting = Waiting { question, sent: Instant::now(), is_retry, had_bad_cookie: false };
        self.waiting.insert(id, waiting);
        id
    }

    fn receive(
        &mut self,
        tally: &mut Tally,
        millis: &mut Vec<f64>,
        truncated: &mpsc::Sender<(Ipv4Addr, Question)>,
    ) {
        let mut octets = [0; 4096];
        loop {
            let length = match self.socket.recv(&mut octets) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // The server is gone, or the kernel says so: the questions time out by themselves.
                Err(_) => return,
            };
            let response = match Response::parse(&octets[..length]) {
                Ok(response) => response,
                Err(error) => {
                    tally.note_wrong(format!("{error:#}"));
                    continue;
                }
            };
            // Too late, or for a question that was answered already.
            let Some(mut waiting) = self.waiting.remove(&response.id) else { continue };
            if let Some(jar) = &mut self.jar
                && let Err(error) = jar.learn(&response)
            {
                tally.note_wrong(format!("{error:#}"));
                continue;
            }
            if response.rcode == BAD_COOKIE && self.jar.is_some() && !waiting.had_bad_cookie {
                let _ = self.socket.send(&packet(response.id, &waiting.question, self.jar.as_ref()));
                waiting.had_bad_cookie = true;
                self.waiting.insert(response.id, waiting);
            } else if response.truncated || response.rcode == BAD_COOKIE {
                // The second BADCOOKIE means TCP as well (RFC 7873, section 5.3).
                // Nobody is there to take it only once the run is over.
                let _ = truncated.send((self.source, waiting.question));
            } else if let Err(error) = waiting.question.check(&response) {
                tally.note_wrong(format!("{error:#}"));
            } else {
                tally.answered += 1;
                if !waiting.is_retry {
                    tally.first += 1;
                    millis.push(waiting.sent.elapsed().as_secs_f64() * 1000.0);
                }
            }
        }
    }
}

/// Asks over TCP, a connection per question, until then. Questions come at their times, whether those before them
/// have been answered or not: a server that keeps its clients waiting is not asked less.
pub fn clients_over_tcp(server: SocketAddrV4, until: Instant) -> Tally {
    let mut tally = Tally::default();
    let mut millis = Vec::new();
    let (sender, results) = mpsc::channel();
    thread::scope(|scope| {
        while Instant::now() < until {
            let source = Ipv4Addr::new(127, 201, (tally.asked % TCP_CLIENTS) as u8, 1);
            let question = Question::of(tally.asked);
            let sender = sender.clone();
            tally.asked += 1;
            scope.spawn(move || {
                // Received until all senders are gone.
                let _ = sender.send(ask_twice(source, server, &question));
            });
            thread::sleep(TCP_INTERVAL);
        }
        drop(sender);
        for result in results {
            match result {
                TcpResult::First(latency) => {
                    tally.first += 1;
                    tally.answered += 1;
                    millis.push(latency);
                }
                TcpResult::Second(failure) => {
                    tally.answered += 1;
                    tally.first_failure.get_or_insert(failure);
                }
                TcpResult::Never(failure) => {
                    tally.first_failure.get_or_insert(failure);
                }
            }
        }
    });
    tally.note_latencies(millis);
    tally
}

/// When a question over TCP was answered, and why not earlier.
enum TcpResult {
    /// At the first try, after so many milliseconds.
    First(f64),
    Second(String),
    Never(String),
}

fn ask_twice(source: Ipv4Addr, server: SocketAddrV4, question: &Question) -> TcpResult {
    let begin = Instant::now();
    let Err(failure) = over_tcp(source, server, question, TCP_PATIENCE) else {
        return TcpResult::First(begin.elapsed().as_secs_f64() * 1000.0);
    };
    let failure = format!("{failure:#}");
    thread::sleep(PATIENCE.saturating_sub(begin.elapsed()));
    match over_tcp(source, server, question, TCP_PATIENCE) {
        Ok(()) => TcpResult::Second(failure),
        Err(_) => TcpResult::Never(failure),
    }
}
