//! What is wrong with a configuration, and where.

use std::fmt;
use std::sync::Arc;

/// Where a value was given: in a file, or by an environment variable.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The file's name as it was given, or the name of the variable.
    pub source: Arc<str>,
    /// Line from 1; 0 where a line has no meaning, as for the file as a whole.
    pub line: usize,
    /// Column in characters, from 1; 0 like `line`.
    pub column: usize,
}

impl Place {
    /// All of a file, or the value of a variable.
    pub fn whole(source: &str) -> Self {
        Self { source: source.into(), line: 0, column: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}

/// One remark on a configuration: a mistake, or something worth knowing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// The key's path from the top, such as `listen.dns[0]`; empty for the file as a whole.
    pub key: String,
    /// What, in lower case and without a full stop.
    pub message: String,
}

impl fmt::Display for Finding {
    /// Writes `config.yaml:12:5: listen.dns[0]: what`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Every mistake of a configuration, in the order of the file; there is at least one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigErrors(Vec<Finding>);

impl ConfigErrors {
    /// Sorts the findings by place; `None` when there are none.
    pub(crate) fn new(mut findings: Vec<Finding>) -> Option<Self> {
        findings.sort_by(|left, right| left.place.cmp(&right.place));
        (!findings.is_empty()).then_some(Self(findings))
    }

    /// A single mistake that concerns a source as a whole.
    pub(crate) fn whole(source: &str, message: String) -> Self {
        Self(vec![Finding { place: Place::whole(source), key: String::new(), message }])
    }

    /// The mistakes one by one.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a ConfigErrors {
    type Item = &'a Finding;
    type IntoIter = std::slice::Iter<'a, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for ConfigErrors {
    /// Writes one mistake per line, without a line break at the end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            finding.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
