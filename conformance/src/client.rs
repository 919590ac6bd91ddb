//! A client on plain sockets: one query, one answer.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use dns_core::{Name, RecordType};

use crate::message::{Edns, Response, query};

/// How long one attempt waits for its answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Attempts before a server counts as silent.
const ATTEMPTS: usize = 3;

/// How a query travels.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Transport {
    /// UDP with EDNS and a payload size of 1232 octets.
    UdpEdns,
    /// UDP without EDNS: 512 octets.
    UdpPlain,
    /// TCP with EDNS.
    Tcp,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::UdpEdns, Self::UdpPlain, Self::Tcp];

    /// The EDNS of a query on this way; DO needs EDNS.
    pub fn edns(self, dnssec_ok: bool) -> Option<Edns> {
        (self != Self::UdpPlain).then_some(Edns { payload_octets: 1232, dnssec_ok })
    }
}

/// Asks one server over and over; TCP keeps its connection.
pub struct Client {
    server: SocketAddr,
    udp: UdpSocket,
    tcp: Option<TcpStream>,
    id: u16,
    recursive: bool,
}

impl Client {
    /// A client of the server at this loopback address.
    pub fn new(server: SocketAddr) -> Result<Self> {
        ensure!(server.ip().is_loopback(), "{server} is not on loopback");
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("binding a client socket")?;
        Ok(Self { server, udp, tcp: None, id: 0, recursive: false })
    }

    /// A client of a resolver: its queries have RD set.
    pub fn recursive(server: SocketAddr) -> Result<Self> {
        Ok(Self { recursive: true, ..Self::new(server)? })
    }

    /// Asks and waits for the answer, a few times if need be.
    pub fn ask(
        &mut self,
        qname: &Name,
        qtype: RecordType,
        transport: Transport,
        dnssec_ok: bool,
    ) -> Result<Response> {
        let mut problem = None;
        for _ in 0..ATTEMPTS {
            match self.ask_once(qname, qtype, transport, dnssec_ok, PATIENCE) {
                Ok(response) => return Ok(response),
                Err(error) => {
                    self.tcp = None;
                    problem = Some(error);
                }
            }
        }
        let what = format!("{qname} {qtype} at {} over {transport:?}", self.server);
        Err(problem.unwrap_or_else(|| anyhow::anyhow!("never asked"))).context(what)
    }

    /// One attempt that waits no longer than `patience`.
    pub fn ask_once(
        &mut self,
        qname: &Name,
        qtype: RecordType,
        transport: Transport,
        dnssec_ok: bool,
        patience: Duration,
    ) -> Result<Response> {
        self.id = self.id.wrapping_add(1);
        let mut message = query(self.id, qname, qtype, transport.edns(dnssec_ok));
        message[2] |= u8::from(self.recursive);
        let response = if transport == Transport::Tcp {
            Response::parse(&self.exchange_tcp(&message, patience)?)?
        } else {
            self.exchange_udp(&message, patience)?
        };
        ensure!(response.id == self.id, "answer to another query");
        if let Some((name, rtype)) = &response.question {
            ensure!(name == qname && *rtype == qtype, "the question came back as {name} {rtype}");
        }
        ensure!(response.edns == transport.edns(dnssec_ok).is_some(), "OPT only answers OPT");
        if let (Some(edns), true) = (transport.edns(dnssec_ok), transport != Transport::Tcp) {
            ensure!(
                response.octets <= usize::from(edns.payload_octets),
                "answer of {} octets",
                response.octets
            );
        } else if transport == Transport::UdpPlain {
            ensure!(response.octets <= 512, "answer of {} octets", response.octets);
        }
        Ok(response)
    }

    fn exchange_udp(&mut self, message: &[u8], patience: Duration) -> Result<Response> {
        self.udp.set_read_timeout(Some(patience))?;
        self.udp.send_to(message, self.server)?;
        let mut buffer = vec![0u8; 65_535];
        loop {
            let (octets, from) = self.udp.recv_from(&mut buffer).context("no answer over UDP")?;
            // A late answer to an earlier attempt is not ours.
            if from == self.server && buffer.get(..2) == Some(&self.id.to_be_bytes()) {
                return Response::parse(&buffer[..octets]);
            }
        }
    }

    fn exchange_tcp(&mut self, message: &[u8], patience: Duration) -> Result<Vec<u8>> {
        if let Some(stream) = &mut self.tcp {
            match exchange(stream, message) {
                Ok(answer) => return Ok(answer),
                // Servers close connections that have carried enough queries.
                Err(error)
                    if error.kind() == ErrorKind::TimedOut || error.kind() == ErrorKind::WouldBlock =>
                {
                    bail!("no answer over TCP");
                }
                Err(_) => self.tcp = None,
            }
        }
        let mut stream = TcpStream::connect_timeout(&self.server, patience).context("connecting")?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        let answer = exchange(&mut stream, message).context("no answer over TCP")?;
        self.tcp = Some(stream);
        Ok(answer)
    }
}

fn exchange(stream: &mut TcpStream, message: &[u8]) -> std::io::Result<Vec<u8>> {
    let framed = [&(message.len() as u16).to_be_bytes(), message].concat();
    stream.write_all(&framed)?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer)?;
    Ok(answer)
}
