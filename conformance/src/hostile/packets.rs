//! What attackers send over UDP.

use benches::random::Random;
use dns_core::RecordType;

use super::ask;
use super::zone::{self, Question};
use crate::message::{Edns, query};

/// Different packets that a flood repeats.
const VARIETY: u64 = 512;

/// Questions that have answers.
pub fn questions() -> Vec<Vec<u8>> {
    (0..VARIETY).map(|number| ask::packet(number as u16, &Question::of(number), None)).collect()
}

/// The question that gets the most octets for this type and name.
pub fn amplifier(label: Option<&str>, qtype: RecordType) -> Vec<u8> {
    let edns = Edns { payload_octets: 4096, dnssec_ok: true };
    let apex = || zone::APEX.parse().expect("the apex is a name");
    query(0x416d, &label.map_or_else(apex, zone::name), qtype, Some(edns))
}

/// Writes a question for a name that nobody has asked for before, as a bot behind an honest resolver does.
pub fn random_subdomain(random: &mut Random, id: u64, packet: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let number = random.next();
    packet.extend((id as u16).to_be_bytes());
    packet.extend(b"\0\0\0\x01\0\0\0\0\0\x01\x10");
    packet.extend((0..16).map(|digit| HEX[(number >> (4 * digit)) as usize & 15]));
    packet.extend(b"\x07hostile\x04test\0\0\x01\0\x01");
    packet.extend(b"\0\0\x29\x04\xd0\0\0\0\0\0\0");
}

/// Packets that are no proper queries, of every kind we know, in a fixed order that looks random.
pub fn malformed() -> Vec<Vec<u8>> {
    let good = ask::packet(0x4d61, &Question::of(1), None);
    let plain = query(0x4d61, &Question::of(1).qname, RecordType::A, None);
    let header = |counts: &[u8; 8]| [b"\x4d\x61\0\0", &counts[..]].concat();
    let question = |name: &[u8]| [&header(b"\0\x01\0\0\0\0\0\0"), name, b"\0\x01\0\x01"].concat();
    let with_opt = |rest: &[u8]| {
        let mut packet = plain.clone();
        packet[11] = 1;
        packet.extend(rest);
        packet
    };
    let changed = |at: usize, octet: u8| {
        let mut packet = good.clone();
        packet[at] = octet;
        packet
    };
    let mut packets: Vec<Vec<u8>> = (0..good.len()).map(|octets| good[..octets].to_vec()).collect();
    packets.extend([
        // Responses: answering one would begin a conversation between two servers.
        changed(2, 0x80),
        changed(2, 0x84),
        // Pointers to themselves, to each other, behind the end and into the header.
        question(b"\xc0\x0c"),
        question(b"\xc0\x0e\xc0\x0c"),
        question(b"\x03www\xc0\x0c"),
        question(b"\xff\xff"),
        question(b"\xc0\x00"),
        // Reserved label types, a label of 64 octets, a name of 257.
        question(b"\x40x\0"),
        question(b"\x80x\0"),
        question(&[&[64][..], &[b'x'; 64], &[0]].concat()),
        question(&[[&[63][..], &[b'x'; 63]].concat().repeat(4), vec![0]].concat()),
        // Counts that lie.
        header(b"\xff\xff\0\0\0\0\0\0"),
        header(b"\xff\xff\xff\xff\xff\xff\xff\xff"),
        changed(5, 0),
        changed(5, 2),
        changed(7, 9),
        changed(9, 9),
        changed(11, 200),
        // Operations that nobody here offers, and one that does not exist.
        changed(2, 0x10),
        changed(2, 0x28),
        changed(2, 0x78),
        // OPT records: two of them, a version to come, RDATA longer than the message, an option longer than its record,
        // a cookie of one octet, one with a name.
        with_opt(b"\0\0\x29\x04\xd0\0\0\0\0\0\0\0\0\x29\x04\xd0\0\0\0\0\0\0"),
        with_opt(b"\0\0\x29\x04\xd0\0\x63\0\0\0\0"),
        with_opt(b"\0\0\x29\x04\xd0\0\0\0\0\xff\xff"),
        with_opt(b"\0\0\x29\x04\xd0\0\0\0\0\0\x04\0\x0a\xff\xff"),
        with_opt(b"\0\0\x29\x04\xd0\0\0\0\0\0\x05\0\x0a\0\x01x"),
        with_opt(b"\x01x\0\0\x29\x04\xd0\0\0\0\0\0\0"),
    ]);
    let mut random = Random::new(0x6d61_6c66);
    for round in 0..300_u32 {
        packets.push((0..round).map(|_| random.next() as u8).collect());
        let mut mutated = good.clone();
        for _ in 0..=round % 3 {
            let at = random.below(mutated.len() as u32) as usize;
            mutated[at] = random.next() as u8;
        }
        packets.push(mutated);
    }
    random.shuffle(&mut packets);
    packets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Response;

    #[test]
    fn random_subdomains_are_questions_for_distinct_names() {
        let mut random = Random::new(1);
        let mut names = std::collections::BTreeSet::new();
        for id in 0..1000 {
            let mut packet = Vec::new();
            random_subdomain(&mut random, id, &mut packet);
            packet[2] = 0x80;
            let (qname, qtype) = Response::parse(&packet).unwrap().question.unwrap();
            assert!(qname.is_at_or_below(&zone::APEX.parse().unwrap()) && qtype == RecordType::A);
            names.insert(qname);
        }
        assert_eq!(names.len(), 1000);
    }

    #[test]
    fn questions_and_amplifiers_are_proper() {
        for mut packet in questions().into_iter().chain([amplifier(None, RecordType::ANY)]) {
            packet[2] |= 0x80;
            assert!(Response::parse(&packet).unwrap().edns);
        }
        assert!(malformed().len() > 600);
    }
}
