//! Asks the subject and its peers the same, and sorts what differs.
//!
//! Every answer is held against the oracle. What the subject gets wrong is an error. What a peer gets "wrong" must be
//! known by a [rule](crate::differences): a choice that RFCs leave open, or a fault of the peer. Two answers that are
//! both right can still differ, in optional records and in what is cut off: that is counted.

use std::collections::BTreeMap;
use std::fmt::Write;

use anyhow::Result;

use crate::cases::Case;
use crate::client::Client;
use crate::differences::judge;
use crate::message::Response;
use crate::oracle::expected::Mismatch;
use crate::peer::{Kind, Server};
use crate::record::Record;
use crate::zone::ZoneData;

/// What came of a comparison.
#[derive(Debug, Default)]
pub struct Report {
    /// Questions asked.
    pub cases: usize,
    /// Differences that are explained, by peer and rule.
    pub explained: BTreeMap<(Kind, &'static str), usize>,
    /// Everything else, ready to read; empty for a pass.
    pub problems: Vec<String>,
    /// How many problems of each sort there were, `problems` being bounded.
    pub sorts: BTreeMap<String, usize>,
}

/// Problems written out in full for each sort; the rest are counted.
const EXAMPLES_PER_SORT: usize = 3;

impl Report {
    fn problem(&mut self, sort: String, text: impl FnOnce() -> String) {
        let count = self.sorts.entry(sort).or_default();
        *count += 1;
        if *count <= EXAMPLES_PER_SORT {
            self.problems.push(text());
        }
    }

    /// The report for a failed test.
    pub fn text(&self) -> String {
        let mut text = format!("{} questions\n", self.cases);
        for ((kind, rule), count) in &self.explained {
            let _ = writeln!(text, "  {count:6} {} {rule}", kind.label());
        }
        for (sort, count) in &self.sorts {
            let _ = writeln!(text, "! {count:6} {sort}");
        }
        for problem in &self.problems {
            let _ = writeln!(text, "\n{problem}");
        }
        text
    }
}

/// Asks all servers every case. The first server need not be the subject: without it, peers are held against the oracle.
pub fn compare(servers: &[Server], zones: &[ZoneData], cases: &[Case]) -> Result<Report> {
    let mut report = Report::default();
    let mut clients = Vec::new();
    for server in servers {
        clients.push((server.kind, Client::new(server.address)?));
    }
    for case in cases {
        report.cases += 1;
        let mut answers = Vec::new();
        for (kind, client) in &mut clients {
            match client.ask(&case.qname, case.qtype, case.transport, case.dnssec_ok) {
                Ok(answer) => answers.push((*kind, answer)),
                Err(error) => {
                    report.problem(format!("{}: no usable answer", kind.label()), || {
                        format!("{case}: {}: {error:#}", kind.label())
                    });
                }
            }
        }
        judge_all(zones, case, &answers, &mut report);
    }
    Ok(report)
}

fn judge_all(zones: &[ZoneData], case: &Case, answers: &[(Kind, Response)], report: &mut Report) {
    let subject = answers.iter().find(|(kind, _)| *kind == Kind::Subject);
    for (kind, answer) in answers {
        let judgement = judge(zones, case, *kind, answer);
        for rule in &judgement.rules {
            *report.explained.entry((*kind, rule)).or_default() += 1;
        }
        if let Some(first) = judgement.unexplained.first() {
            report.problem(format!("{}: {}", kind.label(), sort(first)), || {
                let mut text = format!("{case}: {}", kind.label());
                for mismatch in &judgement.unexplained {
                    let _ = write!(text, "\n    {mismatch}");
                }
                for (kind, answer) in answers {
                    let _ = write!(text, "\n{}", describe(*kind, answer));
                }
                text
            });
        } else if let Some((_, ours)) = subject
            && *kind != Kind::Subject
            && judgement.rules.is_empty()
            && let Some(difference) = difference(ours, answer)
        {
            *report.explained.entry((*kind, difference)).or_default() += 1;
        }
    }
}

/// In what two right answers differ.
fn difference(ours: &Response, theirs: &Response) -> Option<&'static str> {
    let sorted = |records: &[Record]| {
        let mut records = records.to_vec();
        records.sort();
        records
    };
    if ours.truncated != theirs.truncated {
        Some("truncation")
    } else if ours.truncated {
        None // what is left of a cut answer says nothing
    } else if ours.rcode != theirs.rcode {
        Some("optional-alias")
    } else if sorted(&ours.answer) != sorted(&theirs.answer) {
        Some("optional-answer")
    } else if sorted(&ours.authority) != sorted(&theirs.authority) {
        Some("optional-authority")
    } else if sorted(&ours.additional) != sorted(&theirs.additional) {
        Some("optional-additional")
    } else {
        None
    }
}

/// A mismatch without its records, to count alike ones together.
fn sort(mismatch: &Mismatch) -> String {
    match mismatch {
        Mismatch::Missing(section, record) => format!("{section} misses {}", record.rtype),
        Mismatch::Unexpected(section, record) => format!("{section} should not have {}", record.rtype),
        Mismatch::Repeated(section, record) => format!("{section} has twice {}", record.rtype),
        other => other.to_string(),
    }
}

fn describe(kind: Kind, answer: &Response) -> String {
    let mut text = format!(
        "  {}: {}{}{}, {} octets",
        kind.label(),
        answer.rcode.label(),
        if answer.authoritative { " aa" } else { "" },
        if answer.truncated { " tc" } else { "" },
        answer.octets
    );
    for (number, (section, record)) in answer.records().enumerate() {
        if number == 24 {
            text.push_str("\n      ...");
            break;
        }
        let _ = write!(text, "\n      {section}: {record}");
    }
    text
}
