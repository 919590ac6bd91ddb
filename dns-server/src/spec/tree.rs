//! YAML as a tree in which every value knows its place.

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput};

use super::fault::{Finding, Place};

/// Largest file that is read, in octets: far above any ConfigMap (1 MiB), far below what would hurt.
pub(super) const OCTETS_MAX: usize = 16 << 20;
/// Deepest nesting; the deepest key that means anything lies at 4.
const DEPTH_MAX: usize = 32;
/// Most values.
const NODES_MAX: usize = 2 << 20;
/// Most values that aliases repeat, so that a few lines of nested aliases cannot fill the memory.
const REPEATED_MAX: usize = 100_000;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub place: Place,
    pub kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    /// `plain` text stood without quotes, so that it may be a number, a truth value or nothing at all.
    Scalar {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    /// In the order of the file; keys may repeat, the reader objects to it.
    Mapping(Vec<(Key, Node)>),
}

/// A key of a mapping.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub place: Place,
    pub text: String,
}

impl Node {
    /// The value is left out: `key:` with nothing behind it, `~` or `null`.
    pub fn is_nothing(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What the value is, as messages say it.
    pub fn noun(&self) -> &'static str {
        match &self.kind {
            _ if self.is_nothing() => "nothing",
            Kind::Scalar { .. } => "a single value",
            Kind::List(_) => "a list",
            Kind::Mapping(_) => "a mapping",
        }
    }

    /// How many values there are, this one included.
    fn count(&self) -> usize {
        1 + match &self.kind {
            Kind::Scalar { .. } => 0,
            Kind::List(items) => items.iter().map(Self::count).sum(),
            Kind::Mapping(entries) => entries.iter().map(|(_, value)| value.count()).sum(),
        }
    }
}

/// Reads a text that holds at most one document; `None` when it holds none.
///
/// YAML that is no YAML ends the reading, so there is one finding at most.
pub(super) fn parse(source: &Arc<str>, text: &str) -> Result<Option<Node>, Finding> {
    let fault = |place, message: String| Finding { place, key: String::new(), message };
    if text.len() > OCTETS_MAX {
        return Err(fault(
            Place::whole(source),
            format!("has {} octets, at most {OCTETS_MAX} are read", text.len()),
        ));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder {
        source,
        parser: Parser::new_from_str(text),
        anchors: HashMap::new(),
        nodes: 0,
        repeated: 0,
    };
    builder.stream().map_err(|error| fault(builder.place(*error.marker()), describe(&error)))
}

/// The scanner's words, with the two mistakes that most people make explained.
fn describe(error: &ScanError) -> String {
    let info = error.info();
    if info.contains("tab") { format!("{info} (YAML is indented with spaces)") } else { info.to_owned() }
}

/// Turns events into nodes. Recursion is as deep as `DEPTH_MAX`.
struct Builder<'a> {
    source: &'a Arc<str>,
    parser: Parser<'a, StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    repeated: usize,
}

