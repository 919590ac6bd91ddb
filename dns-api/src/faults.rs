//! What is wrong with a request, all of it.

use std::collections::HashSet;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::model::{Problem, ProblemKind};

/// Everything that is wrong with a request, each with its place.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    reasons: Vec<String>,
    /// What the store tells of a request that can be read, and what is told here where it gets no request to look at.
    besides: Vec<String>,
}

impl Faults {
    pub fn add(&mut self, place: &str, what: impl Display) {
        self.reasons.push(reason(place, what));
    }

    /// As [`add`](Self::add), but no fault by itself: told only where there are some.
    pub fn add_besides(&mut self, place: &str, what: impl Display) {
        self.besides.push(reason(place, what));
    }

    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// What was read from a body, if nothing is wrong.
    pub fn none_or<T>(self, value: T) -> Result<T, Problem> {
        if self.is_empty() { Ok(value) } else { Err(self.into_problem()) }
    }

    /// What is wrong with a body.
    pub fn into_problem(self) -> Problem {
        self.into_problem_of(ProblemKind::Invalid)
    }

    /// What is wrong with parameters.
    pub fn into_malformed(self) -> Problem {
        self.into_problem_of(ProblemKind::Malformed)
    }

    fn into_problem_of(self, kind: ProblemKind) -> Problem {
        let mut reasons = self.reasons;
        reasons.extend(self.besides);
        let reasons = unique(reasons);
        let detail = match &reasons[..] {
            [reason] => reason.clone(),
            reasons => format!("{} things are wrong with the request", reasons.len()),
        };
        Problem::new(kind, detail).because(reasons)
    }
}

fn reason(place: &str, what: impl Display) -> String {
    if place.is_empty() { what.to_string() } else { format!("{place}: {what}") }
}

/// Each of them once, in the order in which they come first.
pub(crate) fn unique(mut reasons: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    reasons.retain(|reason| seen.insert(reason.clone()));
    reasons
}

/// Reads a parameter, or notes what is wrong with it.
pub(crate) fn parameter<T>(text: Option<&str>, name: &str, wanted: &str, faults: &mut Faults) -> Option<T>
where
    T: FromStr,
{
    let text = text?;
    let read = text.parse().ok();
    if read.is_none() {
        faults.add(name, format_args!("'{text}' is not {wanted}"));
    }
    read
}

/// Reads how many things a page is to have.
pub(crate) fn limit(
    text: Option<&str>,
    default: usize,
    bounds: RangeInclusive<usize>,
    faults: &mut Faults,
) -> usize {
    let wanted = format!("a number between {} and {}", bounds.start(), bounds.end());
    let limit = parameter(text, "limit", &wanted, faults).unwrap_or(default);
    if !bounds.contains(&limit) {
        faults.add("limit", format_args!("{limit} is not {wanted}"));
    }
    limit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_fault_by_itself_is_told_beside_others() {
        let mut faults = Faults::default();
        faults.add_besides("ttl", "1 is too short");
        assert!(faults.is_empty());
        faults.add("name", "it is none");
        faults.add("name", "it is none");
        let problem = faults.into_malformed();
        assert_eq!(
            (problem.status, &problem.reasons[..]),
            (400, &["name: it is none".to_owned(), "ttl: 1 is too short".to_owned()][..])
        );
        assert_eq!(problem.detail, "2 things are wrong with the request");
    }
}
