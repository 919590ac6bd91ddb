//! Forms of single values: numbers, durations, addresses, names and words.

mod network;
mod pattern;
mod text;

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use dns_core::{Name, RecordType};

use super::reader::{Located, Reader, Value};
use super::shape::Shape;
use super::suggest;
use super::tree::{Kind, Node};

pub(super) use self::{
    network::{NetworkWord, Word},
    pattern::{Pattern, QuestionType},
    text::{Account, Nsid, Secret, ShortText},
};

/// Shows what was given, shortened so that a misplaced file does not fill the terminal.
pub(super) fn shown(text: &str) -> String {
    const CHARACTERS_MAX: usize = 60;
    format!("'{}'", printable(text, CHARACTERS_MAX))
}

/// A path for a message, longer than the system takes if need be, but never more than one line.
pub(super) fn shown_path(path: &Path) -> String {
    const CHARACTERS_MAX: usize = 4096;
    printable(&path.to_string_lossy(), CHARACTERS_MAX)
}

fn printable(text: &str, characters_max: usize) -> String {
    let mut shown = String::new();
    for character in text.chars().take(characters_max) {
        if character.is_control() {
            shown.extend(character.escape_debug());
        } else {
            shown.push(character);
        }
    }
    if text.chars().nth(characters_max).is_some() {
        shown.push_str("...");
    }
    shown
}

impl Value for bool {
    fn shape() -> Shape {
        Shape::Boolean
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match reader.scalar(node, "true or false")? {
            ("true" | "True" | "TRUE", true) => Some(true),
            ("false" | "False" | "FALSE", true) => Some(false),
            (text @ ("true" | "false"), false) => {
                reader.fault(&node.place, format!("{} is text, write it without quotes", shown(text)));
                None
            }
            (text, _) => {
                reader.fault(&node.place, format!("{} is neither true nor false", shown(text)));
                None
            }
        }
    }
}

/// A whole number between two bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number<const MIN: u64, const MAX: u64>(pub u64);

impl<const MIN: u64, const MAX: u64> Value for Number<MIN, MAX> {
    fn shape() -> Shape {
        Shape::Integer { min: MIN, max: MAX }
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let (text, plain) = reader.scalar(node, "a number")?;
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let problem = if digits.is_empty() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
            format!("{} is not a number", shown(text))
        } else if !plain {
            format!("{} is text, write it without quotes", shown(text))
        } else {
            match text.parse() {
                Ok(number) if (MIN..=MAX).contains(&number) => return Some(Self(number)),
                _ if MIN == MAX => format!("{} is not {MIN}", shown(text)),
                _ => format!("{} is not between {MIN} and {MAX}", shown(text)),
            }
        };
        reader.fault(&node.place, problem);
        None
    }
}

impl Value for Duration {
    fn shape() -> Shape {
        Shape::Duration
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let (text, _) = reader.scalar(node, "a duration")?;
        let duration = duration(text);
        if duration.is_none() {
            reader
                .fault(&node.place, format!("{} is not a duration such as 5s, 1m30s or 250ms", shown(text)));
        }
        duration
    }
}

/// Reads a duration as it stands in the configuration: whole seconds, or numbers each with a unit from `w` down to `ms`; at most
/// about a thousand years. `None` if it is none.
pub fn duration(text: &str) -> Option<Duration> {
    const MILLISECONDS_MAX: u64 = 1000 * 366 * 86_400_000;
    if !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit()) {
        let milliseconds = text.parse::<u64>().ok()?.checked_mul(1000)?;
        return (milliseconds <= MILLISECONDS_MAX).then(|| Duration::from_millis(milliseconds));
    }
    let mut rest = text;
    let mut total = 0u64;
    let mut largest = u64::MAX;
    while !rest.is_empty() {
        let (digits, tail) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (unit, tail) = tail.split_at(tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len()));
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            _ => return None,
        };
        // Units fall, so that `1s1m` and `5s5s` are taken for the slips they are.
        if milliseconds >= largest {
            return None;
        }
        largest = milliseconds;
        total = total.checked_add(digits.parse::<u64>().ok()?.checked_mul(milliseconds)?)?;
        rest = tail;
    }
    (largest < u64::MAX && total <= MILLISECONDS_MAX).then(|| Duration::from_millis(total))
}

/// Seconds as DNS has them: 31 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seconds(pub u32);