impl<'a> Builder<'a> {
    fn stream(&mut self) -> Result<Option<Node>, ScanError> {
        let mut root = None;
        loop {
            let (event, marker) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(ScanError::new_str(
                        marker,
                        "a second document begins here, but the file is read as one",
                    ));
                }
                Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
                event => root = Some(self.node(event, marker, 0)?),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Marker), ScanError> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, span.start)),
            Some(Err(error)) => Err(error),
            // After the end of the stream; callers stop there, so nobody comes by.
            None => Ok((Event::StreamEnd, Marker::default())),
        }
    }

    fn place(&self, marker: Marker) -> Place {
        Place { source: self.source.clone(), line: marker.line(), column: marker.col() + 1 }
    }

    fn node(&mut self, event: Event<'a>, marker: Marker, depth: usize) -> Result<Node, ScanError> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(ScanError::new(marker, format!("the file holds more than {NODES_MAX} values")));
        }
        if depth > DEPTH_MAX {
            return Err(ScanError::new(marker, format!("values are nested more than {DEPTH_MAX} deep")));
        }
        let (kind, anchor, tag) = match event {
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    return Err(ScanError::new_str(marker, "the alias stands within the value it repeats"));
                };
                // Counted before it is copied.
                self.repeated += node.count();
                if self.repeated > REPEATED_MAX {
                    return Err(ScanError::new(
                        marker,
                        format!("aliases repeat more than {REPEATED_MAX} values"),
                    ));
                }
                return Ok(node.clone());
            }
            Event::Scalar(text, style, anchor, tag) => {
                let kind = Kind::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                (kind, anchor, tag)
            }
            Event::SequenceStart(anchor, tag) => (self.list(depth)?, anchor, tag),
            Event::MappingStart(anchor, tag) => (self.mapping(depth)?, anchor, tag),
            _ => return Err(ScanError::new_str(marker, "a value is expected here")),
        };
        if let Some(tag) = tag {
            return Err(ScanError::new(marker, format!("tag '{tag}' has no meaning here")));
        }
        let node = Node { place: self.place(marker), kind };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Kind, ScanError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Kind::List(items)),
                (event, marker) => items.push(self.node(event, marker, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<Kind, ScanError> {
        let mut entries = Vec::new();
        loop {
            let (event, marker) = self.next()?;
            if event == Event::MappingEnd {
                return Ok(Kind::Mapping(entries));
            }
            let key = match self.node(event, marker, depth + 1)? {
                Node { kind: Kind::Scalar { text, .. }, .. } => Key { place: self.place(marker), text },
                node => return Err(ScanError::new(marker, format!("{} is no key", node.noun()))),
            };
            let (event, marker) = self.next()?;
            entries.push((key, self.node(event, marker, depth + 1)?));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Node>, String> {
        parse(&"f".into(), text).map_err(|finding| finding.to_string())
    }

    #[test]
    fn nothing_is_no_document() {
        for text in ["", "\n\n", "# only a remark\n", "\u{feff}"] {
            assert!(read(text).unwrap().is_none_or(|node| node.is_nothing()), "{text:?}");
        }
    }

    #[test]
    fn places_count_from_one() {
        let Some(Node { kind: Kind::Mapping(entries), .. }) = read("a: 1\n\nbb:\n  - x\n  - 'y'\n").unwrap()
        else {
            panic!("a mapping");
        };
        let (key, Node { kind: Kind::List(items), .. }) = &entries[1] else {
            panic!("a list");
        };
        assert_eq!(key.place.to_string(), "f:3:1");
        assert_eq!(items[1].place.to_string(), "f:5:5");
        assert!(matches!(&items[1].kind, Kind::Scalar { plain: false, text } if text == "y"));
    }

    #[test]
    fn aliases_repeat_within_bounds() {
        let Some(Node { kind: Kind::Mapping(entries), .. }) = read("a: &a [1, 2]\nb: *a\n").unwrap() else {
            panic!("a mapping");
        };
        assert_eq!(entries[1].1.count(), 3);

        let mut lines = vec!["a0: &a0 [x, x, x, x, x, x, x, x, x, x]".to_owned()];
        for level in 1..20 {
            let before = level - 1;
            let list = vec![format!("*a{before}"); 10].join(", ");
            lines.push(format!("a{level}: &a{level} [{list}]"));
        }
        let error = read(&lines.join(
            "
",
        ))
        .unwrap_err();
        assert!(error.contains("aliases repeat more than"), "{error}");
    }

    #[test]
    fn deep_nesting_ends() {
        for text in ["[".repeat(100_000), "- ".repeat(10_000), "{a: ".repeat(10_000)] {
            read(&text).unwrap_err();
        }
        assert!(read(&"[".repeat(40)).unwrap_err().contains("nested more than 32 deep"));
    }

    #[test]
    fn yaml_faults_have_a_place() {
        for (text, expected) in [
            ("a: 1\n--- \nb: 2\n", "f:2:1: a second document begins here"),
            ("a: !!binary aGk=\n", "f:1:4: tag 'tag:yaml.org,2002:!binary' has no meaning here"),
            ("a: &a [*a]\n", "f:1:8: the alias stands within the value it repeats"),
            ("? [a, b]\n: 1\n", "f:1:3: a list is no key"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(expected), "{text:?}: {error}");
        }
    }
}
