//! Rules, compiled: which of them are for a question, and what they do about it.
//!
//! Meet [`RuleSet`], made once from what an operator wrote; [`RuleSet::find`], which says what a question meets; and
//! [`RuleSet::transform`], which changes an answer that is written already.
//!
//! A question costs nothing while there are no rules. Else it costs one probe for each depth at which rules name names,
//! one look at the client's network and one at the type: how many rules there are does not matter to a question that
//! none of them is for. Rules are then tried only where their name, network or type was met. Regular expressions are
//! run together, in one pass over the name, and only when nothing cheaper rules them all out.

mod answers;
mod compile;
mod error;
mod expressions;
mod index;
mod order;
mod place;
mod prepare;
mod terminal;
#[cfg(test)]
mod tests;
mod turn;

use std::fmt;
use std::net::IpAddr;

use dns_core::name::HashedName;
use dns_core::{NetworkMap, RecordType};

use self::{answers::AddressFilter, expressions::Expressions, index::Index, order::Order};
pub use self::{
    answers::{Answers, Transformed},
    error::{RuleError, RuleFault},
    terminal::{Replaced, ReplacedRrset, Rewrite, Terminal},
    turn::Turn,
};

/// The rules of a server, ready to be asked. Shared by all workers; what changes lies in their [`Turn`]s.
#[derive(Default)]
pub struct RuleSet {
    /// In the order in which they were written; their places are their numbers.
    rules: Box<[CompiledRule]>,
    index: Index,
    expressions: Option<Expressions>,
}

/// A rule that is ready to be asked.
struct CompiledRule {
    name: Box<str>,
    conditions: Conditions,
    effect: Effect,
}

/// What a question must have besides the name. Empty parts are met by all.
struct Conditions {
    types: Box<[RecordType]>,
    clients: Option<NetworkMap<()>>,
    views: Box<[Box<str>]>,
}

enum Effect {
    Terminal(Terminal),
    Transform(Transform),
}

/// A change to an answer that is written already.
enum Transform {
    Ttl { min: u32, max: u32 },
    Filter(AddressFilter),
    Order(Order),
}

/// What is asked, as far as rules look at it.
struct Question<'q> {
    name: &'q HashedName,
    qtype: RecordType,
    client: IpAddr,
    view: &'q str,
}

/// What a question meets; see [`RuleSet::find`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Matched<'r> {
    /// The rule that decides, by number, and what it says.
    pub terminal: Option<(usize, &'r Terminal)>,
    /// The rules that change the answer.
    pub transforms: Transforms,
}

/// The numbers of rules that change an answer, in their order.
#[derive(Clone, Copy, Debug, Default)]
pub struct Transforms {
    numbers: [u32; Transforms::MAX],
    count: usize,
}

impl RuleSet {
    /// There are no rules, so nobody needs to ask.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// How many rules there are; their numbers run from 0 in the order they were written.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// What the operator calls a rule; `None` past the last one.
    pub fn name(&self, number: usize) -> Option<&str> {
        self.rules.get(number).map(|rule| &*rule.name)
    }

    /// The names of all rules, by number.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.rules.iter().map(|rule| &*rule.name)
    }

    /// What becomes of a question: the first rule in written order that decides, and those that change the answer.
    ///
    /// Rules that change answers count as far as they stand before the one that decides, or anywhere if that is a
    /// [`Rewrite`] or if there is none. More than [`Transforms::MAX`] of them for one question are not taken: the last ones
    /// in written order have no effect. A rewriting rule is passed over by names that lack its suffix. `client` is the address
    /// that counts: the one that sent the query, or the one it speaks for.
    #[inline]
    pub fn find(
        &self,
        name: &HashedName,
        qtype: RecordType,
        client: IpAddr,
        view: &str,
        turn: &mut Turn,
    ) -> Matched<'_> {
        if self.rules.is_empty() {
            return Matched::default();
        }
        self.search(&Question { name, qtype, client, view }, turn)
    }

    fn search(&self, question: &Question<'_>, turn: &mut Turn) -> Matched<'_> {
        let mut found = Found { rules: &self.rules, decided: None, transforms: Transforms::default() };
        self.index.for_each_list(question, |numbers| found.take(numbers, question));
        if let Some(expressions) = &self.expressions
            && found.can_gain_from(expressions.first_rule())
            && expressions.may_match(|number| self.rules[number].conditions.are_met(question))
        {
            expressions.for_each_match(question.name, turn, |number| found.take(&[number], question));
        }
        found.finish()
    }

    /// Changes an answer section that is written already as the rules that were found ask for.
    ///
    /// Where addresses are left out, records that follow the section move up, and their names are put right. What cannot be
    /// read stays as it is.
    #[inline]
    pub fn transform(
        &self,
        matched: &Matched<'_>,
        mut answers: Answers<'_>,
        client: IpAddr,
        turn: &mut Turn,
    ) -> Transformed {
        let mut transformed = Transformed { end: answers.message.len(), emptied: false };
        for number in matched.transforms.iter() {
            let Some(CompiledRule { effect: Effect::Transform(transform), .. }) = self.rules.get(number)
            else {
                continue;
            };
            answers.shorten(transformed.end);
            match transform {
                Transform::Ttl { min, max } => answers.clamp_ttls(*min, *max),
                Transform::Order(order) => answers.order(order, client, turn),
                Transform::Filter(filter) => {
                    let filtered = answers.filter(filter);
                    transformed.end = filtered.end;
                    transformed.emptied |= filtered.emptied;
                }
            }
        }
        transformed
    }
}

