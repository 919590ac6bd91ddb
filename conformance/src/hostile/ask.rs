//! One question over TCP from a chosen address, and cookies as clients use them.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use socket2::{Domain, Socket, Type};

use super::zone::Question;
use crate::message::{Edns, Response, query};

/// Code of the COOKIE option ([RFC 7873, section 4](https://www.rfc-editor.org/rfc/rfc7873#section-4)).
const COOKIE: u16 = 10;
/// Octets of a client's part.
const CLIENT_OCTETS: usize = 8;

/// What a client remembers of a server's cookies.
#[derive(Clone, Debug)]
pub struct CookieJar {
    client: [u8; CLIENT_OCTETS],
    server: Vec<u8>,
}

impl CookieJar {
    /// With this client cookie, and none of the server yet.
    pub fn new(client: u64) -> Self {
        Self { client: client.to_be_bytes(), server: Vec::new() }
    }

    /// Whether the server has given one.
    pub fn is_filled(&self) -> bool {
        !self.server.is_empty()
    }

    /// Remembers the cookie of a response. One that does not echo our part is somebody else's.
    ///
    /// # Errors
    /// The option is malformed or has another client cookie.
    pub fn learn(&mut self, response: &Response) -> Result<()> {
        let Some((_, cookie)) = response.options.iter().find(|(code, _)| *code == COOKIE) else {
            return Ok(());
        };
        let Some(server) = cookie.strip_prefix(&self.client) else {
            anyhow::bail!("a cookie for somebody else");
        };
        ensure!((8..=32).contains(&server.len()), "a server cookie of {} octets", server.len());
        server.clone_into(&mut self.server);
        Ok(())
    }
}

/// The packet of a question, with a payload size of 1232 octets.
pub fn packet(id: u16, question: &Question, jar: Option<&CookieJar>) -> Vec<u8> {
    let edns = Edns { payload_octets: 1232, dnssec_ok: false };
    let mut packet = query(id, &question.qname, question.qtype, Some(edns));
    if let Some(jar) = jar {
        let octets = (CLIENT_OCTETS + jar.server.len()) as u16; // at most 40
        // The OPT record is the last, and without options its length is the last of it.
        packet.truncate(packet.len() - 2);
        packet.extend((octets + 4).to_be_bytes());
        packet.extend(COOKIE.to_be_bytes());
        packet.extend(octets.to_be_bytes());
        packet.extend(jar.client);
        packet.extend(&jar.server);
    }
    packet
}

/// Asks over a connection of its own, and takes the right answer only. All of it takes so long at most.
///
/// # Errors
/// There is no connection, no answer, or a wrong one.
pub fn over_tcp(
    source: Ipv4Addr,
    server: SocketAddrV4,
    question: &Question,
    patience: Duration,
) -> Result<()> {
    let begin = Instant::now();
    let mut stream = connect(source, server, patience)?;
    // A time-out of zero is none at all.
    let left = patience.saturating_sub(begin.elapsed()).max(Duration::from_millis(1));
    stream.set_read_timeout(Some(left))?;
    stream.set_write_timeout(Some(left))?;
    let packet = packet(0x5443, question, None);
    let length = (packet.len() as u16).to_be_bytes(); // at most 300
    stream.write_all(&[&length[..], &packet].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut reply = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut reply)?;
    let response = Response::parse(&reply)?;
    ensure!(response.id == 0x5443, "another id");
    question.check(&response)
}

fn connect(source: Ipv4Addr, server: SocketAddrV4, patience: Duration) -> Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((source, 0)).into())?;
    socket.connect_timeout(&SocketAddr::from(server).into(), patience)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_learnt_and_returned() {
        let question = Question::of(1);
        let mut jar = CookieJar::new(0x0102_0304_0506_0708);
        let mut reply = packet(1, &question, Some(&jar));
        assert!(reply.ends_with(b"\0\x0c\0\x0a\0\x08\x01\x02\x03\x04\x05\x06\x07\x08"));
        reply[2] = 0x80;
        assert!(jar.learn(&Response::parse(&reply).unwrap()).is_err(), "no server's part");
        let end = reply.len();
        reply[end - 13..end - 8].copy_from_slice(b"\x14\0\x0a\0\x10");
        reply.extend(b"servers!");
        jar.learn(&Response::parse(&reply).unwrap()).unwrap();
        assert!(jar.is_filled());
        assert!(packet(2, &question, Some(&jar)).ends_with(b"\x01\x02\x03\x04\x05\x06\x07\x08servers!"));
        let mut other = CookieJar::new(9);
        assert!(other.learn(&Response::parse(&reply).unwrap()).is_err());
        assert!(!other.is_filled());
    }
}
