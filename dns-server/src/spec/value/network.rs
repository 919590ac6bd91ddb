//! Networks, as addresses or by name.

use dns_core::Network;

use super::super::reader::{Reader, Value};
use super::super::shape::Shape;
use super::super::tree::Node;
use super::shown;

/// A network, or the name of a group of networks.
#[derive(Clone, Debug)]
pub(in crate::spec) enum NetworkWord {
    Literal(Network),
    Group(String),
}

impl Value for NetworkWord {
    fn shape() -> Shape {
        Shape::Text { example: "192.0.2.0/24" }
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let (text, _) = reader.scalar(node, "a network or the name of a group of networks")?;
        if is_word(text) {
            return Some(Self::Group(text.to_owned()));
        }
        match text.parse() {
            Ok(network) => return Some(Self::Literal(network)),
            Err(error) => {
                let problem = format!("{} is not a network such as 192.0.2.0/24: {error}", shown(text));
                reader.fault(&node.place, problem);
            }
        }
        None
    }
}

/// The name of a view, a rule or a group of networks: a word that no address looks like.
#[derive(Clone, Debug)]
pub(in crate::spec) struct Word(pub String);

impl Value for Word {
    fn shape() -> Shape {
        Shape::Text { example: "office" }
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let (text, _) = reader.scalar(node, "a word")?;
        if is_word(text) {
            return Some(Self(text.to_owned()));
        }
        let problem = format!(
            "{} is not a word: a letter, then up to {} letters, digits, '-' and '_'",
            shown(text),
            WORD_CHARACTERS_MAX - 1
        );
        reader.fault(&node.place, problem);
        None
    }
}

const WORD_CHARACTERS_MAX: usize = 63;

/// Labels of metrics and words on command lines are made of these without quoting.
fn is_word(text: &str) -> bool {
    let others = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.len() <= WORD_CHARACTERS_MAX
        && text.bytes().all(others)
}
