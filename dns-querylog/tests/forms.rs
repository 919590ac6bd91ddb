//! Lines as they are written.

mod support;

use std::time::Duration;

use dns_backend::Transport;
use dns_backend::log::{Entry, LoggedReply};
use dns_core::ResponseCode;
use dns_core::name::wire_from_text;
use dns_querylog::{write_json, write_text};
use proptest::prelude::*;
use serde_json::{Value, json};

use support::{WWW, header, query, reply};

fn entry<'e>(request: &'e [u8], reply: impl Into<Option<LoggedReply<'e>>>) -> Entry<'e> {
    Entry {
        time: Duration::new(1_700_000_000, 123_456_789),
        transport: Transport::Udp,
        client: "192.0.2.1:5353".parse().unwrap(),
        listener: 1,
        view: Some("default"),
        rule: None,
        request,
        reply: reply.into(),
    }
}

fn logged(rcode: u16, message: &[u8]) -> LoggedReply<'_> {
    // A log of lines gets the header only.
    let octets = message.len() as u16;
    LoggedReply { rcode: ResponseCode(rcode), octets, message: &message[..message.len().min(12)] }
}

#[track_caller]
fn json_of(entry: &Entry<'_>) -> Value {
    let mut line = Vec::new();
    write_json(entry, &mut line).unwrap();
    let text = line.strip_suffix(b"\n").unwrap();
    assert!(!text.contains(&b'\n'));
    serde_json::from_slice(text).unwrap()
}

#[track_caller]
fn text_of(entry: &Entry<'_>) -> String {
    let mut line = Vec::new();
    write_text(entry, &mut line);
    let line = String::from_utf8(line).unwrap();
    let text = line.strip_suffix('\n').unwrap();
    assert!(!text.contains(char::is_control), "{text:?}");
    text.to_owned()
}

/// With OPT: 1232 octets, DO.
fn edns_query() -> Vec<u8> {
    let mut message = query(7, b"\x03WwW\x07example\x03org\0");
    message[3] |= 0x30;
    message[11] = 1;
    message.extend_from_slice(b"\0\0\x29\x04\xd0\0\0\x80\0\0\0");
    message
}

#[test]
fn an_answer_as_json() {
    let request = edns_query();
    let reply = reply(&query(7, WWW));
    let mut entry = entry(&request, logged(0, &reply));
    entry.rule = Some("pin \"www\"");
    let expected = json!({
        "time": "2023-11-14T22:13:20.123456Z",
        "transport": "udp",
        "client": "192.0.2.1",
        "port": 5353,
        "listener": 1,
        "view": "default",
        "id": 7,
        "opcode": 0,
        "name": "WwW.example.org.",
        "class": "IN",
        "type": "A",
        "flags": ["rd", "ad", "cd", "do"],
        "edns_octets": 1232,
        "request_octets": 44,
        "rcode": "noerror",
        "reply_flags": ["aa"],
        "answers": 1,
        "octets": 49,
        "rule": "pin \"www\"",
    });
    assert_eq!(json_of(&entry), expected);
}

#[test]
fn what_is_not_known_is_null_in_json() {
    let line = json_of(&Entry { view: None, ..entry(b"\x01", None) });
    for key in
        ["view", "id", "opcode", "name", "class", "type", "edns_octets", "rcode", "reply_flags", "answers"]
    {
        assert_eq!(line[key], Value::Null, "{key}");
        assert!(line.as_object().unwrap().contains_key(key), "{key}");
    }
    assert_eq!((&line["request_octets"], &line["flags"]), (&json!(1), &json!([])));
}

