//! What to ask a zone of [`ZonePlan`], and what the answers must say.

use clap::ValueEnum;
use dns_core::{Class, Name, RecordType, ResponseCode};

use crate::extremes;
use crate::random::Random;
use crate::zone::{self, Kind, WILDCARD_PARENT, ZONE_CUT, ZonePlan};

/// Octets of the message header.
pub const HEADER_OCTETS: usize = 12;
/// So that question sets are the same in every run.
const SEED: u64 = 53;

/// A mixture of questions.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Mixture {
    /// Every generated name once, with a type it has.
    Hits,
    /// Names that do not exist.
    Nxdomain,
    /// 70 % hits, 10 % NXDOMAIN, 10 % NODATA, 5 % CNAME, 3 % wildcard, 2 % referral.
    Mixed,
    /// Names that do not exist below a name as deep as names go, each with its closest encloser at another depth.
    Deep,
    /// A name with 1,000 addresses, which do not fit into a datagram.
    Big,
    /// The same over TCP, where they do.
    BigTcp,
    /// ANY for every generated name; servers may answer with what they like.
    Any,
    /// A delegation to 13 name servers with their addresses.
    Referral,
    /// An alias of an alias and so on, ten times.
    Chain,
    /// Names below very many delegations.
    Delegations,
    /// A name in each of very many zones.
    Small,
}

/// Whether questions have an OPT record, and what is in it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Edns {
    /// They have none.
    #[default]
    None,
    /// They allow for 1,232 octets.
    Plain,
    /// And they ask for signatures.
    Dnssec,
    /// They have a client's cookie and, once there is one, the server's ([RFC 7873, section 5]).
    ///
    /// [RFC 7873, section 5]: https://www.rfc-editor.org/rfc/rfc7873#section-5
    Cookie(Option<[u8; SERVER_COOKIE_OCTETS]>),
}

/// Octets of a client's cookie.
const CLIENT_COOKIE: [u8; 8] = *b"jw238dns";
/// Octets of a server's cookie ([RFC 9018, section 4](https://www.rfc-editor.org/rfc/rfc9018#section-4)).
pub const SERVER_COOKIE_OCTETS: usize = 16;
/// EDNS option of cookies.
const COOKIE_OPTION: u16 = 10;
/// UDP answers may be as long, in octets.
const PAYLOAD_OCTETS: u16 = 1232;

/// Query packets, ready but for their ids, each with what its answer must say.
#[derive(Debug, Default)]
pub struct Questions {
    edns: Edns,
    /// All packets in a row: a million small allocations would cost the load generator its cache.
    octets: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    octets: u16,
    /// Of these, the header and the question.
    question_end: u16,
    expected: Expected,
}

/// What an answer must say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Expected {
    /// The response code.
    pub rcode: ResponseCode,
    /// Records in the answer section; not looked at in a truncated answer.
    pub answers: u16,
    /// Whether it is truncated; `None` where servers are free to choose, and the answers are not counted then.
    pub truncated: Option<bool>,
    /// Records in the authority section, at least.
    pub authorities_min: u16,
}

impl Expected {
    fn of(rcode: ResponseCode, answers: u16) -> Self {
        // Who denies something says by which SOA record, and who refers elsewhere says where.
        Self { rcode, answers, truncated: Some(false), authorities_min: u16::from(answers == 0) }
    }

    /// The same with signatures: each RRset has one, and so has each proof.
    fn signed(self, rrsets: u16, proofs: u16) -> Self {
        let authorities_min = self.authorities_min + 2 * proofs;
        Self { answers: self.answers + rrsets, authorities_min, ..self }
    }

    /// Truncated, or whole, or as the server likes; what is left in its sections does not matter.
    fn cut(truncated: Option<bool>) -> Self {
        Self { rcode: ResponseCode::NOERROR, answers: 0, truncated, authorities_min: 0 }
    }

    /// A referral with so many name servers.
    fn referral(servers: u16) -> Self {
        Self { authorities_min: servers, ..Self::of(ResponseCode::NOERROR, 0) }
    }
}

impl Questions {
    /// As many questions as the zone has names, in an order that helps no cache.
    pub fn new(plan: ZonePlan, mixture: Mixture) -> Self {
        Self::with_edns(plan, mixture, Edns::None)
    }

