//! The query log: any octets as a request, as its reply, and as what the reader of dnstap says.

use std::net::SocketAddr;
use std::time::Duration;

use dns_backend::Transport;
use dns_backend::log::{Entry, Exchange, LogHub, LogSettings, Replied};
use dns_core::ResponseCode;
use dns_querylog::dnstap::{Dnstap, Encoder};
use dns_querylog::{frames, write_json, write_text};
use prost::Message;

/// Takes the octets through a ring and into all forms: there is one line of each kind, which clients cannot break, and
/// dnstap has the messages whole.
pub fn run(data: &[u8]) {
    let _ = frames::read_control(data);
    let _ = frames::expect_control(frames::Control::Accept, &mut &data[..]);
    let has_reply = data.first().is_some_and(|octet| octet & 1 != 0);
    let rcode = ResponseCode(data.iter().fold(0, |sum, octet| sum ^ u16::from(*octet)));
    let exchange = Exchange {
        now: Duration::from_secs(data.len() as u64),
        transport: Transport::Udp,
        client: SocketAddr::from(([192, 0, 2, 1], 53)),
        listener: data.len(),
        view: std::str::from_utf8(data).ok(),
        rule: None,
        request: data,
        reply: has_reply.then_some(Replied { rcode, message: data }),
    };
    // Every second entry or so lies across the end of the ring.
    let ring_octets = 2 * data.len() + 500;
    let hub = LogHub::new(LogSettings { ring_octets, whole_replies: true, ..LogSettings::default() });
    let mut writer = hub.writer();
    let mut readers = hub.take_readers();
    for _ in 0..3 {
        writer.record(&exchange);
        let mut seen = 0;
        for reader in &mut readers {
            reader.read(|entry| {
                seen += 1;
                let message = data.get(..data.len().min(usize::from(u16::MAX)));
                assert_eq!(Some(entry.request), message, "request");
                assert_eq!(entry.reply.map(|reply| reply.message), message.filter(|_| has_reply), "reply");
                check_lines(entry);
                check_dnstap(entry);
            });
        }
        assert_eq!((seen, hub.dropped()), (1, 0), "the entry is read");
    }
}

fn check_lines(entry: &Entry<'_>) {
    let mut json = Vec::new();
    write_json(entry, &mut json).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(json.iter().position(|octet| *octet == b'\n'), Some(json.len() - 1), "one line");
    let line: serde_json::Value = serde_json::from_slice(&json).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(line["request_octets"], entry.request.len());
    let mut text = Vec::new();
    write_text(entry, &mut text);
    let text = String::from_utf8(text).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(text.find(char::is_control), Some(text.len() - 1), "one line of what prints");
}

fn check_dnstap(entry: &Entry<'_>) {
    let mut octets = Vec::new();
    Encoder::default().write(entry, &mut octets);
    let mut rest = &octets[..];
    let mut next = || {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (frame, after) = after.split_at(u32::from_be_bytes(*length) as usize);
        rest = after;
        Dnstap::decode(frame).unwrap_or_else(|error| panic!("{error}")).message
    };
    assert_eq!(next().and_then(|message| message.query_message).as_deref(), Some(entry.request));
    let reply = next().and_then(|message| message.response_message);
    assert_eq!(reply.as_deref(), entry.reply.map(|reply| reply.message));
    assert!(rest.is_empty(), "nothing follows");
}
