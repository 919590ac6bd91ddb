//! dnstap's messages: what `dnstap.proto` of <https://dnstap.info> declares, as far as a name server has something to say.

use std::net::{IpAddr, SocketAddr};

use dns_backend::Transport;
use dns_backend::log::Entry;
use prost::{Enumeration, Message as _};

/// One data frame.
#[derive(Clone, Eq, Hash, PartialEq, prost::Message)]
pub struct Dnstap {
    /// What the server calls itself.
    #[prost(bytes = "vec", optional, tag = "1")]
    pub identity: Option<Vec<u8>>,
    /// Its version.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub version: Option<Vec<u8>>,
    /// What the frame holds; there is one kind only.
    #[prost(enumeration = "Kind", required, tag = "15")]
    pub kind: i32,
    /// What happened.
    #[prost(message, optional, tag = "14")]
    pub message: Option<Message>,
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, Enumeration, Eq, PartialEq)]
#[repr(i32)]
pub enum Kind {
    /// A DNS message.
    Message = 1,
}

/// A DNS message and what is known about it.
#[derive(Clone, Eq, Hash, PartialEq, prost::Message)]
pub struct Message {
    /// Who has sent it to whom.
    #[prost(enumeration = "MessageKind", required, tag = "1")]
    pub kind: i32,
    /// Family of the addresses.
    #[prost(enumeration = "SocketFamily", optional, tag = "2")]
    pub socket_family: Option<i32>,
    /// What carried it.
    #[prost(enumeration = "SocketProtocol", optional, tag = "3")]
    pub socket_protocol: Option<i32>,
    /// The client's address: 4 or 16 octets.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub query_address: Option<Vec<u8>>,
    /// The server's address: 4 or 16 octets.
    #[prost(bytes = "vec", optional, tag = "5")]
    pub response_address: Option<Vec<u8>>,
    /// The client's port.
    #[prost(uint32, optional, tag = "6")]
    pub query_port: Option<u32>,
    /// The server's port.
    #[prost(uint32, optional, tag = "7")]
    pub response_port: Option<u32>,
    /// When the query came: seconds since 1970.
    #[prost(uint64, optional, tag = "8")]
    pub query_time_sec: Option<u64>,
    /// And nanoseconds.
    #[prost(fixed32, optional, tag = "9")]
    pub query_time_nsec: Option<u32>,
    /// The query as on the wire.
    #[prost(bytes = "vec", optional, tag = "10")]
    pub query_message: Option<Vec<u8>>,
    /// When the response went: seconds since 1970.
    #[prost(uint64, optional, tag = "12")]
    pub response_time_sec: Option<u64>,
    /// And nanoseconds.
    #[prost(fixed32, optional, tag = "13")]
    pub response_time_nsec: Option<u32>,
    /// The response as on the wire.
    #[prost(bytes = "vec", optional, tag = "14")]
    pub response_message: Option<Vec<u8>>,
    /// What an operator's rule has done to it.
    #[prost(message, optional, tag = "15")]
    pub policy: Option<Policy>,
}

/// An operator's rule.
#[derive(Clone, Eq, Hash, PartialEq, prost::Message)]
pub struct Policy {
    /// Its name.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub rule: Option<Vec<u8>>,
}

/// Who has sent a message to whom.
#[derive(Clone, Copy, Debug, Enumeration, Eq, PartialEq)]
#[repr(i32)]
pub enum MessageKind {
    /// From a client to an authoritative server.
    AuthQuery = 1,
    /// The other way.
    AuthResponse = 2,
}

/// Family of addresses.
#[derive(Clone, Copy, Debug, Enumeration, Eq, PartialEq)]
#[repr(i32)]
pub enum SocketFamily {
    /// IPv4.
    Inet = 1,
    /// IPv6.
    Inet6 = 2,
}

/// What carries messages.
#[derive(Clone, Copy, Debug, Enumeration, Eq, PartialEq)]
#[repr(i32)]
pub enum SocketProtocol {
    /// Datagrams.
    Udp = 1,
    /// A stream.
    Tcp = 2,
}

/// Turns entries into data frames.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    identity: Option<Vec<u8>>,
    version: Option<Vec<u8>>,
    listeners: Vec<SocketAddr>,
}

impl Encoder {
    /// Tells these with every message; empty texts are left out, and so are addresses that are unspecified.
    pub fn new(identity: &str, version: &str, listeners: Vec<SocketAddr>) -> Self {
        let told = |text: &str| (!text.is_empty()).then(|| text.as_bytes().to_vec());
        Self { identity: told(identity), version: told(version), listeners }
    }

    /// Appends a frame for the query and, if there was a reply that has been kept whole, one for the response.
    pub fn write(&self, entry: &Entry<'_>, out: &mut Vec<u8>) {
        let (seconds, nanos) = (Some(entry.time.as_secs()), Some(entry.time.subsec_nanos()));
        let listener = self.listeners.get(usize::from(entry.listener));
        let listener = listener.filter(|listener| {
            // A wildcard's packets may come to any address, and a client of another family shows that it is one.
            !listener.ip().is_unspecified() && listener.is_ipv4() == entry.client.is_ipv4()
        });
        let family = if entry.client.is_ipv4() { SocketFamily::Inet } else { SocketFamily::Inet6 };
        let protocol = match entry.transport {
            Transport::Udp => SocketProtocol::Udp,
            Transport::Tcp => SocketProtocol::Tcp,
        };
        let about = Message {
            kind: MessageKind::AuthQuery.into(),
            socket_family: Some(family.into()),
            socket_protocol: Some(protocol.into()),
            query_address: Some(octets(entry.client.ip())),
            response_address: listener.map(|listener| octets(listener.ip())),
            query_port: Some(entry.client.port().into()),
            response_port: listener.map(|listener| listener.port().into()),
            query_time_sec: seconds,
            query_time_nsec: nanos,
            policy: entry.rule.map(|rule| Policy { rule: Some(rule.as_bytes().to_vec()) }),
            ..Message::default()
        };
        let query = Message { query_message: Some(entry.request.to_vec()), ..about.clone() };
        self.write_frame(query, out);
        let whole = entry.reply.filter(|reply| usize::from(reply.octets) == reply.message.len());
        if let Some(reply) = whole {
            // The question stands in the response; repeating the query would double what is sent.
            let response = Message {
                kind: MessageKind::AuthResponse.into(),
                response_time_sec: seconds,
                response_time_nsec: nanos,
                response_message: Some(reply.message.to_vec()),
                ..about
            };
            self.write_frame(response, out);
        }
    }

    fn write_frame(&self, message: Message, out: &mut Vec<u8>) {
        let dnstap = Dnstap {
            identity: self.identity.clone(),
            version: self.version.clone(),
            kind: Kind::Message.into(),
            message: Some(message),
        };
        out.extend_from_slice(&(dnstap.encoded_len() as u32).to_be_bytes());
        // Fails where the buffer ends only, and this one grows.
        let _ = dnstap.encode(out);
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
