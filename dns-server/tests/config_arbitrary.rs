//! Files that are almost right: none of them panics, and each mistake has a place that is there.

use std::path::Path;

use dns_server::{Config, ConfigErrors};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Every file of the test data, good or bad.
fn files() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/config");
    let mut files = Vec::new();
    for name in ["valid", "faults"] {
        for entry in std::fs::read_dir(folder.join(name)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                files.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    files.sort();
    files
}

/// Pieces that YAML or our values give a meaning to.
const PIECES: &[&str] = &[
    "\n",
    "  ",
    "\t",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "'",
    "\"",
    "&a ",
    "*a",
    "!!str ",
    "#",
    "~",
    "---\n",
    "...\n",
    "|\n",
    ">-\n",
    "? ",
    "%YAML 1.2\n",
    "\u{0}",
    "\u{feff}",
    "é",
    "\\",
    "records",
    "value",
    "example.com.",
    "-1",
    "99999999999",
    "1m",
    "1ms",
    "0x10",
    "TYPE65535",
    "<<: ",
    "/[a-z]+(/",
    "*.",
    "any",
    "0x",
    "/33",
    "::/0",
    "{zone}",
    "include: x\n",
    "match: ",
];

#[derive(Clone, Debug)]
enum Edit {
    Insert(Index, &'static str),
    Remove(Index, usize),
    Repeat(Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (any::<Index>(), select(PIECES)).prop_map(|(at, piece)| Edit::Insert(at, piece)),
        (any::<Index>(), 1..20usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        (any::<Index>(), 1..60usize).prop_map(|(at, length)| Edit::Repeat(at, length)),
    ]
}

fn apply(text: &str, edits: &[Edit]) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    for edit in edits {
        let length = characters.len();
        match edit {
            Edit::Insert(at, piece) => {
                let at = at.index(length + 1);
                characters.splice(at..at, piece.chars());
            }
            Edit::Remove(at, count) => {
                let at = at.index(length + 1);
                characters.drain(at..(at + count).min(length));
            }
            Edit::Repeat(at, count) => {
                let at = at.index(length + 1);
                let piece: Vec<char> = characters[at..(at + count).min(length)].to_vec();
                characters.splice(at..at, piece);
            }
        }
    }
    characters.into_iter().collect()
}

/// Each mistake stands in the file, within its lines.
fn check_places(errors: &ConfigErrors, source: &str, text: &str) -> Result<(), TestCaseError> {
    let lines = text.split(['\n', '\r']).count() + 1;
    prop_assert!(errors.iter().count() > 0);
    for error in errors {
        prop_assert_eq!(&*error.place.source, source);
        prop_assert!(error.place.line <= lines, "{}", error);
        prop_assert!(!error.message.is_empty());
    }
    prop_assert_eq!(errors.to_string().lines().count(), errors.iter().count(), "a line per mistake");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn edited_files(file in select(files()), edits in prop::collection::vec(edit(), 1..6)) {
        let text = apply(&file, &edits);
        if let Err(errors) = Config::parse("config.yaml", &text, []) {
            check_places(&errors, "config.yaml", &text)?;
        }
    }

    #[test]
    fn edited_variables(
        name in select(&["JW238DNS_RECORDS", "JW238DNS_BACKEND", "JW238DNS_LISTEN__DNS", "JW238DNS_TCP__IDLE_TIMEOUT", "JW238DNS_INCLUDE"][..]),
        edits in prop::collection::vec(edit(), 1..6),
    ) {
        let value = apply("[{name: a.example.com., type: A, value: 192.0.2.1}]", &edits);
        if let Err(errors) = Config::parse("config.yaml", "", [(name.to_owned(), value.clone())]) {
            check_places(&errors, name, &value)?;
        }
    }

    #[test]
    fn any_text(text in "\\PC{0,200}") {
        if let Err(errors) = Config::parse("config.yaml", &text, []) {
            check_places(&errors, "config.yaml", &text)?;
        }
    }
}
