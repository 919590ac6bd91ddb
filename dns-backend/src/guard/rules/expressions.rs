//! The regular expressions of all rules, as one automaton.

use std::fmt::{self, Write};
use std::sync::Arc;

use dns_core::name::{HashedName, Labels, escape_label};
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::{Input, MatchKind, PatternSet};
use regex_syntax::hir::Hir;

use super::RuleFault;

/// Memory that one expression may take, in octets.
pub(super) const EXPRESSION_OCTETS_MAX: usize = 1 << 20;
/// Memory that all expressions together may take, in octets.
pub(super) const EXPRESSIONS_OCTETS_MAX: usize = 16 << 20;
/// What each worker keeps of the states that names have led to, in octets.
const CACHE_OCTETS: usize = 4 << 20;
/// With more kinds of conditions than this it is cheaper to run the automaton than to ask them all.
const GATES_MAX: usize = 8;
/// A name has at most 250 octets in its labels; each may be written as a backslash and three digits.
const TEXT_OCTETS_MAX: usize = 1024;

/// One automaton that runs over a name once and tells all expressions that match.
pub(super) struct Expressions {
    /// Its states are made when a name first leads to them. They lie with the worker, whence no meta engine of the
    /// `regex` crate here: it lends its caches from a pool that workers would share.
    automaton: DFA,
    /// The rule of each expression.
    rules: Box<[u32]>,
    /// A rule for each kind of conditions that rules with expressions have; none if there are too many of them.
    gates: Box<[u32]>,
    /// Tells the automaton from those of other rule sets.
    token: Arc<()>,
}

/// What a worker has learned about an automaton.
#[derive(Default)]
pub(super) struct ExpressionState(Option<State>);

struct State {
    token: Arc<()>,
    cache: Cache,
    matches: PatternSet,
}

/// Reads an expression, and tells how much memory it takes.
pub(super) fn read(expression: &str) -> Result<(Hir, usize), RuleFault> {
    // Names are ASCII once they are text, so that classes of Unicode would only make states larger.
    let hir =
        regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(expression).map_err(
            |error| RuleFault::Expression { expression: expression.to_owned(), message: one_line(&error) },
        )?;
    let nfa = thompson::Compiler::new().configure(config()).build_from_hir(&hir).map_err(|_| {
        RuleFault::ExpressionTooLarge { expression: expression.to_owned(), octets_max: EXPRESSION_OCTETS_MAX }
    })?;
    Ok((hir, nfa.memory_usage()))
}

/// What is wrong and at which character, without the picture that a terminal would show.
fn one_line(error: &regex_syntax::Error) -> String {
    let (kind, span) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span()),
        regex_syntax::Error::Translate(error) => (error.kind().to_string(), error.span()),
        other => return other.to_string(),
    };
    format!("{kind}, at character {}", span.start.column)
}

fn config() -> thompson::Config {
    thompson::Config::new()
        .utf8(false)
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(EXPRESSION_OCTETS_MAX))
}

impl Expressions {
    /// Joins expressions, each with its rule, in the order of the rules; at least one. `None` if they need more states than
    /// can be numbered, which the limits on their memory leave no room for.
    pub(super) fn new(expressions: &[(u32, Hir)], mut gates: Vec<u32>) -> Option<Self> {
        let hirs: Vec<&Hir> = expressions.iter().map(|(_, hir)| hir).collect();
        // Together they take about the sum of what each of them takes, which is bounded.
        let nfa: NFA = thompson::Compiler::new()
            .configure(config().nfa_size_limit(None))
            .build_many_from_hir(&hirs)
            .ok()?;
        let config = DFA::config()
            .match_kind(MatchKind::All)
            .cache_capacity(CACHE_OCTETS)
            .skip_cache_capacity_check(true);
        let automaton = DFA::builder().configure(config).build_from_nfa(nfa).ok()?;
        if gates.len() > GATES_MAX {
            gates.clear();
        }
        let rules = expressions.iter().map(|(rule, _)| *rule).collect();
        Some(Self { automaton, rules, gates: gates.into(), token: Arc::new(()) })
    }

    /// No rule before this one has an expression.
    pub(super) fn first_rule(&self) -> u32 {
        self.rules.first().copied().unwrap_or(u32::MAX)
    }

    /// Some rule may be for the question, as `conditions` says of those that stand for all of their kind.
    pub(super) fn may_match(&self, conditions: impl Fn(usize) -> bool) -> bool {
        self.gates.is_empty() || self.gates.iter().any(|gate| conditions(*gate as usize))
    }

    /// Tells the rules that have an expression which the name matches, in ascending order.
    pub(super) fn for_each_match(
        &self,
        name: &HashedName,
        turn: &mut super::Turn,
        mut each: impl FnMut(u32),
    ) {
        let mut text = Text { octets: [0; TEXT_OCTETS_MAX], length: 0 };
        text.write_name(name.wire());
        let State { cache, matches, .. } = turn.expressions.of(self);
        let input = Input::new(&text.octets[..text.length]);
        // Most names match nothing, which is told without looking at the set. No octet ends the search early and the
        // cache may be emptied any number of times, so there are no errors; were there one, the expressions would not match.
        if !matches!(self.automaton.try_search_fwd(cache, &input.clone().earliest(true)), Ok(Some(_))) {
            return;
        }
        matches.clear();
        if self.automaton.try_which_overlapping_matches(cache, &input, matches).is_ok() {
            for pattern in matches.iter() {
                each(self.rules[pattern.as_usize()]);
            }
        }
    }
}

impl ExpressionState {
    fn of(&mut self, expressions: &Expressions) -> &mut State {
        let known = self.0.take().filter(|state| Arc::ptr_eq(&state.token, &expressions.token));
        self.0.insert(known.unwrap_or_else(|| State {
            token: expressions.token.clone(),
            cache: expressions.automaton.create_cache(),
            matches: PatternSet::new(expressions.automaton.pattern_len()),
        }))
    }
}

/// A name as expressions see it.
struct Text {
    octets: [u8; TEXT_OCTETS_MAX],
    length: usize,
}

impl Text {
    /// Writes a name in lower case without the dot at its end; of the root nothing is left.
    fn write_name(&mut self, wire: &[u8]) {
        for (place, label) in Labels::of_wire(wire).enumerate() {
            if place > 0 {
                self.push(b".");
            }
            if label.iter().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_')) {
                self.push(label);
            } else {
                // Never fails: there is room for the longest name.
                let _ = escape_label(label, self);
            }
        }
    }

    fn push(&mut self, octets: &[u8]) {
        if let Some(room) = self.octets.get_mut(self.length..self.length + octets.len()) {
            room.copy_from_slice(octets);
            self.length += octets.len();
        }
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}