impl Value for Seconds {
    fn shape() -> Shape {
        Shape::Duration
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let (text, _) = reader.scalar(node, "a number of seconds")?;
        let Some(duration) = duration(text).filter(|duration| duration.subsec_nanos() == 0) else {
            let problem = format!("{} is not a number of seconds, nor a duration such as 1h", shown(text));
            reader.fault(&node.place, problem);
            return None;
        };
        match u32::try_from(duration.as_secs()) {
            Ok(seconds) if seconds <= dns_core::TTL_MAX => Some(Self(seconds)),
            _ => {
                let problem = format!("{} is more than {} seconds", shown(text), dns_core::TTL_MAX);
                reader.fault(&node.place, problem);
                None
            }
        }
    }
}

impl Value for SocketAddr {
    fn shape() -> Shape {
        Shape::Text { example: "192.0.2.1:53" }
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let (text, _) = reader.scalar(node, "an address with a port")?;
        if let Ok(address) = text.parse() {
            return Some(address);
        }
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        let problem = match bare.parse::<IpAddr>() {
            Ok(address) => {
                let example = SocketAddr::new(address, 53);
                format!("{} has no port, write for example '{example}'", shown(text))
            }
            Err(_) => match text.strip_prefix(':').or_else(|| text.strip_prefix("*:")) {
                Some(port) if port.parse::<u16>().is_ok() => format!(
                    "{} names no address, write '0.0.0.0:{port}' for all of IPv4 and '[::]:{port}' for all of IPv6",
                    shown(text)
                ),
                _ => format!(
                    "{} is not an IP address with a port, such as '192.0.2.1:53' or '[2001:db8::1]:53'",
                    shown(text)
                ),
            },
        };
        reader.fault(&node.place, problem);
        None
    }
}

/// A file's path.
#[derive(Clone, Debug)]
pub(super) struct FilePath(pub String);

impl Value for FilePath {
    fn shape() -> Shape {
        Shape::Text { example: "zones/example.com.zone" }
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        path(node, reader).map(Self)
    }
}

/// A file's path, or a pattern of such paths.
#[derive(Clone, Debug)]
pub(super) struct FilePattern(pub String);

impl Value for FilePattern {
    fn shape() -> Shape {
        Shape::Text { example: "conf.d/*.yaml" }
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        path(node, reader).map(Self)
    }
}

/// A folder's path.
#[derive(Clone, Debug)]
pub(super) struct FolderPath(pub String);

impl Value for FolderPath {
    fn shape() -> Shape {
        Shape::Text { example: "zones" }
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        path(node, reader).map(Self)
    }
}

fn path(node: &Node, reader: &mut Reader) -> Option<String> {
    let (text, _) = reader.scalar(node, "a path")?;
    if text.is_empty() || text.contains('\0') {
        reader.fault(&node.place, format!("{} is not a path", shown(text)));
        return None;
    }
    Some(text.to_owned())
}

/// A name with the dot at its end.
#[derive(Clone, Debug)]
pub(super) struct AbsoluteName(pub Name);

impl Value for AbsoluteName {
    fn shape() -> Shape {
        Shape::Text { example: "www.example.com." }
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        name(node, reader, false).map(Self)
    }
}

/// The name of a zone; the dot at its end may be left out, since nothing could come behind it.
#[derive(Clone, Debug)]
pub(super) struct ZoneName(pub Name);

impl Value for ZoneName {
    fn shape() -> Shape {
        Shape::Text { example: "example.com." }
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        name(node, reader, true).map(Self)
    }
}

fn name(node: &Node, reader: &mut Reader, undotted: bool) -> Option<Name> {
    let (text, _) = reader.scalar(node, "a name")?;
    let origin = undotted.then(Name::root);
    let problem = if text == "@" {
        "'@' has no meaning here, write the name out".to_owned()
    } else {
        match Name::from_text(text.as_bytes(), origin.as_ref()) {
            Ok(name) => return Some(name),
            Err(dns_core::NameError::NoOrigin) => undotted_name(text),
            Err(error) => format!("{} is not a name: {error}", shown(text)),
        }
    };
    reader.fault(&node.place, problem);
    None
}

/// What is wrong with a relative name, where there is nothing to complete it with.
pub(super) fn undotted_name(text: &str) -> String {
    match text.parse::<IpAddr>() {
        Ok(_) => format!("{} is an address, a name is expected", shown(text)),
        Err(_) => format!("{} has no dot at its end, write '{text}.'", shown(text)),
    }
}

