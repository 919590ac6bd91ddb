//! Where peers differ from the oracle, and why that is all right: `DIFFERENCES.md`, entry by entry, as code.
//!
//! Some differences are another reading of the RFCs: then the oracle is asked again with that reading, and all of the
//! answer must follow from it. The others are single records or bits.

use dns_core::{RecordType, ResponseCode};

use crate::cases::Case;
use crate::client::Transport;
use crate::message::Response;
use crate::oracle::expected::Mismatch;
use crate::oracle::{self, AcrossZones, AnyMode, Expected, Options};
use crate::peer::Kind;
use crate::zone::ZoneData;

/// One known difference.
pub struct Rule {
    /// Its heading in `DIFFERENCES.md`.
    pub id: &'static str,
    /// The servers that differ.
    pub who: &'static [Kind],
    how: How,
}

enum How {
    /// The server takes the RFCs in another way.
    Reading(fn(&mut Options)),
    /// One mismatch of this sort.
    Mismatch(fn(&Case, &Expected, &Mismatch) -> bool),
}

/// How an answer compares with the oracle once the rules are applied.
#[derive(Debug, Default)]
pub struct Judgement {
    /// Rules that were needed; none for an answer that is right as it is.
    pub rules: Vec<&'static str>,
    /// What no rule explains.
    pub unexplained: Vec<Mismatch>,
}

/// Holds an answer against the oracle, first as it is, then as the rules for this server allow.
pub fn judge(zones: &[ZoneData], case: &Case, kind: Kind, answer: &Response) -> Judgement {
    let mut options = Options::default();
    let (mut expected, mut mismatches) = check(zones, case, kind, answer, &options);
    let mut judgement = Judgement::default();
    for rule in RULES.iter().filter(|rule| rule.who.contains(&kind)) {
        if let How::Reading(read) = rule.how {
            let mut other = options.clone();
            read(&mut other);
            let (other_expected, other_mismatches) = check(zones, case, kind, answer, &other);
            if weight(&other_mismatches) < weight(&mismatches) {
                (options, expected, mismatches) = (other, other_expected, other_mismatches);
                judgement.rules.push(rule.id);
            }
        }
    }
    for mismatch in mismatches {
        let known = RULES
            .iter()
            .filter(|rule| rule.who.contains(&kind))
            .find(|rule| matches!(rule.how, How::Mismatch(applies) if applies(case, &expected, &mismatch)));
        match known {
            Some(rule) => judgement.rules.push(rule.id),
            None => judgement.unexplained.push(mismatch),
        }
    }
    judgement.rules.sort_unstable();
    judgement.rules.dedup();
    judgement
}

/// A wrong RCODE is reported alone and hides the rest, so it weighs more than any number of records.
fn weight(mismatches: &[Mismatch]) -> usize {
    let of_one = |mismatch: &Mismatch| match mismatch {
        Mismatch::Rcode(..) => 1000,
        _ => 1,
    };
    mismatches.iter().map(of_one).sum()
}

/// The mismatches under these options; a peer may treat ANY in each of the allowed ways, so the best one counts.
fn check(
    zones: &[ZoneData],
    case: &Case,
    kind: Kind,
    answer: &Response,
    options: &Options,
) -> (Expected, Vec<Mismatch>) {
    let check = |any: AnyMode| {
        let options = Options { any, ..options.clone() };
        let expected = oracle::answer(zones, &case.question(), &options);
        let mismatches = expected.check(answer);
        (expected, mismatches)
    };
    if case.qtype != RecordType::ANY || kind == Kind::Subject || answer.truncated {
        return check(AnyMode::Tcp);
    }
    let (full, minimal) = (check(AnyMode::Full), check(AnyMode::Minimal));
    if weight(&minimal.1) < weight(&full.1) { minimal } else { full }
}

fn is_denial(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::NSEC | RecordType::NSEC3 | RecordType::RRSIG)
}