impl fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

impl Matched<'_> {
    /// No rule is for the question.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.terminal.is_none() && self.transforms.is_empty()
    }

    /// The numbers of all rules that have an effect: those that change the answer, then the one that decides.
    pub fn rules(&self) -> impl Iterator<Item = usize> {
        self.transforms.iter().chain(self.terminal.map(|(number, _)| number))
    }
}

impl Transforms {
    /// Most rules that change one answer.
    pub const MAX: usize = 16;

    /// There is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The numbers, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = usize> + use<> {
        self.numbers.into_iter().take(self.count).map(|number| number as usize)
    }

    /// Enters a number at its place; when all places are taken the largest one goes.
    fn insert(&mut self, number: u32) {
        let at = self.numbers[..self.count].partition_point(|known| *known < number);
        if at == Self::MAX || at < self.count && self.numbers[at] == number {
            return;
        }
        self.count = (self.count + 1).min(Self::MAX);
        self.numbers.copy_within(at..self.count - 1, at + 1);
        self.numbers[at] = number;
    }

    fn keep_below(&mut self, number: u32) {
        self.count = self.numbers[..self.count].partition_point(|known| *known < number);
    }
}

/// A search under way.
struct Found<'r> {
    rules: &'r [CompiledRule],
    decided: Option<(u32, &'r Terminal)>,
    transforms: Transforms,
}

impl<'r> Found<'r> {
    /// Tries rules whose names or networks the question has. Changes are taken wherever they stand: that a rule before
    /// them decides does not matter if a rewrite that is yet to come stands before both.
    fn take(&mut self, numbers: &[u32], question: &Question<'_>) {
        for &number in numbers {
            let rule = &self.rules[number as usize];
            match &rule.effect {
                Effect::Transform(_) => {
                    if rule.conditions.are_met(question) {
                        self.transforms.insert(number);
                    }
                }
                Effect::Terminal(terminal) => {
                    if self.decided.is_none_or(|(first, _)| number < first)
                        && rule.conditions.are_met(question)
                        && terminal.covers(question.name)
                    {
                        self.decided = Some((number, terminal));
                    }
                }
            }
        }
    }

    /// Rules from this one on may still matter, if all before it have been tried.
    fn can_gain_from(&self, number: u32) -> bool {
        match self.decided {
            None | Some((_, Terminal::Rewrite(_))) => true,
            Some((decided, _)) => number < decided,
        }
    }

    fn finish(mut self) -> Matched<'r> {
        if let Some((number, terminal)) = self.decided
            && !matches!(terminal, Terminal::Rewrite(_))
        {
            self.transforms.keep_below(number);
        }
        let terminal = self.decided.map(|(number, terminal)| (number as usize, terminal));
        Matched { terminal, transforms: self.transforms }
    }
}

impl Conditions {
    #[inline]
    fn are_met(&self, question: &Question<'_>) -> bool {
        (self.types.is_empty() || self.types.contains(&question.qtype))
            && (self.views.is_empty() || self.views.iter().any(|view| **view == *question.view))
            && self.clients.as_ref().is_none_or(|clients| clients.get(question.client).is_some())
    }
}
