//! As much of HTTP/1.1 as a client needs that sends one request at a time and knows its servers.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// What ends the head of a message.
const HEAD_END: &[u8] = b"\r\n\r\n";
/// No answer that is waited for is longer.
const RESPONSE_OCTETS_MAX: usize = 16 << 20;

/// A way to a server: a connection that is kept as long as the server keeps it.
pub struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    /// What has been received of the answer.
    received: Vec<u8>,
}

/// An answer.
pub struct Response<'c> {
    /// The code.
    pub status: u16,
    /// What comes behind the head.
    pub body: &'c [u8],
}

/// What the head of an answer says.
#[derive(Debug, Eq, PartialEq)]
struct Head {
    octets: usize,
    status: u16,
    body_octets: usize,
    closes: bool,
}

impl Connection {
    /// Connects to a loopback address.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        ensure!(address.ip().is_loopback(), "{address} is no loopback address");
        let mut connection = Self { address, stream: None, received: Vec::new() };
        connection.stream().await?;
        Ok(connection)
    }

    /// Sends a request and waits for the answer.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Response<'_>> {
        self.send(request).await?;
        self.receive().await
    }

    /// Sends a request; [`receive`](Self::receive) is to be called next.
    pub async fn send(&mut self, request: &[u8]) -> Result<()> {
        let stream = self.stream().await?;
        stream.write_all(request).await.context("sending a request")
    }

    /// Waits for the answer to what was sent.
    pub async fn receive(&mut self) -> Result<Response<'_>> {
        let stream = self.stream.as_mut().context("nothing was sent")?;
        self.received.clear();
        let head = loop {
            if let Some(head) = Head::read(&self.received)? {
                break head;
            }
            if stream.read_buf(&mut self.received).await.context("waiting for an answer")? == 0 {
                bail!("the server has closed the connection instead of answering");
            }
        };
        let end = head.octets + head.body_octets;
        ensure!(end <= RESPONSE_OCTETS_MAX, "an answer of {end} octets");
        while self.received.len() < end {
            if stream.read_buf(&mut self.received).await.context("waiting for an answer")? == 0 {
                bail!("the server has closed the connection in the midst of its answer");
            }
        }
        if head.closes {
            self.stream = None;
        }
        Ok(Response { status: head.status, body: &self.received[head.octets..end] })
    }

    async fn stream(&mut self) -> Result<&mut TcpStream> {
        let stream = if let Some(stream) = self.stream.take() {
            stream
        } else {
            let stream = TcpStream::connect(self.address).await;
            let stream = stream.with_context(|| format!("connecting to {}", self.address))?;
            stream.set_nodelay(true)?;
            stream
        };
        Ok(self.stream.insert(stream))
    }
}

impl Head {
    /// Reads the head, if all of it is there.
    fn read(octets: &[u8]) -> Result<Option<Self>> {
        let Some(end) = octets.windows(HEAD_END.len()).position(|window| window == HEAD_END) else {
            ensure!(octets.len() < RESPONSE_OCTETS_MAX, "an answer without end");
            return Ok(None);
        };
        let text = std::str::from_utf8(&octets[..end]).context("an answer that is no text")?;
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
        let status = status.with_context(|| format!("no answer of HTTP/1.1: {text:?}"))?;
        let (mut body_octets, mut closes) = (None, false);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                body_octets = value.trim().parse().ok();
            } else if name.eq_ignore_ascii_case("connection") {
                closes = value.trim().eq_ignore_ascii_case("close");
            }
        }
        if matches!(status, 204 | 304) {
            body_octets = Some(0);
        }
        let body_octets = body_octets.with_context(|| format!("an answer without its length: {text:?}"))?;
        Ok(Some(Self { octets: end + HEAD_END.len(), status, body_octets, closes }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read_when_they_are_whole() {
        let text = b"HTTP/1.1 201 Created\r\ncontent-length: 5\r\nConnection: Close\r\n\r\nhello";
        for octets in 0..text.len() - 5 {
            assert_eq!(Head::read(&text[..octets]).unwrap(), None, "{octets}");
        }
        let whole = Head { octets: text.len() - 5, status: 201, body_octets: 5, closes: true };
        assert_eq!(Head::read(text).unwrap(), Some(whole));
        let empty = Head::read(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap().unwrap();
        assert_eq!((empty.status, empty.body_octets, empty.closes), (204, 0, false));
        for wrong in ["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n", "\r\n\r\n"] {
            assert!(Head::read(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
    }
}
