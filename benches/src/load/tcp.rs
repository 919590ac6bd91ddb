//! Questions over TCP: connections that stay open, several questions on the way on each.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use super::window::Window;
use super::{Idle, Plan, Report, TIMEOUT};
use crate::questions::Questions;

/// Room for the longest message with its length ([RFC 1035, section 4.2.2]), so that one always fits.
///
/// [RFC 1035, section 4.2.2]: https://www.rfc-editor.org/rfc/rfc1035#section-4.2.2
const BUFFER_OCTETS: usize = 2 + 65_535;

/// A connection with what was read and not taken, or made and not written.
struct Client<'q> {
    stream: TcpStream,
    window: Window<'q>,
    input: Vec<u8>,
    filled: usize,
    output: Vec<u8>,
}

/// Asks over TCP until the time is over or all questions are asked, then waits for the last answers.
///
/// # Errors
///
/// If a connection cannot be opened or is closed by the server.
pub fn tcp(plan: &Plan, questions: &Questions) -> io::Result<Report> {
    let per_connection = plan.check()?;
    let start = Instant::now();
    let mut clients = Vec::new();
    for number in 0..plan.sockets {
        let stream = TcpStream::connect_timeout(&plan.target, TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let first = questions.len() * usize::from(number) / usize::from(plan.sockets);
        let window = Window::new(questions, plan.check, per_connection, first, start);
        clients.push(Client { stream, window, input: vec![0; BUFFER_OCTETS], filled: 0, output: Vec::new() });
    }

    let start = Instant::now();
    let mut left = if questions.is_empty() { 0 } else { plan.queries_max };
    let mut end = None;
    let mut idle = Idle::new(start);
    loop {
        let now = Instant::now();
        if end.is_none() {
            idle.pass(now);
        }
        if end.is_none() && (left == 0 || now.duration_since(start) >= plan.time) {
            end = Some(now);
        }
        let mut moved = false;
        for client in &mut clients {
            if end.is_none() {
                left -= client.ask(left, now);
            }
            moved |= client.write()?;
            moved |= client.read()?;
            client.window.sweep(now);
        }
        if let Some(end) = end {
            let outstanding = clients.iter().any(|client| client.window.outstanding() > 0);
            if !outstanding || now.duration_since(end) >= TIMEOUT {
                let mut report = Report::default();
                for client in clients {
                    report.add(&client.window.finish());
                }
                return Ok(report.finish(end.duration_since(start), idle.sum));
            }
        }
        if !moved {
            idle.nothing = true;
            thread::yield_now();
        }
    }
}

impl Client<'_> {
    /// Puts as many questions as the window allows behind what is still to be written; returns how many.
    fn ask(&mut self, left: u64, now: Instant) -> u64 {
        let mut asked = 0;
        while asked < left {
            let Some((id, packet)) = self.window.ask(now) else {
                break;
            };
            self.output.extend((packet.len() as u16).to_be_bytes()); // at most 271
            self.output.extend(id.to_be_bytes());
            self.output.extend(&packet[2..]);
            asked += 1;
        }
        asked
    }

    /// Writes what the connection takes; false if that is nothing.
    fn write(&mut self) -> io::Result<bool> {
        if self.output.is_empty() {
            return Ok(false);
        }
        let written = ready(self.stream.write(&self.output))?;
        self.output.drain(..written.unwrap_or(0));
        Ok(written.is_some())
    }

    /// Takes what has come; false if that is nothing.
    fn read(&mut self) -> io::Result<bool> {
        let Some(read) = ready(self.stream.read(&mut self.input[self.filled..]))? else {
            return Ok(false);
        };
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection"));
        }
        self.filled += read;
        let mut rest = &self.input[..self.filled];
        while let Some((length, behind)) = rest.split_first_chunk() {
            let Some((message, behind)) = behind.split_at_checked(usize::from(u16::from_be_bytes(*length)))
            else {
                break;
            };
            self.window.settle(message);
            rest = behind;
        }
        let taken = self.filled - rest.len();
        self.input.copy_within(taken..self.filled, 0);
        self.filled -= taken;
        Ok(true)
    }
}

/// Tells "not now" from failure.
fn ready(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(octets) => Ok(Some(octets)),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Duration;

    use super::*;
    use crate::load::Check;
    use crate::questions::Mixture;
    use crate::zone::ZonePlan;

    /// Answers a connection with its own questions, in pieces, until it is closed.
    fn echo(mut stream: TcpStream) {
        let mut octets = [0; 1000];
        while let Ok(read) = stream.read(&mut octets)
            && read > 0
        {
            for piece in octets[..read].chunks(77) {
                stream.write_all(piece).unwrap();
            }
        }
    }

    #[test]
    fn answers_are_counted_and_checked() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let connections: Vec<_> = (0..2)
                .map(|_| {
                    let stream = listener.accept().unwrap().0;
                    thread::spawn(move || echo(stream))
                })
                .collect();
            for connection in connections {
                connection.join().unwrap();
            }
        });
        let questions = Questions::new(ZonePlan { names: 300 }, Mixture::Hits);
        let time = Duration::from_secs(20);
        let plan = Plan {
            target,
            sockets: 2,
            outstanding: 40,
            time,
            queries_max: 3000,
            check: Check::Question,
            flood: 0,
        };
        let report = tcp(&plan, &questions).unwrap();
        server.join().unwrap();
        // The questions come back as they were: matched by id, and wrong, since they are no answers.
        assert_eq!(
            (report.sent, report.wrong, report.unexpected, report.lost),
            (3000, 3000, 0, 0),
            "{report:?}"
        );
        assert!(report.first_wrong.is_some_and(|reason| reason.contains("QR")));
    }

    #[test]
    fn a_closed_connection_is_an_error() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        let server = thread::spawn(move || drop(listener.accept().unwrap()));
        let questions = Questions::new(ZonePlan { names: 10 }, Mixture::Hits);
        let time = Duration::from_secs(5);
        let plan =
            Plan { target, sockets: 1, outstanding: 1, time, queries_max: 10, check: Check::Full, flood: 0 };
        assert!(tcp(&plan, &questions).is_err());
        server.join().unwrap();
    }
}
