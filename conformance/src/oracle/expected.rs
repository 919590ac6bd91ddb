//! What a right answer holds, and how an answer is held against it.

use std::collections::BTreeSet;
use std::fmt;

use dns_core::{Name, RecordType, ResponseCode};

use crate::message::Response;
use crate::record::Record;

/// Records of a section, without regard to their order.
#[derive(Clone, Debug, Default)]
pub struct Section {
    /// They must be there.
    pub required: Vec<Record>,
    /// They may be there.
    pub optional: Vec<Record>,
}

/// The right answer to one question.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "independent facts about one answer")]
pub struct Expected {
    /// Response code.
    pub rcode: ResponseCode,
    /// The AA bit.
    pub authoritative: bool,
    /// Nothing but TC is to be said: the client is to come back over TCP.
    pub truncated: bool,
    /// The answer section; RRsets in the order of the chain, each RRset in any order.
    pub answer: Vec<Record>,
    /// What may also stand in the answer section.
    pub answer_optional: Vec<Record>,
    /// One RRset of `answer` is enough, and so is a made-up HINFO ([RFC 8482, section 4]).
    ///
    /// [RFC 8482, section 4]: https://www.rfc-editor.org/rfc/rfc8482#section-4
    pub minimal_any: bool,
    /// The chain of aliases came back to where it was.
    pub looped: bool,
    /// The chain of aliases was cut off at the limit.
    pub depth_reached: bool,
    /// The response code if the server looks up one name more than the limit says.
    pub rcode_at_depth: Option<ResponseCode>,
    /// The authority section.
    pub authority: Section,
    /// The additional section, OPT not counted.
    pub additional: Section,
}

impl Default for Expected {
    fn default() -> Self {
        Self {
            rcode: ResponseCode::NOERROR,
            authoritative: false,
            truncated: false,
            answer: Vec::new(),
            answer_optional: Vec::new(),
            minimal_any: false,
            looped: false,
            depth_reached: false,
            rcode_at_depth: None,
            authority: Section::default(),
            additional: Section::default(),
        }
    }
}

/// One way in which an answer is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Mismatch {
    /// Another response code; expected and found.
    Rcode(ResponseCode, ResponseCode),
    /// AA is not as expected; found.
    Authoritative(bool),
    /// TC is not as expected; found.
    Truncated(bool),
    /// A required record is missing from a section.
    Missing(&'static str, Record),
    /// A record that has no business there.
    Unexpected(&'static str, Record),
    /// A record stands twice in one section.
    Repeated(&'static str, Record),
    /// The RRsets of the answer are all there, but not in the order of the chain.
    Order,
    /// ANY got a part of an RRset.
    PartOfRrset,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rcode(expected, found) => {
                write!(f, "rcode {} instead of {}", found.label(), expected.label())
            }
            Self::Authoritative(found) => write!(f, "aa is {found}"),
            Self::Truncated(found) => write!(f, "tc is {found}"),
            Self::Missing(section, record) => write!(f, "{section} misses {record}"),
            Self::Unexpected(section, record) => write!(f, "{section} should not have {record}"),
            Self::Repeated(section, record) => write!(f, "{section} has twice {record}"),
            Self::Order => write!(f, "the answer is not in the order of the chain"),
            Self::PartOfRrset => write!(f, "ANY got a part of an RRset"),
        }
    }
}

impl Expected {
    /// Removes repetitions, and what is optional where it is required too.
    pub(super) fn tidy(&mut self) {
        for section in [&mut self.authority, &mut self.additional] {
            section.required.sort();
            section.required.dedup();
            section.optional.sort();
            section.optional.dedup();
            section.optional.retain(|record| !section.required.contains(record));
        }
        // What the answer says already need not be repeated.
        let answer = &self.answer;
        let (said, required) = std::mem::take(&mut self.additional.required)
            .into_iter()
            .partition(|record| answer.contains(record));
        self.additional.required = required;
        self.additional.optional.extend::<Vec<_>>(said);
    }

