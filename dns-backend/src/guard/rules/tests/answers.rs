//! Changes in answers, read back with a parser that is not ours.

use dns_core::wire::op::Message;

use super::*;

/// A reply to `www.example.org A` that is put together octet by octet, as owners and pointers matter here.
pub(super) struct Written {
    pub message: Vec<u8>,
    pub count: u16,
}

/// Where the name of the question stands.
pub(super) const QNAME_AT: usize = 12;
const ANSWERS_AT: usize = QNAME_AT + 17 + 4;

impl Written {
    pub(super) fn new() -> Self {
        let mut message = vec![0, 1, 0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        message.extend_from_slice(b"\x03www\x07example\x03org\0\0\x01\0\x01");
        assert_eq!(message.len(), ANSWERS_AT);
        Self { message, count: 0 }
    }

    /// Adds a record; tells where it begins.
    pub(super) fn put(&mut self, owner: &[u8], rtype: RecordType, ttl: u32, rdata: &[u8]) -> usize {
        let at = self.message.len();
        self.message.extend_from_slice(owner);
        self.message.extend_from_slice(&rtype.0.to_be_bytes());
        self.message.extend_from_slice(&[0, 1]);
        self.message.extend_from_slice(&ttl.to_be_bytes());
        self.message.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
        self.message.extend_from_slice(rdata);
        self.count += 1;
        at
    }

    pub(super) fn address(&mut self, owner: &[u8], address: &str) -> usize {
        match address.parse().unwrap() {
            IpAddr::V4(address) => self.put(owner, RecordType::A, 300, &address.octets()),
            IpAddr::V6(address) => self.put(owner, RecordType::AAAA, 300, &address.octets()),
        }
    }

    /// Adds a signature over a type, which signs nothing.
    fn signature(&mut self, owner: &[u8], covered: RecordType) {
        let [high, low] = covered.0.to_be_bytes();
        let mut rdata = vec![high, low, 13, 2, 0, 0, 1, 44, 0x70, 0, 0, 0, 0x60, 0, 0, 0, 0x12, 0x34];
        rdata.extend_from_slice(b"\x07example\x03org\0\x01\x02\x03\x04");
        self.put(owner, RecordType::RRSIG, 300, &rdata);
    }

    /// Has all rules of the set change the answer.
    pub(super) fn transform(&mut self, set: &RuleSet, client: &str, turn: &mut Turn) -> Transformed {
        let client = client.parse().unwrap();
        let matched = set.find(&hashed("www.example.org"), RecordType::A, client, "x", turn);
        assert!(!matched.transforms.is_empty());
        let answers = Answers { message: &mut self.message, answers_at: ANSWERS_AT, count: &mut self.count };
        let transformed = set.transform(&matched, answers, client, turn);
        self.message.truncate(transformed.end);
        transformed
    }

    /// Each record as `owner ttl type data`, the owner without what all names here end with.
    pub(super) fn records(&self) -> Vec<String> {
        let mut message = self.message.clone();
        message[6..8].copy_from_slice(&self.count.to_be_bytes());
        let parsed = Message::from_vec(&message).unwrap();
        assert_eq!(parsed.answers.len(), usize::from(self.count));
        let short = |text: String| text.replace(".example.org.", "");
        parsed
            .answers
            .iter()
            .map(|record| {
                let rtype = record.record_type();
                let data = match rtype {
                    dns_core::wire::rr::RecordType::RRSIG => String::new(),
                    _ => short(record.data.to_string()),
                };
                format!("{} {} {rtype} {data}", short(record.name.to_string()), record.ttl).trim().to_owned()
            })
            .collect()
    }
}

pub(super) fn pointer(at: usize) -> [u8; 2] {
    (0xc000 | at as u16).to_be_bytes()
}

const QNAME: [u8; 2] = [0xc0, QNAME_AT as u8];

#[test]
fn ttls_are_clamped_those_of_signatures_too() {
    let mut written = Written::new();
    for (ttl, last) in [(0, 1), (59, 2), (60, 3), (3600, 4), (u32::MAX, 5)] {
        written.put(&QNAME, RecordType::A, ttl, &[192, 0, 2, last]);
    }
    written.signature(&QNAME, RecordType::A);
    written.transform(&compile("a: => ttl 60 120"), "192.0.2.1", &mut Turn::new(1));
    assert_eq!(
        written.records(),
        [
            "www 60 A 192.0.2.1",
            "www 60 A 192.0.2.2",
            "www 60 A 192.0.2.3",
            "www 120 A 192.0.2.4",
            "www 120 A 192.0.2.5",
            "www 120 RRSIG"
        ]
    );
}

#[test]
fn changes_add_up_in_their_order() {
    let mut written = Written::new();
    for last in 1..=4 {
        written.address(&QNAME, &format!("192.0.2.{last}"));
    }
    let set = compile(
        "a: => remove 192.0.2.2
         b: => ttl 0 10
         c: => fixed 192.0.2.4
         d: => ttl 20 20",
    );
    assert!(!written.transform(&set, "192.0.2.1", &mut Turn::new(1)).emptied);
    assert_eq!(written.records(), ["www 20 A 192.0.2.4", "www 20 A 192.0.2.1", "www 20 A 192.0.2.3"]);
}

#[test]
fn addresses_are_left_out_and_their_signatures_with_them() {
    let mut written = Written::new();
    for address in ["10.0.0.1", "192.0.2.1", "10.0.0.2", "192.0.2.2"] {
        written.address(&QNAME, address);
    }
    written.signature(&QNAME, RecordType::A);
    let transformed = written.transform(&compile("a: => remove 10.0.0.0/8"), "192.0.2.1", &mut Turn::new(1));
    assert_eq!(transformed, Transformed { end: ANSWERS_AT + 32, emptied: false });
    assert_eq!(written.records(), ["www 300 A 192.0.2.1", "www 300 A 192.0.2.2"]);
    // Nothing left out, nothing changed
    written.signature(&QNAME, RecordType::A);
    let before = written.message.clone();
    written.transform(&compile("a: => keep 192.0.2.0/24"), "192.0.2.1", &mut Turn::new(1));
    assert_eq!(written.message, before);
}

#[test]
fn both_lists_of_a_filter_count() {
    let mut filter = rules("a: => keep 192.0.0.0/16 2001:db8::/32");
    let Action::FilterAddresses { remove, .. } = &mut filter[0].action else { panic!() };
    remove.push("192.0.2.0/24".parse().unwrap());
    let set = RuleSet::compile(&filter, &mut no_files).unwrap();
    let mut written = Written::new();
    for address in ["192.0.2.1", "192.0.3.1", "198.51.100.1", "2001:db8::1", "2001:db9::1"] {
        written.address(&QNAME, address);
    }
    written.transform(&set, "192.0.2.1", &mut Turn::new(1));
    assert_eq!(written.records(), ["www 300 A 192.0.3.1", "www 300 AAAA 2001:db8::1"]);
}

#[test]
fn an_answer_without_addresses_is_reported() {
    let set = compile("a: => remove 10.0.0.0/8");
    let mut written = Written::new();
    written.address(&QNAME, "10.0.0.1");
    written.signature(&QNAME, RecordType::A);
    let transformed = written.transform(&set, "192.0.2.1", &mut Turn::new(1));
    assert_eq!(transformed, Transformed { end: ANSWERS_AT, emptied: true });
    assert!(written.records().is_empty());
    // Aliases stay: they are on the way to the name that has nothing.
    let mut written = Written::new();
    let target_at = written.put(&QNAME, RecordType::CNAME, 300, b"\x04host\xc0\x10") + 12;
    written.address(&pointer(target_at), "10.0.0.1");
    assert!(written.transform(&set, "192.0.2.1", &mut Turn::new(1)).emptied);
    assert_eq!(written.records(), ["www 300 CNAME host"]);
    // Other records are an answer.
    let mut written = Written::new();
    written.address(&QNAME, "10.0.0.1");
    written.put(&QNAME, RecordType::TXT, 300, b"\x01x");
    assert!(!written.transform(&set, "192.0.2.1", &mut Turn::new(1)).emptied);
    assert_eq!(written.records(), ["www 300 TXT x"]);
    // There was no address in the first place.
    assert!(!written.transform(&set, "192.0.2.1", &mut Turn::new(1)).emptied);
}

#[test]
fn owners_that_are_written_out_stay_in_front() {
    let mut written = Written::new();
    let first = written.address(b"\x04host\xc0\x10", "10.0.0.1");
    for address in ["192.0.2.2", "192.0.2.3"] {
        written.address(&pointer(first), address);
    }
    // The same name, every time written out, in whatever letter case
    written.address(b"\x04HOST\x07example\x03org\0", "10.0.0.4");
    let set = compile("a: => fixed 192.0.2.3\nb: => remove 10.0.0.0/8");
    written.transform(&set, "192.0.2.1", &mut Turn::new(1));
    assert_eq!(written.records(), ["host 300 A 192.0.2.3", "host 300 A 192.0.2.2"]);
}

#[test]
fn pointers_behind_what_was_left_out_are_put_right() {
    let mut written = Written::new();
    written.address(&QNAME, "10.0.0.1");
    written.address(&QNAME, "192.0.2.1");
    let mail_at = written.put(&QNAME, RecordType::MX, 300, b"\0\x0a\x04mail\x01x\xc0\x10") + 14;
    written.put(&QNAME, RecordType::MX, 300, &[&b"\0\x14\x05mail2"[..], &pointer(mail_at + 5)].concat());
    let target_at = written.put(&QNAME, RecordType::CNAME, 300, &pointer(mail_at)) + 12;
    written.address(b"\x05other\xc0\x10", "10.0.0.2");
    written.address(&pointer(target_at), "192.0.2.9");
    let soa = [&pointer(mail_at)[..], &pointer(mail_at + 5), &[0; 20]].concat();
    written.put(&QNAME, RecordType::SOA, 300, &soa);
    let set = compile("a: => remove 10.0.0.0/8");
    assert!(!written.transform(&set, "192.0.2.1", &mut Turn::new(1)).emptied);
    assert_eq!(
        written.records(),
        [
            "www 300 A 192.0.2.1",
            "www 300 MX 10 mail.x",
            "www 300 MX 20 mail2.x",
            "www 300 CNAME mail.x",
            "mail.x 300 A 192.0.2.9",
            "www 300 SOA mail.x x 0 0 0 0 0",
        ]
    );
}

#[test]
fn addresses_in_front_of_a_name_that_others_need_are_blanked() {
    let mut written = Written::new();
    let first = written.address(b"\x04host\xc0\x10", "10.0.0.1");
    written.put(&pointer(first), RecordType::TXT, 300, b"\x01x");
    assert!(!written.transform(&compile("a: => remove 10.0.0.0/8"), "192.0.2.1", &mut Turn::new(1)).emptied);
    assert_eq!(written.records(), ["host 300 A 0.0.0.0", "host 300 TXT x"]);
}

#[test]
fn records_behind_the_section_move_up() {
    let mut written = Written::new();
    written.address(&QNAME, "10.0.0.1");
    written.address(&QNAME, "192.0.2.1");
    let name_server_at = written.put(b"\xc0\x10", RecordType::NS, 300, b"\x02ns\xc0\x10") + 12;
    written.address(&pointer(name_server_at), "10.0.0.53");
    written.count = 2;
    let set = compile("a: => remove 10.0.0.0/8");
    assert!(!written.transform(&set, "192.0.2.1", &mut Turn::new(1)).emptied);
    assert_eq!(written.count, 1);
    // Only the section was asked for; the glue behind it is still that of its name.
    written.count = 3;
    assert_eq!(written.records(), ["www 300 A 192.0.2.1", "example.org. 300 NS ns", "ns 300 A 10.0.0.53"]);
}

#[test]
fn nothing_is_left_out_where_octets_follow_that_are_no_records() {
    let mut written = Written::new();
    written.address(&QNAME, "10.0.0.1");
    written.message.push(0);
    let before = written.message.clone();
    let transformed = written.transform(&compile("a: => remove 10.0.0.0/8"), "192.0.2.1", &mut Turn::new(1));
    assert_eq!(transformed, Transformed { end: before.len(), emptied: false });
    assert_eq!((&written.message, written.count), (&before, 1));
}

#[test]
fn sections_that_cannot_be_read_stay_as_they_are() {
    let set = compile("a: => ttl 0 0\nb: => rotate\nc: => remove 0.0.0.0/0");
    let mut whole = Written::new();
    whole.address(&QNAME, "10.0.0.1");
    whole.address(&QNAME, "10.0.0.2");
    for end in 0..whole.message.len() {
        let mut written = Written { message: whole.message[..end].to_vec(), count: 2 };
        let transformed = written.transform(&set, "192.0.2.1", &mut Turn::new(1));
        assert_eq!(transformed, Transformed { end, emptied: false });
        assert_eq!(written.message, whole.message[..end]);
    }
}