#[test]
fn lines_for_people() {
    let request = edns_query();
    let answer = reply(&query(7, WWW));
    let time = "2023-11-14T22:13:20.123456Z";
    let check = |entry: Entry<'_>, expected: &str| {
        assert_eq!(text_of(&entry), format!("{time} {expected}"));
    };
    check(
        entry(&request, logged(0, &answer)),
        "udp 192.0.2.1#5353 view \"default\": WwW.example.org. IN A rd ad cd do edns 1232 -> noerror aa, answers 1, octets 49",
    );
    let mut refused = entry(&request[..33], logged(5, &[0; 12]));
    refused.view = None;
    refused.rule = Some("no\nads");
    refused.client = "[2001:db8::1]:53".parse().unwrap();
    refused.transport = Transport::Tcp;
    check(
        refused,
        "tcp 2001:db8::1#53: WwW.example.org. IN A rd ad cd -> refused, answers 0, octets 12, rule \"no\\nads\"",
    );
    let truncated = header(7, 0x8200, 0, 0);
    check(
        entry(&query(7, b"\0"), logged(0, &truncated)),
        "udp 192.0.2.1#5353 view \"default\": . IN A rd -> noerror tc, answers 0, octets 12",
    );
    let update = header(7, 5 << 11, 0, 0);
    check(
        Entry { view: None, ..entry(&update, logged(4, &truncated)) },
        "udp 192.0.2.1#5353: opcode 5 no question -> notimp tc, answers 0, octets 12",
    );
    check(
        Entry { view: None, ..entry(b"x", logged(24, b"")) },
        "udp 192.0.2.1#5353: no question -> rcode24, answers 0, octets 0",
    );
    check(Entry { view: None, ..entry(b"", None) }, "udp 192.0.2.1#5353: no question -> no reply");
}

#[test]
fn names_cannot_end_a_line_or_a_string() {
    let hostile = query(1, b"\x15\"}\n{\"name\":\"x\\ \x1b[2J\0\xff\0");
    let entry = entry(&hostile, None);
    let escaped = r#"\"}\010{\"name\":\"x\\\032\027[2J\000\255."#;
    assert_eq!(json_of(&entry)["name"], escaped);
    assert!(text_of(&entry).contains(escaped));
}

fn qname() -> impl Strategy<Value = Vec<u8>> {
    let label = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..=63),
        prop::collection::vec(prop::sample::select(b"\"\\\n\r.\0{}: aZ\x7f\xe2\x80\xa8".to_vec()), 1..=20),
    ];
    prop::collection::vec(label, 0..12).prop_map(|labels| {
        let mut wire = Vec::new();
        for label in labels {
            if wire.len() + label.len() + 2 <= 255 {
                wire.push(label.len() as u8);
                wire.extend(label);
            }
        }
        wire.push(0);
        wire
    })
}

proptest! {
    /// Every line of JSON parses, and its name is the one that was asked for.
    #[test]
    fn json_gives_back_the_name(wire in qname(), view in any::<Option<String>>(), rule in any::<Option<String>>()) {
        let request = query(3, &wire);
        let entry = Entry { view: view.as_deref(), rule: rule.as_deref(), ..entry(&request, None) };
        let line = json_of(&entry);
        let mut read = Vec::new();
        wire_from_text(line["name"].as_str().unwrap().as_bytes(), None, &mut read).unwrap();
        prop_assert_eq!(read, wire);
        prop_assert_eq!(line["view"].as_str(), view.as_deref());
        prop_assert_eq!(line["rule"].as_str(), rule.as_deref());
        text_of(&entry);
    }

    /// Whatever comes, there is one line for it.
    #[test]
    fn any_octets_make_one_line(
        request in prop::collection::vec(any::<u8>(), 0..100),
        reply in prop::option::of(prop::collection::vec(any::<u8>(), 0..20)),
        rcode in any::<u16>(),
    ) {
        let reply = reply.as_deref().map(|message| logged(rcode, message));
        let entry = entry(&request, reply);
        prop_assert_eq!(json_of(&entry)["request_octets"].as_u64(), Some(request.len() as u64));
        prop_assert!(text_of(&entry).contains(" -> "));
    }
}
