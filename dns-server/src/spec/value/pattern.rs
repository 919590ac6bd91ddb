//! What rules compare questions with.

use std::io;

use dns_backend::guard::rules::{RuleFault, RuleSet};
use dns_backend::guard::{Action, Condition, NamePattern, Rule};
use dns_core::{Name, RecordType};

use super::super::reader::{Reader, Value};
use super::super::shape::Shape;
use super::super::tree::Node;
use super::{shown, undotted_name};

/// A pattern of names, checked.
#[derive(Clone, Debug)]
pub(in crate::spec) struct Pattern(pub NamePattern);

impl Value for Pattern {
    fn shape() -> Shape {
        Shape::Text { example: "*.ads.example." }
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let (text, _) = reader.scalar(node, "a name, '.name', '*.name' or '/expression/'")?;
        match pattern(text) {
            Ok(pattern) => Some(Self(pattern)),
            Err(problem) => {
                reader.fault(&node.place, problem);
                None
            }
        }
    }
}

fn pattern(text: &str) -> Result<NamePattern, String> {
    if let Some(rest) = text.strip_prefix('/') {
        let Some(expression) = rest.strip_suffix('/') else {
            return Err(format!("{} begins with '/' and lacks the '/' at its end", shown(text)));
        };
        return match check_expression(expression) {
            Ok(()) => Ok(NamePattern::Regex(expression.to_owned())),
            Err(problem) => Err(format!("{} {problem}", shown(text))),
        };
    }
    let name = |name: &str| {
        Name::from_text(name.as_bytes(), None).map_err(|error| match error {
            dns_core::NameError::NoOrigin => undotted_name(text),
            error => format!("{} is not a name: {error}", shown(text)),
        })
    };
    if let Some(below) = text.strip_prefix("*.") {
        return name(if below.is_empty() { "." } else { below }).map(NamePattern::Below);
    }
    match text.strip_prefix('.').filter(|suffix| !suffix.is_empty()) {
        Some(suffix) => name(suffix).map(NamePattern::Suffix),
        None => name(text).map(NamePattern::Exact),
    }
}

/// Asks the engine that will run an expression; the rest of a sentence that begins with it says why it would not.
fn check_expression(expression: &str) -> Result<(), String> {
    let when = Condition { names: vec![NamePattern::Regex(expression.to_owned())], ..Condition::default() };
    let rule = Rule { name: "expression".to_owned(), when, action: Action::NoData };
    let faults = match RuleSet::compile(&[rule], &mut |_| Err(io::ErrorKind::Unsupported.into())) {
        Ok(_) => return Ok(()),
        Err(errors) => errors.into_iter().map(|error| error.fault),
    };
    let sentences = faults.map(|fault| match fault {
        RuleFault::Expression { message, .. } => format!("is not a regular expression: {message}"),
        RuleFault::ExpressionTooLarge { octets_max, .. } => {
            format!("takes more than {octets_max} octets once it is compiled")
        }
        other => format!("cannot be used: {other}"),
    });
    Err(sentences.collect::<Vec<_>>().join("; "))
}

/// A type of questions: one that is stored, or ANY.
#[derive(Clone, Copy, Debug)]
pub(in crate::spec) struct QuestionType(pub RecordType);

impl Value for QuestionType {
    fn shape() -> Shape {
        Shape::Text { example: "AAAA" }
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let (text, _) = reader.scalar(node, "a record type, or ANY")?;
        let problem = match text.parse::<RecordType>() {
            Ok(rtype) if rtype.is_meta() && rtype != RecordType::ANY => {
                format!("rules see no questions for {rtype}")
            }
            Ok(rtype) => return Some(Self(rtype)),
            Err(_) => format!("{} is not a record type", shown(text)),
        };
        reader.fault(&node.place, problem);
        None
    }
}
