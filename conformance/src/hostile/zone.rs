//! The zone that is attacked, and questions whose answers are known.

use std::fmt::Write;
use std::net::Ipv4Addr;

use anyhow::{Result, ensure};
use dns_core::{Name, RecordType, ResponseCode};

use crate::message::Response;

/// Name of the zone.
pub const APEX: &str = "hostile.test.";
/// Names with an address.
pub const HOSTS: u32 = 5000;
/// One question in so many asks for a name that does not exist.
const ABSENT_EVERY: u64 = 8;

/// The zone file. The generation is its serial and a TXT record, so that a reload can be seen.
pub fn text(generation: u32) -> String {
    let mut text = format!(
        "$ORIGIN {APEX}\n$TTL 300\n@ SOA ns1 hostmaster {generation} 3600 600 604800 300\n@ NS ns1\n@ NS ns2\nns1 A 192.0.2.53\n\
         ns2 A 192.0.2.54\n@ A 192.0.2.1\n@ AAAA 2001:db8::1\n@ CAA 0 issue \"ca.example\"\n\
         generation TXT \"{generation}\"\n"
    );
    for number in 0..5 {
        let _ = writeln!(text, "@ MX {number} mail{number}\nmail{number} A 192.0.2.{}", 60 + number);
        let _ = writeln!(text, "@ TXT \"{}\"", filler(number, 150));
        // About 1150 octets: an answer that just fits into 1232.
        let _ = writeln!(text, "large TXT \"{}\"", filler(number, 205));
    }
    for number in 0..60 {
        // About 13,000 octets: what a client that never reads can make a server hold.
        let _ = writeln!(text, "huge TXT \"{}\"", filler(number, 200));
    }
    for number in 0..HOSTS {
        let _ = writeln!(text, "h{number} A {}", address(number));
    }
    text
}

/// The address of a host.
fn address(number: u32) -> Ipv4Addr {
    // 198.18.0.0/15 is for tests (RFC 2544).
    Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 0).to_bits() + number)
}

fn filler(number: u32, octets: usize) -> String {
    let unit = format!("{number:03}-");
    unit.repeat(octets.div_ceil(unit.len()))[..octets].to_owned()
}

/// The name of something in the zone.
///
/// # Panics
/// If the label is not one.
pub fn name(label: &str) -> Name {
    format!("{label}.{APEX}").parse().expect("labels here are short and plain")
}

/// A question of a legitimate client.
#[derive(Clone, Debug)]
pub struct Question {
    pub qname: Name,
    pub qtype: RecordType,
    /// What it must be answered with; `None` if the name does not exist.
    expected: Option<Vec<u8>>,
}

impl Question {
    /// The question of this number: mostly addresses of hosts, sometimes a name that is absent.
    pub fn of(number: u64) -> Self {
        if number % ABSENT_EVERY == ABSENT_EVERY - 1 {
            let label = format!("absent{}", number % 1000);
            return Self { qname: name(&label), qtype: RecordType::A, expected: None };
        }
        // A prime step walks through all hosts.
        let host = (number * 7919 % u64::from(HOSTS)) as u32;
        let expected = Some(address(host).octets().to_vec());
        Self { qname: name(&format!("h{host}")), qtype: RecordType::A, expected }
    }

    /// The question which generation of the zone is served.
    pub fn generation(generation: u32) -> Self {
        let text = generation.to_string();
        let expected = [&[text.len() as u8], text.as_bytes()].concat();
        Self { qname: name("generation"), qtype: RecordType::TXT, expected: Some(expected) }
    }

    /// Whether this is the answer.
    ///
    /// # Errors
    /// It is not, and why.
    pub fn check(&self, response: &Response) -> Result<()> {
        let asked = response.question.as_ref();
        ensure!(
            asked.is_some_and(|(qname, qtype)| *qname == self.qname && *qtype == self.qtype),
            "answers {asked:?}"
        );
        ensure!(!response.truncated, "TC is set");
        let Some(expected) = &self.expected else {
            ensure!(response.rcode == ResponseCode::NXDOMAIN, "{:?} for {}", response.rcode, self.qname);
            let soa = response.authority.iter().any(|record| record.rtype == RecordType::SOA);
            ensure!(soa && response.answer.is_empty(), "NXDOMAIN with other records for {}", self.qname);
            return Ok(());
        };
        ensure!(response.rcode == ResponseCode::NOERROR, "{:?} for {}", response.rcode, self.qname);
        let [record] = &response.answer[..] else {
            anyhow::bail!("{} records for {}", response.answer.len(), self.qname);
        };
        ensure!(
            record.owner == self.qname && record.rtype == self.qtype && record.rdata == *expected,
            "{record:?} for {}",
            self.qname
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::query;
    use crate::zone::ZoneData;

    #[test]
    fn the_zone_has_what_the_questions_expect() {
        let zone = ZoneData::from_text(&APEX.parse().unwrap(), text(7).as_bytes()).unwrap();
        for number in 0..500 {
            let question = Question::of(number);
            let found = zone.rrset(&question.qname, question.qtype);
            assert_eq!(found.first().map(|record| record.rdata.clone()), question.expected, "{number}");
        }
        let generation = Question::generation(7);
        assert_eq!(
            zone.rrset(&generation.qname, RecordType::TXT)[0].rdata,
            *generation.expected.as_ref().unwrap()
        );
        let octets = |label: &str| {
            zone.rrset(&name(label), RecordType::TXT)
                .iter()
                .map(|record| record.rdata.len() + 12)
                .sum::<usize>()
        };
        assert!((1000..1150).contains(&octets("large")), "{}", octets("large"));
        assert!((10_000..20_000).contains(&octets("huge")), "{}", octets("huge"));
    }

    #[test]
    fn other_answers_are_refused() {
        let question = Question::of(0);
        let reply = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut message = query(1, &question.qname, question.qtype, None);
            message[2] = 0x84;
            message[7] = 1;
            message.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04");
            message.extend(question.expected.as_ref().unwrap());
            change(&mut message);
            question.check(&Response::parse(&message).unwrap())
        };
        reply(&|_| {}).unwrap();
        assert!(reply(&|message| *message.last_mut().unwrap() ^= 1).is_err());
        assert!(reply(&|message| message[3] = 3).is_err());
        assert!(reply(&|message| message[2] |= 2).is_err());
        assert!(reply(&|message| message[13] ^= 1).is_err());
    }
}
