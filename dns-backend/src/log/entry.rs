//! How one exchange lies in a ring: a head of fixed size, the names of view and rule, the request, the reply.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use dns_core::ResponseCode;

use crate::packets::Transport;

/// One query and what became of it, lent by the worker that has just answered.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// Since 1970; the batch's time is good enough.
    pub now: Duration,
    /// What carried the query.
    pub transport: Transport,
    /// Who asked.
    pub client: SocketAddr,
    /// The datapath's number of the listener at which the query came in; numbers past 65,535 are logged as that.
    pub listener: usize,
    /// Name of the view that was asked, if any; its first 255 octets are kept.
    pub view: Option<&'a str>,
    /// Name of the rule that decided the answer, if any; its first 255 octets are kept.
    pub rule: Option<&'a str>,
    /// The message as it came; its first 65,535 octets are kept.
    pub request: &'a [u8],
    /// What is sent; `None` if nothing is.
    pub reply: Option<Replied<'a>>,
}

/// A reply that is about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Replied<'a> {
    /// With the upper bits that stand in the OPT record.
    pub rcode: ResponseCode,
    /// The whole message.
    pub message: &'a [u8],
}

/// An [`Exchange`] as it comes out of the ring.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry<'e> {
    /// Since 1970.
    pub time: Duration,
    /// What carried the query.
    pub transport: Transport,
    /// Who asked.
    pub client: SocketAddr,
    /// The datapath's number of the listener.
    pub listener: u16,
    /// Name of the view that was asked.
    pub view: Option<&'e str>,
    /// Name of the rule that decided the answer.
    pub rule: Option<&'e str>,
    /// The message as it came.
    pub request: &'e [u8],
    /// What was sent; `None` if nothing was.
    pub reply: Option<LoggedReply<'e>>,
}

/// What is known of a reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LoggedReply<'e> {
    /// With the upper bits that stand in the OPT record.
    pub rcode: ResponseCode,
    /// How long the message was.
    pub octets: u16,
    /// The message, or as much of its beginning as the settings ask for; at least the header of what has one.
    pub message: &'e [u8],
}

/// The fixed part of an entry. Numbers lie in the order of the machine: they never leave it.
#[derive(Clone, Copy)]
pub(super) struct Head {
    seconds: u64,
    nanos: u32,
    address: [u8; 16],
    port: u16,
    listener: u16,
    rcode: u16,
    reply_octets: u16,
    reply_kept: u16,
    request_octets: u16,
    view_octets: u8,
    rule_octets: u8,
    flags: u8,
}

/// Octets of a [`Head`] in the ring.
pub(super) const HEAD_OCTETS: usize = 43;

const STREAM: u8 = 1;
const IPV4: u8 = 1 << 1;
const REPLY: u8 = 1 << 2;
const VIEW: u8 = 1 << 3;
const RULE: u8 = 1 << 4;

impl Head {
    /// Octets of the whole entry.
    pub(super) fn octets(&self) -> usize {
        HEAD_OCTETS
            + usize::from(self.view_octets)
            + usize::from(self.rule_octets)
            + usize::from(self.request_octets)
            + usize::from(self.reply_kept)
    }

    #[inline]
    fn encode(&self) -> [u8; HEAD_OCTETS] {
        let mut octets = [0; HEAD_OCTETS];
        octets[..8].copy_from_slice(&self.seconds.to_ne_bytes());
        octets[8..12].copy_from_slice(&self.nanos.to_ne_bytes());
        octets[12..28].copy_from_slice(&self.address);
        octets[28..30].copy_from_slice(&self.port.to_ne_bytes());
        octets[30..32].copy_from_slice(&self.listener.to_ne_bytes());
        octets[32..34].copy_from_slice(&self.rcode.to_ne_bytes());
        octets[34..36].copy_from_slice(&self.reply_octets.to_ne_bytes());
        octets[36..38].copy_from_slice(&self.reply_kept.to_ne_bytes());
        octets[38..40].copy_from_slice(&self.request_octets.to_ne_bytes());
        octets[40..].copy_from_slice(&[self.view_octets, self.rule_octets, self.flags]);
        octets
    }

    pub(super) fn decode(octets: &[u8; HEAD_OCTETS]) -> Self {
        let short = |at: usize| u16::from_ne_bytes([octets[at], octets[at + 1]]);
        let mut seconds = [0; 8];
        seconds.copy_from_slice(&octets[..8]);
        let mut nanos = [0; 4];
        nanos.copy_from_slice(&octets[8..12]);
        let mut address = [0; 16];
        address.copy_from_slice(&octets[12..28]);
        Self {
            seconds: u64::from_ne_bytes(seconds),
            nanos: u32::from_ne_bytes(nanos),
            address,
            port: short(28),
            listener: short(30),
            rcode: short(32),
            reply_octets: short(34),
            reply_kept: short(36),
            request_octets: short(38),
            view_octets: octets[40],
            rule_octets: octets[41],
            flags: octets[42],
        }
    }

