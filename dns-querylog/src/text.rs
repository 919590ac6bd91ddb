//! One line per query for people.

use std::fmt::{self, Write};

use dns_backend::log::Entry;

use crate::asked::{Asked, Header, Rcode};
use crate::json::transport_label;
use crate::time::Rfc3339;

/// Appends an entry as one line, such as
/// `2026-03-01T12:00:00.000000Z udp 192.0.2.1#5353 view "default": www.example.org. IN A rd do edns 1232 -> noerror aa,
/// answers 1, octets 60`.
pub fn write_text(entry: &Entry<'_>, out: &mut Vec<u8>) {
    let mut line = String::with_capacity(LINE_OCTETS);
    // Strings take whatever is written to them.
    let _ = write_line(entry, &mut line);
    line.push('\n');
    out.extend_from_slice(line.as_bytes());
}

fn write_line(entry: &Entry<'_>, line: &mut String) -> fmt::Result {
    let (time, client) = (Rfc3339(entry.time), entry.client);
    write!(line, "{time} {} {}#{}", transport_label(entry.transport), client.ip(), client.port())?;
    if let Some(view) = entry.view {
        // Quoted as in Rust, so that nothing but a quote ends it.
        write!(line, " view {view:?}")?;
    }
    let asked = Asked::read(entry.request);
    line.push(':');
    match asked.opcode {
        None | Some(0) => {}
        Some(opcode) => write!(line, " opcode {opcode}")?,
    }
    match asked.question {
        Some(question) => write!(line, " {} {} {}", question.qname, question.qclass, question.qtype)?,
        None => line.push_str(" no question"),
    }
    for flag in asked.flags.labels() {
        write!(line, " {flag}")?;
    }
    if let Some(octets) = asked.edns_octets {
        write!(line, " edns {octets}")?;
    }
    match &entry.reply {
        Some(reply) => {
            let header = Header::read(reply);
            write!(line, " -> {}", Rcode(reply.rcode))?;
            for flag in header.flags.labels() {
                write!(line, " {flag}")?;
            }
            write!(line, ", answers {}, octets {}", header.answers, reply.octets)?;
        }
        None => line.push_str(" -> no reply"),
    }
    if let Some(rule) = entry.rule {
        write!(line, ", rule {rule:?}")?;
    }
    Ok(())
}

/// Room for most lines.
const LINE_OCTETS: usize = 256;
