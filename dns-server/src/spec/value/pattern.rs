//! What rules compare questions with.

use dns_backend::guard::NamePattern;
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
            Err(error) => Err(format!("{} is not a regular expression: {error}", shown(text))),
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

/// One line that says why the engine would not take an expression.
fn check_expression(expression: &str) -> Result<(), String> {
    // Names are ASCII once they are text.
    let mut builder = regex::bytes::RegexBuilder::new(expression);
    match builder.unicode(false).size_limit(REGEX_OCTETS_MAX).build() {
        Ok(_) => Ok(()),
        Err(regex::Error::CompiledTooBig(limit)) => {
            Err(format!("it takes more than {limit} octets to match"))
        }
        Err(error) => {
            // It shows the expression with a marker below the place, then says what is wrong.
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            Err(last.strip_prefix("error: ").unwrap_or(last).to_owned())
        }
    }
}

/// Largest compiled expression, in octets: what is written for names by hand is far below.
const REGEX_OCTETS_MAX: usize = 1 << 20;

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
