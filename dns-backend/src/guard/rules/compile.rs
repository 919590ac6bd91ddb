//! Rules as they are written become rules that can be asked.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::Path;

use dns_core::{Network, RecordType};
use regex_syntax::hir::Hir;

use super::expressions::{self, EXPRESSIONS_OCTETS_MAX, Expressions};
use super::index::IndexBuilder;
use super::prepare::{self, Databases};
use super::terminal::Terminal;
use super::{CompiledRule, Conditions, Effect, RuleError, RuleFault, RuleSet};
use crate::guard::{Condition, NamePattern, Rule};

impl RuleSet {
    /// Compiles rules; `load` reads the databases that they name, each of them once.
    ///
    /// # Errors
    /// Everything that is wrong with any of the rules, in their order.
    pub fn compile(
        rules: &[Rule],
        load: &mut dyn FnMut(&Path) -> io::Result<Vec<u8>>,
    ) -> Result<Self, Vec<RuleError>> {
        let mut compiler = Compiler::default();
        let mut databases = Databases::new(load);
        let mut names = HashMap::new();
        for (number, rule) in rules.iter().enumerate() {
            let first = *names.entry(rule.name.as_str()).or_insert(number);
            compiler.rule(number, rule, first, &mut databases);
        }
        compiler.finish()
    }
}

/// Conditions besides names, as a whole; rules with expressions often have the same.
type Kind<'s> = (BTreeSet<RecordType>, BTreeSet<Network>, BTreeSet<&'s str>);

#[derive(Default)]
struct Compiler<'s> {
    rules: Vec<CompiledRule>,
    index: IndexBuilder,
    expressions: Vec<(u32, Hir)>,
    /// What the expressions so far take, in octets.
    expression_octets: usize,
    kinds: BTreeSet<Kind<'s>>,
    /// A rule for each of `kinds`.
    gates: Vec<u32>,
    errors: Vec<RuleError>,
}

impl<'s> Compiler<'s> {
    fn rule(&mut self, number: usize, rule: &'s Rule, first: usize, databases: &mut Databases<'_>) {
        let mut faults = Vec::new();
        if rule.name.is_empty() {
            faults.push(RuleFault::NameEmpty);
        } else if first != number {
            faults.push(RuleFault::NameTaken(first));
        }
        let effect = prepare::effect(&rule.action, databases, &mut |fault| faults.push(fault));
        self.expressions(number as u32, &rule.when, &mut faults);
        let error = |fault| RuleError { rule: rule.name.clone(), number, fault };
        self.errors.extend(faults.into_iter().map(error));
        // Without an effect there was an error, so nobody will ask.
        if let Some(effect) = effect {
            self.list(number as u32, &rule.when, &effect);
            let conditions = Conditions {
                types: rule.when.types.as_slice().into(),
                clients: prepare::members(&rule.when.clients),
                views: rule.when.views.iter().map(|view| view.as_str().into()).collect(),
            };
            self.rules.push(CompiledRule { name: rule.name.as_str().into(), conditions, effect });
        }
    }

    /// Takes the expressions of a rule.
    fn expressions(&mut self, number: u32, when: &'s Condition, faults: &mut Vec<RuleFault>) {
        let mut has_any = false;
        let was_small = self.expression_octets <= EXPRESSIONS_OCTETS_MAX;
        for pattern in &when.names {
            let NamePattern::Regex(expression) = pattern else { continue };
            match expressions::read(expression) {
                Ok((hir, octets)) => {
                    has_any = true;
                    self.expression_octets = self.expression_octets.saturating_add(octets);
                    self.expressions.push((number, hir));
                }
                Err(fault) => faults.push(fault),
            }
        }
        if was_small && self.expression_octets > EXPRESSIONS_OCTETS_MAX {
            faults.push(RuleFault::ExpressionsTooLarge(EXPRESSIONS_OCTETS_MAX));
        }
        if has_any {
            let kind = (
                when.types.iter().copied().collect(),
                when.clients.iter().copied().collect(),
                when.views.iter().map(String::as_str).collect(),
            );
            if self.kinds.insert(kind) {
                self.gates.push(number);
            }
        }
    }

    /// Lists a rule where questions for it come by.
    fn list(&mut self, number: u32, when: &Condition, effect: &Effect) {
        let index = &mut self.index;
        for pattern in &when.names {
            match pattern {
                NamePattern::Exact(name) => index.name(name, true, false, number),
                NamePattern::Suffix(name) => index.name(name, true, true, number),
                NamePattern::Below(name) => index.name(name, false, true, number),
                NamePattern::Regex(_) => {}
            }
        }
        if !when.names.is_empty() {
            return;
        }
        if let Effect::Terminal(Terminal::Rewrite(rewrite)) = effect {
            index.name(rewrite.from(), true, true, number);
        } else if !when.clients.is_empty() {
            when.clients.iter().for_each(|network| index.client(*network, number));
        } else if !when.types.is_empty() {
            when.types.iter().for_each(|rtype| index.rtype(*rtype, number));
        } else if !when.views.is_empty() {
            when.views.iter().for_each(|view| index.view(view, number));
        } else {
            index.other(number);
        }
    }

    fn finish(self) -> Result<RuleSet, Vec<RuleError>> {
        if !self.errors.is_empty() {
            return Err(self.errors);
        }
        let expressions = match self.expressions.last() {
            None => None,
            Some(&(last, _)) => {
                let too_large = || RuleError {
                    rule: self.rules[last as usize].name.to_string(),
                    number: last as usize,
                    fault: RuleFault::ExpressionsTooLarge(EXPRESSIONS_OCTETS_MAX),
                };
                let joined = Expressions::new(&self.expressions, self.gates);
                Some(joined.ok_or_else(|| vec![too_large()])?)
            }
        };
        Ok(RuleSet { rules: self.rules.into(), index: self.index.finish(), expressions })
    }
}
