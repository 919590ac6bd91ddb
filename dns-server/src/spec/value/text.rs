//! Short texts with a form of their own.

use super::super::reader::{Reader, Value};
use super::super::shape::Shape;
use super::super::tree::Node;
use super::shown;

/// Octets that a character string of TXT and the value of NSID have at most.
const SHORT_OCTETS_MAX: usize = 255;

/// What the server says of itself in a TXT record.
#[derive(Clone, Debug)]
pub(in crate::spec) struct ShortText(pub String);

impl Value for ShortText {
    fn shape() -> Shape {
        Shape::Text { example: "ns1.example.net" }
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let (text, _) = reader.scalar(node, "a text")?;
        if (1..=SHORT_OCTETS_MAX).contains(&text.len()) {
            return Some(Self(text.to_owned()));
        }
        reader.fault(&node.place, out_of_bounds(text.len()));
        None
    }
}

/// The answer to NSID: a text, or any octets in hexadecimal after `0x`.
#[derive(Clone, Debug)]
pub(in crate::spec) struct Nsid(pub Vec<u8>);

impl Value for Nsid {
    fn shape() -> Shape {
        Shape::Text { example: "0x6e7331" }
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let (text, _) = reader.scalar(node, "a text, or octets such as 0x6e7331")?;
        let octets = match text.strip_prefix("0x") {
            Some(digits) => hexadecimal(digits),
            None => Some(text.as_bytes().to_vec()),
        };
        let problem = match octets {
            Some(octets) if (1..=SHORT_OCTETS_MAX).contains(&octets.len()) => return Some(Self(octets)),
            Some(octets) => out_of_bounds(octets.len()),
            None => format!("{} is not an even number of hexadecimal digits after '0x'", shown(text)),
        };
        reader.fault(&node.place, problem);
        None
    }
}

fn out_of_bounds(octets: usize) -> String {
    format!("has {octets} octets, 1 to {SHORT_OCTETS_MAX} fit")
}

/// A secret that signs cookies. Messages never show it.
#[derive(Clone)]
pub(in crate::spec) struct Secret(pub [u8; 16]);

impl Secret {
    /// Reads 32 hexadecimal digits.
    pub fn from_text(text: &str) -> Result<Self, String> {
        let octets = hexadecimal(text).and_then(|octets| octets.try_into().ok());
        octets.map(Self).ok_or_else(|| {
            format!(
                "a secret is 32 hexadecimal digits, such as 'openssl rand -hex 16' prints; {} characters are given",
                text.chars().count()
            )
        })
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Value for Secret {
    fn shape() -> Shape {
        Shape::Text { example: "000102030405060708090a0b0c0d0e0f" }
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let (text, _) = reader.scalar(node, "a secret")?;
        match Self::from_text(text) {
            Ok(secret) => Some(secret),
            Err(problem) => {
                reader.fault(&node.place, problem);
                None
            }
        }
    }
}

/// The octets of pairs of digits; `None` where they are anything else.
fn hexadecimal(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    // Checked to be digits, so that neither fails.
    let pair = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    digits.as_bytes().chunks(2).map(pair).collect()
}

/// Whom to run as: a user, and a group after a colon.
#[derive(Clone, Debug)]
pub(in crate::spec) struct Account(pub String);

impl Value for Account {
    fn shape() -> Shape {
        Shape::Text { example: "jw238dns:jw238dns" }
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let (text, _) = reader.scalar(node, "a user")?;
        let is_name = |name: &str| {
            !name.is_empty()
                && !name.contains(|c: char| c == ':' || c == '/' || c.is_whitespace() || c.is_control())
        };
        let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
        if is_name(user) && group.is_none_or(is_name) {
            return Some(Self(text.to_owned()));
        }
        reader.fault(&node.place, format!("{} is neither a user nor 'user:group'", shown(text)));
        None
    }
}
