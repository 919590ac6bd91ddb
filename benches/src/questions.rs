//! What to ask a zone of [`ZonePlan`], and what the answers must say.

use clap::ValueEnum;
use dns_core::{Class, Name, RecordType, ResponseCode};

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
}

/// Query packets, ready but for their ids, each with what its answer must say.
#[derive(Debug, Default)]
pub struct Questions {
    /// All packets in a row: a million small allocations would cost the load generator its cache.
    octets: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: u32,
    octets: u16,
    expected: Expected,
}

/// What an answer must say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Expected {
    /// The response code.
    pub rcode: ResponseCode,
    /// Records in the answer section.
    pub answers: u16,
}

impl Questions {
    /// As many questions as the zone has names, in an order that helps no cache.
    pub fn new(plan: ZonePlan, mixture: Mixture) -> Self {
        let mut random = Random::new(SEED);
        let mut order: Vec<u32> = (0..plan.names).collect();
        random.shuffle(&mut order);
        let mut questions = Self::default();
        for index in order {
            match mixture {
                Mixture::Hits => questions.push_hit(plan, index),
                Mixture::Nxdomain => questions.push_nxdomain(plan, &mut random),
                Mixture::Mixed => questions.push_mixed(plan, index, &mut random),
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
        match random.below(100) {
            0..70 => self.push_hit(plan, index),
            70..80 => self.push_nxdomain(plan, random),
            80..90 => self.push(&plan.owner(host), RecordType::TXT, ResponseCode::NOERROR, 0),
            90..95 => match alias_near(plan, index) {
                // The alias and the address of its target
                Some(alias) => self.push(&plan.owner(alias), RecordType::A, ResponseCode::NOERROR, 2),
                None => self.push_hit(plan, index),
            },
            95..98 => {
                let owner = format!("{}.{WILDCARD_PARENT}", zone::label(random.next() as u32));
                self.push(&owner, RecordType::A, ResponseCode::NOERROR, 1);
            }
            _ => {
                let owner = format!("{}.{ZONE_CUT}", zone::label(random.next() as u32));
                self.push(&owner, RecordType::A, ResponseCode::NOERROR, 0);
            }
        }
    }

    fn push_hit(&mut self, plan: ZonePlan, index: u32) {
        let (rtype, answers) = plan.rrset(index);
        self.push(&plan.owner(index), rtype, ResponseCode::NOERROR, answers);
    }

    fn push_nxdomain(&mut self, plan: ZonePlan, random: &mut Random) {
        // Labels are one to one with indices, and those from `names` on are not used.
        let index = plan.names + random.below(u32::MAX - plan.names);
        let owner = format!("{}.{}", zone::label(index), zone::APEX);
        self.push(&owner, RecordType::A, ResponseCode::NXDOMAIN, 0);
    }

    fn push(&mut self, qname: &str, qtype: RecordType, rcode: ResponseCode, answers: u16) {
        let Ok(name) = Name::from_text(qname.as_bytes(), None) else {
            unreachable!("generated names are short and have no escapes");
        };
        let start = self.octets.len();
        // Id 0, no flags: an authoritative server is not asked for recursion; one question.
        self.octets.extend([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
        self.octets.extend(name.as_wire());
        self.octets.extend(qtype.0.to_be_bytes());
        self.octets.extend(Class::IN.0.to_be_bytes());
        let octets = (self.octets.len() - start) as u16; // at most 12 + 255 + 4
        let expected = Expected { rcode, answers };
        self.entries.push(Entry { start: start as u32, octets, expected });
    }
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