    /// Holds an answer against this; nothing is returned for a right one.
    ///
    /// An answer with TC that was not asked for is right as far as it goes: only what contradicts is reported.
    pub fn check(&self, response: &Response) -> Vec<Mismatch> {
        let mut wrong = Vec::new();
        let rcode_is_right =
            response.rcode == self.rcode || self.rcode_at_depth.is_some_and(|rcode| response.rcode == rcode);
        if !rcode_is_right {
            // Nothing else can be right then.
            return vec![Mismatch::Rcode(self.rcode, response.rcode)];
        }
        if response.authoritative != self.authoritative {
            wrong.push(Mismatch::Authoritative(response.authoritative));
        }
        if self.truncated {
            if !response.truncated {
                wrong.push(Mismatch::Truncated(false));
            }
            return wrong;
        }
        let whole = !response.truncated;
        self.check_answer(response, whole, &mut wrong);
        for (label, expected, found) in [
            ("authority", &self.authority, &response.authority),
            ("additional", &self.additional, &response.additional),
        ] {
            check_section(label, &expected.required, &expected.optional, found, whole, &mut wrong);
        }
        wrong
    }

    fn check_answer(&self, response: &Response, whole: bool, wrong: &mut Vec<Mismatch>) {
        if self.minimal_any {
            check_minimal_any(&self.answer, &response.answer, wrong);
            return;
        }
        let before = wrong.len();
        check_section("answer", &self.answer, &self.answer_optional, &response.answer, whole, wrong);
        // A resolver need not care about the order of a chain, but RFC 1034, section 4.3.2, builds it in order.
        let required: Vec<Key> = keys(self.answer.iter());
        let found: Vec<Key> = keys(response.answer.iter().filter(|record| self.answer.contains(record)));
        let aliases = |keys: &[Key]| -> Vec<Key> {
            keys.iter().filter(|key| key.1 == RecordType::CNAME).cloned().collect()
        };
        if whole && wrong.len() == before && aliases(&required) != aliases(&found) {
            wrong.push(Mismatch::Order);
        }
    }
}

type Key = (Name, RecordType);

fn keys<'r>(records: impl Iterator<Item = &'r Record>) -> Vec<Key> {
    let mut keys: Vec<Key> = records.map(|record| (record.owner.clone(), record.rtype)).collect();
    keys.dedup();
    keys
}

fn check_section(
    label: &'static str,
    required: &[Record],
    optional: &[Record],
    found: &[Record],
    whole: bool,
    wrong: &mut Vec<Mismatch>,
) {
    if whole {
        let missing = required.iter().filter(|record| !found.contains(record));
        wrong.extend(missing.map(|record| Mismatch::Missing(label, record.clone())));
    }
    let mut seen = BTreeSet::new();
    for record in found {
        if !required.contains(record) && !optional.contains(record) {
            wrong.push(Mismatch::Unexpected(label, record.clone()));
        }
        if !seen.insert(record) {
            wrong.push(Mismatch::Repeated(label, record.clone()));
        }
    }
}

/// One whole RRset with or without its signatures, or HINFO.
fn check_minimal_any(all: &[Record], found: &[Record], wrong: &mut Vec<Mismatch>) {
    let data: Vec<&Record> = found.iter().filter(|record| record.rtype != RecordType::RRSIG).collect();
    if let [only] = data[..]
        && only.rtype == RecordType::HINFO
        && !all.contains(only)
    {
        return;
    }
    for record in found.iter().filter(|record| !all.contains(record)) {
        wrong.push(Mismatch::Unexpected("answer", record.clone()));
    }
    let Some(first) = data.first().copied().or(found.first()) else {
        wrong.extend(all.first().map(|record| Mismatch::Missing("answer", record.clone())));
        return;
    };
    let whole = all.iter().filter(|record| record.rtype == first.rtype);
    if !whole.clone().all(|record| found.contains(record)) {
        wrong.push(Mismatch::PartOfRrset);
    }
}
