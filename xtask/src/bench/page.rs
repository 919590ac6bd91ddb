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
    /// a run of everything. So is the machine, unless it is the same: tables of earlier runs stand beside the new ones.
    pub fn write(
        mut self,
        machine: &Machine,
        all: &[Measured],
        failed: &[&Scenario],
        everything: bool,
    ) -> Result<()> {
        self.fill(machine, all, failed, everything);
        fs::write(&self.file, &self.text).with_context(|| format!("cannot write {}", self.file.display()))
    }

    fn fill(&mut self, machine: &Machine, all: &[Measured], failed: &[&Scenario], everything: bool) {
        let mut stamp = machine.stamp();
        if everything || self.is_of(machine) {
            self.put(MACHINE, &format!("{}\n", machine.text()));
        } else {
            stamp = format!("{stamp}, on another machine: {}", machine.text().trim_end_matches('.'));
        }
        if everything {
            let mut summary = table::summary(all, failed);
            summary.notes.push(format!("{stamp}."));
            self.put(SUMMARY, &summary.markdown());
        }
        for measured in all {
            let mut table = Table::of(measured);
            table.notes.push(format!("{stamp}."));
            self.put(measured.scenario.id, &table.markdown());
        }
        for scenario in failed {
            self.put(scenario.id, &format!("{}: the run of {stamp} failed here.\n", table::NOT_MEASURED));
        }
    }

    /// Whether the page tells of this machine, or of none yet.
    fn is_of(&self, machine: &Machine) -> bool {
        place(&self.text, MACHINE).is_none_or(|(start, end)| {
            let told = self.text[start..end].trim();
            told.is_empty()
                || told.strip_prefix(&machine.hardware()).is_some_and(|rest| rest.starts_with(';'))
        })
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
    use super::super::machine::tests::machine;
    use super::super::measure::tests::rounds;
    use super::super::scenarios;
    use super::super::table::Outcome;
    use super::super::table::tests::measured;
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
    fn tables_of_another_machine_say_so_and_leave_its_line() {
        let marks = |id: &str| format!("<!-- begin {id} -->\nold\n<!-- end {id} -->\n");
        let text = ["machine", "summary", "hits-10k", "any", "deep"].map(marks).concat();
        let text = text.replacen("old", "C, 2 cores, Linux 6.1; Knot 2.", 1);
        let filled = |cpu: &str, everything| {
            let mut page = Page { file: PathBuf::new(), text: text.clone() };
            let all = [measured("hits-10k", Outcome::Load(rounds()))];
            let failed: Vec<_> = scenarios::ALL.iter().filter(|scenario| scenario.id == "any").collect();
            page.fill(&machine(cpu), &all, &failed, everything);
            page.text
        };
        let of =
            |text: &str, id: &str| place(text, id).map(|(start, end)| text[start..end].to_owned()).unwrap();

        let same = filled("C", false);
        assert_eq!(of(&same, MACHINE), "C, 2 cores, Linux 6.1; Knot 3.\n");
        assert!(of(&same, "hits-10k").ends_with(" jw238dns 0123abc, 2026-02-28.\n"), "{same}");
        assert!(of(&same, "any").starts_with("not measured"), "{same}");
        assert_eq!((of(&same, SUMMARY), of(&same, "deep")), ("old\n".to_owned(), "old\n".to_owned()));

        let other = filled("D", false);
        assert_eq!(of(&other, MACHINE), "C, 2 cores, Linux 6.1; Knot 2.\n");
        let note = "2026-02-28, on another machine: D, 2 cores, Linux 6.1; Knot 3.\n";
        assert!(of(&other, "hits-10k").ends_with(note), "{other}");

        let whole = filled("D", true);
        assert_eq!(of(&whole, MACHINE), "D, 2 cores, Linux 6.1; Knot 3.\n");
        let summary = of(&whole, SUMMARY);
        assert!(summary.contains("| 10k names, hits | at most 1.03 x the echo floor | 1.500"), "{summary}");
        assert!(summary.contains("| ANY, 10k names | - | - | not measured |"), "{summary}");
        assert!(of(&whole, "hits-10k").ends_with(" jw238dns 0123abc, 2026-02-28.\n"), "{whole}");
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