/// The mailbox of a SOA, written as a name.
#[derive(Clone, Debug)]
pub(super) struct Mailbox(pub Name);

impl Value for Mailbox {
    fn shape() -> Shape {
        Shape::Text { example: "hostmaster.example.com." }
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let (text, _) = reader.scalar(node, "a mailbox as a name")?;
        // RFC 1035, section 8: the local part is the first label, its dots escaped.
        if let Some((local, domain)) = text.split_once('@').filter(|(local, _)| !local.is_empty()) {
            let local = local.replace('.', "\\.");
            let problem = format!(
                "{} is a mail address, write it as the name '{local}.{}.'",
                shown(text),
                domain.trim_end_matches('.')
            );
            reader.fault(&node.place, problem);
            return None;
        }
        name(node, reader, false).map(Self)
    }
}

impl Value for RecordType {
    fn shape() -> Shape {
        Shape::Text { example: "A" }
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let (text, _) = reader.scalar(node, "a record type")?;
        let problem = match text.parse::<Self>() {
            Ok(rtype) if rtype.is_meta() => format!("{rtype} is a type that is only asked for, never stored"),
            Ok(rtype) => return Some(rtype),
            Err(_) => format!("{} is not a record type", shown(text)),
        };
        reader.fault(&node.place, problem);
        None
    }
}

/// A record's value in presentation form; what it means depends on the type beside it.
#[derive(Clone, Debug)]
pub(super) struct RecordValue(pub String);

impl Value for RecordValue {
    fn shape() -> Shape {
        Shape::Text { example: "192.0.2.1" }
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        reader.scalar(node, "a record's value in presentation form").map(|(text, _)| Self(text.to_owned()))
    }
}

impl<V: Value> Value for Vec<Located<V>> {
    fn shape() -> Shape {
        Shape::List(Box::new(V::shape()))
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        if let Kind::List(items) = &node.kind {
            return Some(reader.items(items));
        }
        reader.fault(&node.place, format!("{} is given, a list is expected", node.noun()));
        None
    }
}

/// A list that may be written as its only item.
#[derive(Clone, Debug)]
pub(super) struct OneOrMany<V>(pub Vec<Located<V>>);

impl<V: Value> Value for OneOrMany<V> {
    fn shape() -> Shape {
        Shape::OneOrMany(Box::new(V::shape()))
    }

    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.kind {
            Kind::List(items) => Some(Self(reader.items(items))),
            _ => Some(Self(vec![reader.located(node)?])),
        }
    }
}

/// Reads one of a few words; reports others with the nearest one.
pub(super) fn choose<T: Copy>(node: &Node, reader: &mut Reader, words: &[(&str, T)]) -> Option<T> {
    let all = || words.iter().map(|(word, _)| *word);
    let list = all().collect::<Vec<_>>().join(", ");
    let (text, _) = reader.scalar(node, &format!("one of {list}"))?;
    if let Some((_, choice)) = words.iter().find(|(word, _)| *word == text) {
        return Some(*choice);
    }
    let problem = match suggest::nearest(text, all()) {
        Some(near) => format!("{} is not one of {list}, did you mean '{near}'?", shown(text)),
        None => format!("{} is not one of {list}", shown(text)),
    };
    reader.fault(&node.place, problem);
    None
}

/// Gives words to the variants of an enum.
macro_rules! choice {
    ($name:ty { $($word:literal => $variant:ident),+ $(,)? }) => {
        impl $crate::spec::reader::Value for $name {
            fn shape() -> $crate::spec::shape::Shape {
                $crate::spec::shape::Shape::Choice(&[$($word),+])
            }

            fn read(
                node: &$crate::spec::tree::Node,
                reader: &mut $crate::spec::reader::Reader,
            ) -> Option<Self> {
                $crate::spec::value::choose(node, reader, &[$(($word, Self::$variant)),+])
            }
        }
    };
}
pub(super) use choice;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_in_falling_units() {
        for (text, milliseconds) in [
            ("5s", 5_000),
            ("1m30s", 90_000),
            ("250ms", 250),
            ("1w2d3h4m5s6ms", 788_645_006),
            ("90", 90_000),
            ("0", 0),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in [
            "",
            "s",
            "5x",
            "-5s",
            "5 s",
            "1s1m",
            "5s5s",
            "1.5s",
            "99999999999999999999s",
            "5sx",
            "ms5",
            "5é",
            "53000w",
            "99999999999999999999",
        ] {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
