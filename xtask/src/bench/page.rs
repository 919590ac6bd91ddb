//! The page of results: prose by hand, tables by the run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::Measured;
use super::machine::Machine;
use super::scenario::Scenario;
use super::table::{self, Table};

/// Where the machine and the versions are told.
const MACHINE: &str = "machine";
/// Where all budgets stand together.
const SUMMARY: &str = "summary";

/// A Markdown file with a place for every table of a run.
pub struct Page {
    file: PathBuf,
    text: String,
}

impl Page {
    /// Reads the file.
    ///
    /// # Errors
    /// It cannot be read, or lacks the place of a scenario.
    pub fn read(file: &Path, scenarios: &[&Scenario]) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let ids = scenarios.iter().map(|scenario| scenario.id).chain([MACHINE, SUMMARY]);
        let missing: Vec<_> = ids.filter(|id| place(&text, id).is_none()).collect();
        ensure!(
            missing.is_empty(),
            "{} has no lines <!-- begin ID --> and <!-- end ID --> for {}",
            file.display(),
            missing.join(", ")
        );
        Ok(Self { file: file.to_owned(), text })
    }

    /// Replaces the tables of these scenarios, and leaves everything else as it is. The summary is replaced only by that of
    /// a run of everything.
    pub fn write(mut self, machine: &Machine, all: &[Measured], everything: bool) -> Result<()> {
        self.put(MACHINE, &format!("{}\n", machine.text()));
        if everything {
            self.put(SUMMARY, &table::summary(all).markdown());
        }
        for measured in all {
            self.put(measured.scenario.id, &Table::of(measured).markdown());
        }
        fs::write(&self.file, &self.text).with_context(|| format!("cannot write {}", self.file.display()))
    }

    fn put(&mut self, id: &str, text: &str) {
        if let Some((start, end)) = place(&self.text, id) {
            self.text.replace_range(start..end, text);
        }
    }
}

/// From behind the line that begins the place to before the one that ends it.
fn place(text: &str, id: &str) -> Option<(usize, usize)> {
    let begin = format!("<!-- begin {id} -->\n");
    let start = text.find(&begin)? + begin.len();
    let end = start + text[start..].find(&format!("<!-- end {id} -->"))?;
    Some((start, end))
}

#[cfg(test)]
mod tests {
    use super::super::scenarios;
    use super::*;

    #[test]
    fn only_what_stands_between_the_marks_is_replaced() {
        let text = "prose\n<!-- begin a -->\nold\n<!-- end a -->\nmore\n<!-- begin b -->\n<!-- end b -->\n";
        let mut page = Page { file: PathBuf::new(), text: text.to_owned() };
        page.put("a", "new\n");
        page.put("b", "b\n");
        page.put("c", "c\n");
        assert_eq!(
            page.text,
            "prose\n<!-- begin a -->\nnew\n<!-- end a -->\nmore\n<!-- begin b -->\nb\n<!-- end b -->\n"
        );
    }

    #[test]
    fn a_page_without_a_place_is_refused_and_ours_has_all() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("page.md");
        fs::write(&file, "<!-- begin machine -->\n<!-- end machine -->\n").unwrap();
        let all: Vec<_> = scenarios::ALL.iter().collect();
        let error = Page::read(&file, &all).err().unwrap().to_string();
        assert!(error.contains("hits-10k") && !error.contains("machine"), "{error}");
        let results = crate::shell::root().join("benches/RESULTS.md");
        Page::read(&results, &all).unwrap();
    }
}
