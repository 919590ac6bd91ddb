//! Reads located trees into typed values and collects every mistake on the way.

use std::collections::HashMap;
use std::fmt::Write;

use super::fault::{Finding, Place};
use super::shape::{Field, Shape};
use super::suggest;
use super::tree::{Key, Kind, Node};

/// A type that can be read from a tree and can describe the form it reads.
pub(super) trait Value: Sized {
    /// The form.
    fn shape() -> Shape;

    /// Reads; `None` when mistakes were reported.
    fn read(node: &Node, reader: &mut Reader) -> Option<Self>;
}

/// A value with its place and key path, for checks that look at several values.
#[derive(Clone, Debug)]
pub(super) struct Located<V> {
    pub place: Place,
    pub key: String,
    pub value: V,
}

/// Collects findings and knows the path of the key being read.
#[derive(Default)]
pub(super) struct Reader {
    pub errors: Vec<Finding>,
    pub warnings: Vec<Finding>,
    path: String,
    /// The form of the whole file, to tell where a misplaced key belongs.
    root: Vec<Field>,
}

impl Reader {
    /// A reader for a file of these keys.
    pub fn new(root: Vec<Field>) -> Self {
        Self { root, ..Self::default() }
    }

    /// Reports a mistake in the value being read.
    pub fn fault(&mut self, place: &Place, message: impl Into<String>) {
        let key = self.path.clone();
        self.fault_at(place, &key, message);
    }

    /// Reports a mistake in a value that was read before.
    pub fn fault_at(&mut self, place: &Place, key: &str, message: impl Into<String>) {
        self.errors.push(Finding { place: place.clone(), key: key.to_owned(), message: message.into() });
    }

    /// Reports a mistake in a located value.
    pub fn object<V>(&mut self, located: &Located<V>, message: impl Into<String>) {
        self.fault_at(&located.place, &located.key, message);
    }

    /// A mistake was reported at this key or within its value, as in the items of a list, which are then left out of it.
    pub fn has_faults_below(&self, key: &str) -> bool {
        let is_below = |rest: &str| rest.is_empty() || rest.starts_with(['.', '[']);
        self.errors.iter().any(|error| error.key.strip_prefix(key).is_some_and(is_below))
    }

    /// Reports something worth knowing.
    pub fn warn<V>(&mut self, located: &Located<V>, message: impl Into<String>) {
        self.warnings.push(Finding {
            place: located.place.clone(),
            key: located.key.clone(),
            message: message.into(),
        });
    }

    /// Reads the value of a key of the mapping being read.
    pub fn key<V: Value>(&mut self, key: &str, node: &Node) -> Option<Located<V>> {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(key);
        let value = self.located(node);
        self.path.truncate(length);
        value
    }

    /// Reads a value where the path already points.
    pub fn located<V: Value>(&mut self, node: &Node) -> Option<Located<V>> {
        let value = V::read(node, self)?;
        Some(Located { place: node.place.clone(), key: self.path.clone(), value })
    }

    /// Reads each item of a list; items with mistakes are left out.
    pub fn items<V: Value>(&mut self, items: &[Node]) -> Vec<Located<V>> {
        let length = self.path.len();
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = write!(self.path, "[{index}]");
            if item.is_nothing() {
                self.fault(&item.place, "nothing is given");
            } else {
                values.extend(self.located(item));
            }
            self.path.truncate(length);
        }
        values
    }

    /// The entries of a mapping that have a known key and a value; reports unknown, repeated and missing keys.
    pub fn entries<'n>(&mut self, node: &'n Node, fields: &[Field]) -> Option<Vec<(&'n str, &'n Node)>> {
        let Kind::Mapping(entries) = &node.kind else {
            self.fault(
                &node.place,
                format!("{} is given, a mapping of keys to values is expected", node.noun()),
            );
            return None;
        };
        let mut first: HashMap<&str, &Place> = HashMap::new();
        let mut known = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            if let Some(place) = first.get(key.text.as_str()) {
                let message = format!("the key is already given at {place}");
                self.fault_key(key, message);
                continue;
            }
            first.insert(&key.text, &key.place);
            if !fields.iter().any(|field| field.key == key.text) {
                let hint = suggest::key(&key.text, fields, &self.root);
                self.fault_key(key, format!("unknown key{hint}"));
            } else if !value.is_nothing() {
                known.push((key.text.as_str(), value));
            }
        }
        for field in fields.iter().filter(|field| field.required) {
            if !known.iter().any(|(key, _)| *key == field.key) {
                self.fault(&node.place, format!("'{}' is missing", field.key));
            }
        }
        Some(known)
    }

    fn fault_key(&mut self, key: &Key, message: String) {
        let shown = key.text.escape_debug();
        let path = match self.path.as_str() {
            "" => shown.to_string(),
            path => format!("{path}.{shown}"),
        };
        self.fault_at(&key.place, &path, message);
    }

    /// The text of a single value; reports anything else.
    pub fn scalar<'n>(&mut self, node: &'n Node, expected: &str) -> Option<(&'n str, bool)> {
        if let Kind::Scalar { text, plain } = &node.kind {
            return Some((text, *plain));
        }
        self.fault(&node.place, format!("{} is given, {expected} is expected", node.noun()));
        None
    }
}

/// Declares the keys of a mapping: the struct that holds them, how it is read, and what schema and documentation say.
///
/// Each key is `"key" => field: Type [required]` or `[default "what counts without it"]`, with its documentation before it.
macro_rules! mapping {
    ($(#[doc = $about:literal])+ $name:ident {
        $($(#[doc = $field_about:literal])+ $key:literal => $field:ident: $value:ty $([$need:ident $($default:literal)?])?,)+
    }) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, Default)]
        pub(in crate::spec) struct $name {
            $($(#[doc = $field_about])+ pub $field: Option<$crate::spec::reader::Located<$value>>,)+
        }

        impl $crate::spec::reader::Value for $name {
            fn shape() -> $crate::spec::shape::Shape {
                $crate::spec::shape::Shape::Mapping(vec![$($crate::spec::shape::Field {
                    key: $key,
                    about: concat!($($field_about, "\n"),+),
                    default: None$($(.or(Some($default)))?)?,
                    required: false$( || stringify!($need) == "required")?,
                    shape: <$value as $crate::spec::reader::Value>::shape(),
                }),+])
            }

            fn read(
                node: &$crate::spec::tree::Node,
                reader: &mut $crate::spec::reader::Reader,
            ) -> Option<Self> {
                // A file may have many mappings of one kind, such as its records.
                static SHAPE: std::sync::OnceLock<$crate::spec::shape::Shape> = std::sync::OnceLock::new();
                let shape = SHAPE.get_or_init(Self::shape);
                let mut read = Self::default();
                for (key, value) in reader.entries(node, shape.fields())? {
                    match key {
                        $($key => read.$field = reader.key(key, value),)+
                        // `entries` gives the declared keys only.
                        _ => {}
                    }
                }
                Some(read)
            }
        }
    };
}
pub(super) use mapping;