    fn client(&self) -> SocketAddr {
        let address = Ipv6Addr::from(self.address);
        let address = match address.to_ipv4_mapped() {
            Some(address) if self.flags & IPV4 != 0 => IpAddr::V4(address),
            _ => IpAddr::V6(address),
        };
        SocketAddr::new(address, self.port)
    }
}

/// What is going to be written of an exchange.
pub(super) struct Layout<'a> {
    head: Head,
    view: &'a [u8],
    rule: &'a [u8],
    request: &'a [u8],
    reply: &'a [u8],
}

impl<'a> Layout<'a> {
    #[inline]
    pub(super) fn of(exchange: &Exchange<'a>, reply_octets_max: usize) -> Self {
        let view = beginning(exchange.view);
        let rule = beginning(exchange.rule);
        let request = &exchange.request[..exchange.request.len().min(MESSAGE_OCTETS_MAX)];
        let message = exchange.reply.map_or(&[][..], |reply| reply.message);
        let message = &message[..message.len().min(MESSAGE_OCTETS_MAX)];
        let reply = &message[..message.len().min(reply_octets_max)];
        let (address, family) = match exchange.client.ip() {
            IpAddr::V4(address) => (address.to_ipv6_mapped(), IPV4),
            IpAddr::V6(address) => (address, 0),
        };
        let set = |condition: bool, flag: u8| if condition { flag } else { 0 };
        let head = Head {
            seconds: exchange.now.as_secs(),
            nanos: exchange.now.subsec_nanos(),
            address: address.octets(),
            port: exchange.client.port(),
            listener: u16::try_from(exchange.listener).unwrap_or(u16::MAX),
            rcode: exchange.reply.map_or(0, |reply| reply.rcode.0),
            reply_octets: message.len() as u16,
            reply_kept: reply.len() as u16,
            request_octets: request.len() as u16,
            view_octets: view.len() as u8,
            rule_octets: rule.len() as u8,
            flags: family
                | set(exchange.transport == Transport::Tcp, STREAM)
                | set(exchange.reply.is_some(), REPLY)
                | set(exchange.view.is_some(), VIEW)
                | set(exchange.rule.is_some(), RULE),
        };
        Self { head, view, rule, request, reply }
    }

    #[inline]
    pub(super) fn octets(&self) -> usize {
        self.head.octets()
    }

    /// Calls `put` with [`octets`](Self::octets) octets, in pieces.
    #[inline]
    pub(super) fn write(&self, mut put: impl FnMut(&[u8])) {
        put(&self.head.encode());
        for part in [self.view, self.rule, self.request, self.reply] {
            if !part.is_empty() {
                put(part);
            }
        }
    }
}

/// Most octets of a message: what the length before a message on a stream can say.
const MESSAGE_OCTETS_MAX: usize = u16::MAX as usize;
/// Most octets that are kept of a name of the configuration.
const LABEL_OCTETS_MAX: usize = u8::MAX as usize;

/// The text, or as many characters of its beginning as fit.
#[inline]
fn beginning(text: Option<&str>) -> &[u8] {
    let text = text.unwrap_or_default();
    if text.len() <= LABEL_OCTETS_MAX {
        return text.as_bytes();
    }
    &text.as_bytes()[..text.floor_char_boundary(LABEL_OCTETS_MAX)]
}

impl<'e> Entry<'e> {
    /// Reads what [`Layout::write`] has written; `None` for anything else.
    pub(super) fn read(octets: &'e [u8]) -> Option<Self> {
        let (head, rest) = octets.split_first_chunk::<HEAD_OCTETS>()?;
        let head = Head::decode(head);
        let (view, rest) = rest.split_at_checked(usize::from(head.view_octets))?;
        let (rule, rest) = rest.split_at_checked(usize::from(head.rule_octets))?;
        let (request, rest) = rest.split_at_checked(usize::from(head.request_octets))?;
        let (message, rest) = rest.split_at_checked(usize::from(head.reply_kept))?;
        if !rest.is_empty() {
            return None;
        }
        let has = |flag: u8| head.flags & flag != 0;
        let text = |octets, flag| if has(flag) { std::str::from_utf8(octets).ok() } else { None };
        let (rcode, octets) = (ResponseCode(head.rcode), head.reply_octets);
        Some(Self {
            time: Duration::new(head.seconds, head.nanos.min(999_999_999)),
            transport: if has(STREAM) { Transport::Tcp } else { Transport::Udp },
            client: head.client(),
            listener: head.listener,
            view: text(view, VIEW),
            rule: text(rule, RULE),
            request,
            reply: has(REPLY).then_some(LoggedReply { rcode, octets, message }),
        })
    }
}
