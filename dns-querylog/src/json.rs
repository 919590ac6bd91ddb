//! One JSON object per line.

use std::fmt::Display;
use std::net::IpAddr;

use dns_backend::Transport;
use dns_backend::log::Entry;
use serde::{Serialize, Serializer};

use crate::asked::{Asked, Flags, Header, Rcode};
use crate::time::Rfc3339;

/// The keys of a line, in their order. All are always there; what is not known is `null`.
#[derive(Serialize)]
struct Line<'e> {
    #[serde(serialize_with = "shown")]
    time: Rfc3339,
    transport: &'static str,
    client: IpAddr,
    port: u16,
    listener: u16,
    view: Option<&'e str>,
    id: Option<u16>,
    opcode: Option<u8>,
    name: Option<Shown<crate::asked::Qname<'e>>>,
    class: Option<Shown<dns_core::Class>>,
    #[serde(rename = "type")]
    rtype: Option<Shown<dns_core::RecordType>>,
    #[serde(serialize_with = "labels")]
    flags: Flags,
    edns_octets: Option<u16>,
    request_octets: usize,
    rcode: Option<Shown<Rcode>>,
    reply_flags: Option<Labels>,
    answers: Option<u16>,
    octets: Option<u16>,
    rule: Option<&'e str>,
}

/// Appends an entry as a JSON object and a line feed.
///
/// # Errors
/// None that are known: nothing of an entry cannot be said in JSON. Should one occur, `out` is as it was.
pub fn write_json(entry: &Entry<'_>, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    let asked = Asked::read(entry.request);
    let header = entry.reply.as_ref().map(Header::read);
    let line = Line {
        time: Rfc3339(entry.time),
        transport: transport_label(entry.transport),
        client: entry.client.ip(),
        port: entry.client.port(),
        listener: entry.listener,
        view: entry.view,
        id: asked.id,
        opcode: asked.opcode,
        name: asked.question.map(|question| Shown(question.qname)),
        class: asked.question.map(|question| Shown(question.qclass)),
        rtype: asked.question.map(|question| Shown(question.qtype)),
        flags: asked.flags,
        edns_octets: asked.edns_octets,
        request_octets: entry.request.len(),
        rcode: entry.reply.map(|reply| Shown(Rcode(reply.rcode))),
        reply_flags: header.as_ref().map(|header| Labels(header.flags)),
        answers: header.map(|header| header.answers),
        octets: entry.reply.map(|reply| reply.octets),
        rule: entry.rule,
    };
    let begin = out.len();
    serde_json::to_writer(&mut *out, &line).inspect_err(|_| out.truncate(begin))?;
    out.push(b'\n');
    Ok(())
}

/// What both kinds of lines call a transport.
pub(crate) fn transport_label(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
    }
}

/// Its text as a string.
struct Shown<T>(T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

fn shown<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// The flags that are set, as an array.
struct Labels(Flags);

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        labels(&self.0, serializer)
    }
}

// The signature is serde's.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn labels<S: Serializer>(flags: &Flags, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(flags.labels())
}
