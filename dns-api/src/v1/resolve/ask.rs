//! A question over DNS.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use dns_core::{Name, RecordType};
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::message::{Answer, AnswerError, query};

/// How long an answer may take, over UDP and over TCP.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a server has answered.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub server: SocketAddr,
    pub transport: &'static str,
    pub answer: Answer,
    pub octets: usize,
    pub took: Duration,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(super) enum AskError {
    #[error("{server} has not answered over {transport} within {} s", PATIENCE.as_secs())]
    Silence { server: SocketAddr, transport: &'static str },
    #[error("{server} cannot be asked over {transport}: {error}")]
    Transport { server: SocketAddr, transport: &'static str, error: io::Error },
    #[error("{server}: {error}")]
    Answer { server: SocketAddr, error: AnswerError },
}

/// Asks over UDP, then over TCP if the answer did not fit.
pub(super) async fn ask(listener: SocketAddr, qname: &Name, qtype: RecordType) -> Result<Asked, AskError> {
    let server = reachable(listener);
    let id = getrandom::u32().unwrap_or_default() as u16;
    let query = query(id, qname, qtype);
    let asked = asked(server, "udp", over_udp(server, &query)).await?;
    if asked.answer.is_truncated() {
        self::asked(server, "tcp", over_tcp(server, &query)).await
    } else {
        Ok(asked)
    }
}

async fn asked(
    server: SocketAddr,
    transport: &'static str,
    exchange: impl Future<Output = io::Result<Vec<u8>>>,
) -> Result<Asked, AskError> {
    let begun = Instant::now();
    let octets = timeout(PATIENCE, exchange)
        .await
        .map_err(|_| AskError::Silence { server, transport })?
        .map_err(|error| AskError::Transport { server, transport, error })?;
    let took = begun.elapsed();
    let answer = Answer::parse(&octets).map_err(|error| AskError::Answer { server, error })?;
    Ok(Asked { server, transport, answer, octets: octets.len(), took })
}

async fn over_udp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let any: IpAddr =
        if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    // From then on only what this server sends arrives.
    socket.connect(server).await?;
    socket.send(query).await?;
    let mut octets = vec![0; usize::from(u16::MAX)];
    loop {
        let received = socket.recv(&mut octets).await?;
        if Answer::is_to(&octets[..received], query) {
            octets.truncate(received);
            return Ok(octets);
        }
    }
}

async fn over_tcp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    stream.set_nodelay(true)?;
    // In one segment, as RFC 7766, section 8, asks.
    let mut message = (query.len() as u16).to_be_bytes().to_vec();
    message.extend_from_slice(query);
    stream.write_all(&message).await?;
    let mut octets = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut octets).await?;
    if Answer::is_to(&octets, query) {
        Ok(octets)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "what came back is no answer to the question"))
    }
}

/// A listener on all addresses is asked on the one that is always there.
fn reachable(listener: SocketAddr) -> SocketAddr {
    let address = match listener.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listener.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_on_all_addresses_are_asked_on_loopback() {
        for (listener, server) in
            [("0.0.0.0:53", "127.0.0.1:53"), ("[::]:5353", "[::1]:5353"), ("192.0.2.1:53", "192.0.2.1:53")]
        {
            assert_eq!(reachable(listener.parse().unwrap()), server.parse().unwrap());
        }
    }
}