/// All rules, in the order of `DIFFERENCES.md`.
pub const RULES: &[Rule] = &[
    Rule {
        id: "aliases-across-zones",
        who: &[Kind::Bind],
        how: How::Reading(|options| options.across_zones = AcrossZones::Stop),
    },
    Rule {
        id: "aliases-across-zones",
        who: &[Kind::Knot],
        how: How::Reading(|options| options.across_zones = AcrossZones::Stay),
    },
    Rule {
        id: "dnssec-types-at-an-alias",
        who: &[Kind::Bind, Kind::Knot],
        how: How::Reading(|options| options.follow_for_dnssec_types = false),
    },
    Rule {
        id: "any-below-dname",
        who: &[Kind::Bind],
        how: How::Reading(|options| options.any_follows_dname = false),
    },
    Rule {
        id: "alias-limit",
        who: &[Kind::Nsd, Kind::Bind],
        how: How::Reading(|options| options.max_cname_depth = 127),
    },
    Rule { id: "alias-limit", who: &[Kind::Knot], how: How::Reading(|options| options.max_cname_depth = 5) },
    Rule {
        id: "alias-loop-servfail",
        who: &[Kind::Bind],
        how: How::Mismatch(|_, expected, mismatch| {
            let servfail = Mismatch::Rcode(ResponseCode::NOERROR, ResponseCode::SERVFAIL);
            let aliases = expected.answer.iter().filter(|record| record.rtype == RecordType::CNAME);
            *mismatch == servfail && (expected.looped || expected.depth_reached || aliases.count() > 10)
        }),
    },
    Rule {
        id: "alias-loop-repeated",
        who: &[Kind::Knot],
        how: How::Mismatch(|_, expected, mismatch| {
            expected.looped
                && matches!(mismatch, Mismatch::Repeated("answer", record) if record.rtype == RecordType::CNAME)
        }),
    },
    Rule {
        id: "growing-alias",
        who: &[Kind::Nsd],
        how: How::Mismatch(|case, expected, mismatch| {
            let below_dname = expected.answer.iter().any(|record| {
                record.rtype == RecordType::DNAME
                    && case.qname.is_at_or_below(&record.owner)
                    && record.target().is_some_and(|target| target.is_at_or_below(&record.owner))
            });
            below_dname
                && match mismatch {
                    Mismatch::Missing("answer", record) => record.rtype == RecordType::CNAME,
                    Mismatch::Rcode(expected, found) => {
                        (*expected, *found) == (ResponseCode::YXDOMAIN, ResponseCode::NOERROR)
                    }
                    _ => false,
                }
        }),
    },
    Rule {
        id: "glue-without-tc",
        who: &[Kind::Bind, Kind::Nsd],
        how: How::Mismatch(|case, expected, mismatch| {
            case.transport != Transport::Tcp
                && !expected.authoritative
                && matches!(mismatch, Mismatch::Missing("additional", record)
                    if matches!(record.rtype, RecordType::A | RecordType::AAAA))
        }),
    },
    Rule {
        id: "ds-of-an-undelegated-zone",
        who: &[Kind::Nsd],
        how: How::Mismatch(|case, _, mismatch| {
            case.qtype == RecordType::DS
                && *mismatch == Mismatch::Rcode(ResponseCode::NXDOMAIN, ResponseCode::NOERROR)
        }),
    },
    Rule {
        id: "one-signature-for-rrsig",
        who: &[Kind::Knot],
        how: How::Mismatch(|case, _, mismatch| {
            case.qtype == RecordType::RRSIG
                && matches!(mismatch, Mismatch::Missing("answer", record) if record.rtype == RecordType::RRSIG)
        }),
    },
    Rule {
        id: "nsec-at-a-cut",
        who: &[Kind::Bind],
        how: How::Mismatch(|case, expected, mismatch| {
            case.qtype == RecordType::NSEC
                && !expected.authoritative
                && match mismatch {
                    Mismatch::Authoritative(found) => *found,
                    Mismatch::Unexpected("answer" | "authority" | "additional", _)
                    | Mismatch::Missing("authority" | "additional", _) => true,
                    _ => false,
                }
        }),
    },
    Rule {
        id: "denial-behind-a-dname",
        who: &[Kind::Nsd],
        how: How::Mismatch(|case, expected, mismatch| {
            case.dnssec_ok
                && expected.answer.iter().any(|record| record.rtype == RecordType::DNAME)
                && matches!(mismatch, Mismatch::Missing("authority", record) if is_denial(record.rtype))
        }),
    },
    Rule {
        id: "asterisk-without-proof",
        who: &[Kind::Knot],
        how: How::Mismatch(|case, _, mismatch| {
            case.qname.is_wildcard()
                && matches!(mismatch, Mismatch::Missing("authority", record) if is_denial(record.rtype))
        }),
    },
    Rule {
        id: "nsec-from-a-wildcard",
        who: &[Kind::Knot],
        how: How::Mismatch(|case, _, mismatch| {
            case.qtype == RecordType::NSEC
                && matches!(mismatch, Mismatch::Missing("authority", record) if is_denial(record.rtype))
        }),
    },
    Rule {
        id: "unsigned-empty-non-terminals",
        who: &[Kind::Nsd],
        how: How::Mismatch(|case, expected, mismatch| {
            let opted_out = expected.authority.required.iter().any(|record| {
                record.rtype == RecordType::NSEC3 && record.rdata.get(1).is_some_and(|flags| flags & 1 == 1)
            });
            case.dnssec_ok
                && opted_out
                && matches!(mismatch,
                    Mismatch::Missing("authority", record) | Mismatch::Unexpected("authority", record)
                        if is_denial(record.rtype))
        }),
    },
    Rule {
        id: "surplus-denial-at-an-asterisk",
        who: &[Kind::Nsd],
        how: How::Mismatch(|case, _, mismatch| {
            case.qname.is_wildcard()
                && matches!(mismatch, Mismatch::Unexpected("authority", record) if is_denial(record.rtype))
        }),
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Every rule has its entry and every entry its rule, in the same order.
    #[test]
    fn rules_and_entries_are_the_same() {
        let entries: Vec<&str> =
            include_str!("../DIFFERENCES.md").lines().filter_map(|line| line.strip_prefix("### ")).collect();
        let mut rules: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
        rules.dedup(); // one entry may need a rule per server
        assert_eq!(rules, entries);
    }
}