    /// The same questions, with an OPT record.
    pub fn with_edns(plan: ZonePlan, mixture: Mixture, edns: Edns) -> Self {
        let mut random = Random::new(SEED);
        let mut order: Vec<u32> = (0..plan.names).collect();
        random.shuffle(&mut order);
        let mut questions = Self { edns, ..Self::default() };
        for index in order {
            match mixture {
                Mixture::Hits => questions.push_hit(plan, index),
                Mixture::Nxdomain => questions.push_nxdomain(plan, &mut random),
                Mixture::Mixed => questions.push_mixed(plan, index, &mut random),
                Mixture::Any => {
                    questions.push_expecting(&plan.owner(index), RecordType::ANY, Expected::cut(None));
                }
                other => questions.push_extreme(other, index, &mut random),
            }
        }
        questions
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The packet of question `index`, with id 0.
    ///
    /// # Panics
    ///
    /// If there is no question `index`.
    pub fn packet(&self, index: usize) -> &[u8] {
        let entry = self.entries[index];
        &self.octets[entry.start as usize..][..usize::from(entry.octets)]
    }

    /// The question section of question `index`.
    ///
    /// # Panics
    ///
    /// If there is no question `index`.
    pub fn section(&self, index: usize) -> &[u8] {
        &self.packet(index)[HEADER_OCTETS..usize::from(self.entries[index].question_end)]
    }

    /// What the answer to question `index` must say.
    ///
    /// # Panics
    ///
    /// If there is no question `index`.
    pub fn expected(&self, index: usize) -> Expected {
        self.entries[index].expected
    }

    fn push_mixed(&mut self, plan: ZonePlan, index: u32, random: &mut Random) {
        let host = plan.target(index); // always exists, and has one address
        let no_data = Expected::of(ResponseCode::NOERROR, 0);
        match random.below(100) {
            0..70 => self.push_hit(plan, index),
            70..80 => self.push_nxdomain(plan, random),
            80..90 => self.push_signed(&plan.owner(host), RecordType::TXT, no_data, 0, 1),
            90..95 => match alias_near(plan, index) {
                Some(alias) => {
                    // The alias and the address of its target
                    let both = Expected::of(ResponseCode::NOERROR, 2);
                    self.push_signed(&plan.owner(alias), RecordType::A, both, 2, 0);
                }
                None => self.push_hit(plan, index),
            },
            95..98 => {
                let owner = format!("{}.{WILDCARD_PARENT}", zone::label(random.next() as u32));
                // Proves that the name itself does not exist.
                self.push_signed(&owner, RecordType::A, Expected::of(ResponseCode::NOERROR, 1), 1, 1);
            }
            _ => {
                let owner = format!("{}.{ZONE_CUT}", zone::label(random.next() as u32));
                // Proves that the delegation is not signed.
                self.push_signed(&owner, RecordType::A, no_data, 0, 1);
            }
        }
    }

    fn push_hit(&mut self, plan: ZonePlan, index: u32) {
        let (rtype, answers) = plan.rrset(index);
        let expected = Expected::of(ResponseCode::NOERROR, answers);
        self.push_signed(&plan.owner(index), rtype, expected, 1, 0);
    }

    fn push_nxdomain(&mut self, plan: ZonePlan, random: &mut Random) {
        // Labels are one to one with indices, and those from `names` on are not used.
        let index = plan.names + random.below(u32::MAX - plan.names);
        let owner = format!("{}.{}", zone::label(index), zone::APEX);
        self.push_signed(&owner, RecordType::A, Expected::of(ResponseCode::NXDOMAIN, 0), 0, 1);
    }

    /// A question about what costs most.
    fn push_extreme(&mut self, mixture: Mixture, index: u32, random: &mut Random) {
        let noerror = |answers| Expected::of(ResponseCode::NOERROR, answers);
        let (owner, expected) = match mixture {
            Mixture::Deep => {
                let depth = random.below(u32::from(extremes::DEEP_LABELS)) as u16;
                (extremes::beside_deep(depth, index), Expected::of(ResponseCode::NXDOMAIN, 0))
            }
            Mixture::Big => (extremes::BIG.to_owned(), Expected::cut(Some(true))),
            Mixture::BigTcp => (extremes::BIG.to_owned(), noerror(extremes::BIG_RECORDS)),
            Mixture::Referral => {
                let owner = format!("{}.{}", zone::label(index), extremes::WIDE_CUT);
                (owner, Expected::referral(extremes::WIDE_CUT_SERVERS))
            }
            Mixture::Chain => (extremes::chain_start(), noerror(extremes::CHAIN_ALIASES + 1)),
            Mixture::Delegations => {
                let owner = format!("www.{}.{}", zone::label(index), zone::APEX);
                (owner, Expected::referral(extremes::CUT_SERVERS))
            }
            Mixture::Small => (format!("www.{}", extremes::small_apex(index)), noerror(1)),
            Mixture::Hits | Mixture::Nxdomain | Mixture::Mixed | Mixture::Any => {
                unreachable!("these are asked of any zone of the plan")
            }
        };
        self.push_expecting(&owner, RecordType::A, expected);
    }

    /// A question to a zone that may be signed: its answer has so many RRsets, and so many proofs that something is
    /// missing, each with its signature.
    fn push_signed(&mut self, qname: &str, qtype: RecordType, expected: Expected, rrsets: u16, proofs: u16) {
        let signed = self.edns == Edns::Dnssec;
        let expected = if signed { expected.signed(rrsets, proofs) } else { expected };
        self.push_expecting(qname, qtype, expected);
    }

    fn push_expecting(&mut self, qname: &str, qtype: RecordType, expected: Expected) {
        let Ok(name) = Name::from_text(qname.as_bytes(), None) else {
            unreachable!("generated names are short and have no escapes");
        };
        let start = self.octets.len();
        let additionals = u8::from(self.edns != Edns::None);
        // Id 0, no flags: an authoritative server is not asked for recursion; one question.
        self.octets.extend([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, additionals]);
        self.octets.extend(name.as_wire());
        self.octets.extend(qtype.0.to_be_bytes());
        self.octets.extend(Class::IN.0.to_be_bytes());
        let question_end = (self.octets.len() - start) as u16; // at most 271
        self.edns.write(&mut self.octets);
        let octets = (self.octets.len() - start) as u16; // at most 310
        self.entries.push(Entry { start: start as u32, octets, question_end, expected });
    }
}

impl Edns {
    /// The OPT record ([RFC 6891, section 6.1.2](https://www.rfc-editor.org/rfc/rfc6891#section-6.1.2)).
    fn write(self, octets: &mut Vec<u8>) {
        if self == Self::None {
            return;
        }
        let dnssec_ok = if self == Self::Dnssec { 0x80 } else { 0 };
        octets.push(0);
        octets.extend(RecordType::OPT.0.to_be_bytes());
        octets.extend(PAYLOAD_OCTETS.to_be_bytes());
        octets.extend([0, 0, dnssec_ok, 0]);
        let Self::Cookie(server) = self else {
            octets.extend([0, 0]);
            return;
        };
        let server = server.as_ref().map_or(&[][..], |server| &server[..]);
        let cookie_octets = (CLIENT_COOKIE.len() + server.len()) as u16; // at most 24
        octets.extend((cookie_octets + 4).to_be_bytes());
        octets.extend(COOKIE_OPTION.to_be_bytes());
        octets.extend(cookie_octets.to_be_bytes());
        octets.extend(CLIENT_COOKIE);
        octets.extend(server);
    }
}

/// The server's cookie in an answer whose last record is its OPT record with the cookie as the only option.
///
/// That is what servers send to a question that has nothing but a cookie; anything else is no cookie that we know.
pub fn server_cookie(reply: &[u8]) -> Option<[u8; SERVER_COOKIE_OCTETS]> {
    let (rest, server) = reply.split_last_chunk()?;
    let (rest, client) = rest.split_last_chunk()?;
    let (_, head) = rest.split_last_chunk::<4>()?;
    let octets = (CLIENT_COOKIE.len() + SERVER_COOKIE_OCTETS) as u16;
    let expected = [COOKIE_OPTION.to_be_bytes(), octets.to_be_bytes()].concat();
    (*client == CLIENT_COOKIE && head[..] == expected).then_some(*server)
}

/// The alias among the twenty names around `index`, if the zone reaches that far.
fn alias_near(plan: ZonePlan, index: u32) -> Option<u32> {
    let first = plan.target(index);
    (first..plan.names.min(first.saturating_add(20))).find(|index| Kind::of(*index) == Kind::Alias)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const PLAN: ZonePlan = ZonePlan { names: 10_000 };

    #[test]
    fn hits_ask_for_every_name_once() {
        let questions = Questions::new(PLAN, Mixture::Hits);
        assert_eq!(questions.len(), 10_000);
        let different: HashSet<_> = (0..questions.len()).map(|index| questions.packet(index)).collect();
        assert_eq!(different.len(), 10_000);
        for index in 0..questions.len() {
            let packet = questions.packet(index);
            let (_, rest) = Name::split_from_wire(&packet[HEADER_OCTETS..]).unwrap();
            assert_eq!(rest.len(), 4);
            assert_eq!(questions.expected(index).rcode, ResponseCode::NOERROR);
            assert!(questions.expected(index).answers > 0);
        }
    }

    #[test]
    fn names_that_should_not_exist_do_not() {
        let owners: HashSet<_> = (0..PLAN.names)
            .map(|index| Name::from_text(PLAN.owner(index).as_bytes(), None).unwrap())
            .collect();
        let questions = Questions::new(PLAN, Mixture::Nxdomain);
        for index in 0..questions.len() {
            let (qname, _) = Name::split_from_wire(&questions.packet(index)[HEADER_OCTETS..]).unwrap();
            assert!(!owners.contains(&qname), "{qname}");
            assert_eq!(questions.expected(index).rcode, ResponseCode::NXDOMAIN);
        }
    }

    #[test]
    fn the_mixture_is_as_stated() {
        let questions = Questions::new(PLAN, Mixture::Mixed);
        let share = |wanted: &dyn Fn(Expected, &[u8]) -> bool| {
            let all = (0..questions.len()).map(|index| (questions.expected(index), questions.packet(index)));
            all.filter(|(expected, packet)| wanted(*expected, packet)).count() as f64 / questions.len() as f64
        };
        let below = |parent: &str| {
            let parent = Name::from_text(parent.as_bytes(), None).unwrap();
            move |packet: &[u8]| {
                Name::split_from_wire(&packet[HEADER_OCTETS..]).unwrap().0.is_at_or_below(&parent)
            }
        };
        let (wild, cut) = (below(WILDCARD_PARENT), below(ZONE_CUT));
        let near = |share: f64, percent: f64| (share * 100.0 - percent).abs() < 1.5;
        assert!(near(share(&|expected, _| expected.rcode == ResponseCode::NXDOMAIN), 10.0));
        assert!(near(share(&|_, packet| wild(packet)), 3.0));
        assert!(near(share(&|_, packet| cut(packet)), 2.0));
        let empty = |expected: Expected, packet: &[u8]| {
            expected.rcode == ResponseCode::NOERROR && expected.answers == 0 && !cut(packet)
        };
        assert!(near(share(&empty), 10.0));
    }

    #[test]
    fn every_mixture_has_questions_that_can_be_read() {
        for mixture in Mixture::value_variants() {
            let questions = Questions::new(ZonePlan { names: 200 }, *mixture);
            assert_eq!(questions.len(), 200, "{mixture:?}");
            for index in 0..questions.len() {
                let section = questions.section(index);
                assert_eq!(section, &questions.packet(index)[HEADER_OCTETS..]);
                let (_, rest) = Name::split_from_wire(section).unwrap();
                assert_eq!(rest.len(), 4);
            }
        }
    }

    #[test]
    fn options_stand_behind_the_question() {
        let plan = ZonePlan { names: 20 };
        let packet = |edns| {
            let questions = Questions::with_edns(plan, Mixture::Hits, edns);
            assert_eq!(questions.section(3), Questions::new(plan, Mixture::Hits).section(3));
            let packet = questions.packet(3).to_vec();
            assert_eq!(packet[11], u8::from(edns != Edns::None));
            packet[HEADER_OCTETS + questions.section(3).len()..].to_vec()
        };
        assert_eq!(packet(Edns::None), b"");
        assert_eq!(packet(Edns::Plain), b"\0\0\x29\x04\xd0\0\0\0\0\0\0");
        assert_eq!(packet(Edns::Dnssec), b"\0\0\x29\x04\xd0\0\0\x80\0\0\0");
        assert_eq!(packet(Edns::Cookie(None)), b"\0\0\x29\x04\xd0\0\0\0\0\0\x0c\0\x0a\0\x08jw238dns");
        let server = *b"0123456789abcdef";
        let full = packet(Edns::Cookie(Some(server)));
        assert!(full.ends_with(b"\0\x1c\0\x0a\0\x18jw238dns0123456789abcdef"));
        assert_eq!(server_cookie(&full), Some(server));
        assert_eq!(server_cookie(&packet(Edns::Cookie(None))), None);
        assert_eq!(server_cookie(&full[..full.len() - 1]), None);
    }

    #[test]
    fn signed_answers_have_signatures_and_proofs() {
        let sets = |edns| Questions::with_edns(PLAN, Mixture::Mixed, edns);
        let (plain, signed) = (sets(Edns::Plain), sets(Edns::Dnssec));
        for index in 0..plain.len() {
            let (plain, signed) = (plain.expected(index), signed.expected(index));
            assert_eq!(plain.rcode, signed.rcode);
            assert!(signed.answers > plain.answers || signed.authorities_min > plain.authorities_min);
        }
    }

    #[test]
    fn sets_are_the_same_every_time() {
        let octets = || Questions::new(PLAN, Mixture::Mixed).octets;
        assert_eq!(octets(), octets());
    }

    #[test]
    fn tiny_zones_have_questions_too() {
        for names in 1..40 {
            assert_eq!(Questions::new(ZonePlan { names }, Mixture::Mixed).len(), names as usize);
        }
    }
}
