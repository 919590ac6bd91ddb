//! `cargo xtask tidy`: what the compiler cannot check. Every finding is listed, with its place.
//!
//! That the configuration blocks of `README.md` load is checked by a test of `dns-server`, which has the parser.

mod arrows;
mod manifest;
mod source;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::shell;

/// Folders that hold no sources of ours.
const SKIPPED_FOLDERS: [&str; 5] = [".git", "target", "artifacts", "corpus", "coverage"];

/// What `cargo xtask tidy` takes.
#[derive(clap::Args)]
pub struct Args {}

/// Something to put right.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Finding {
    file: String,
    line: usize,
    message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)
    }
}

/// Runs all checks over the workspace.
pub fn run(_: &Args) -> Result<()> {
    let root = shell::root();
    let mut findings = arrows::check(root)?;
    let mut files = Vec::new();
    collect_files(root, &mut files)?;
    for path in &files {
        // What is not text (a recorded packet, an image) has no lines to look at.
        let Ok(text) = fs::read_to_string(path) else {
            continue;
        };
        let file = relative(root, path);
        source::check_words(&file, &text, &mut findings);
        if path.extension().is_some_and(|extension| extension == "rs") {
            source::check_length(&file, &text, &mut findings);
            source::check_unsafe(&file, &text, &mut findings);
        }
        if file == "Cargo.toml" {
            manifest::check_comments(&file, &text, &mut findings);
        }
    }
    findings.sort();
    for finding in &findings {
        println!("{finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings", findings.len());
    }
    println!("tidy: {} files, nothing to report", files.len());
    Ok(())
}

fn collect_files(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        let skipped = SKIPPED_FOLDERS.iter().any(|skipped| entry.file_name() == *skipped);
        if kind.is_dir() && !skipped {
            collect_files(&entry.path(), files)?;
        } else if kind.is_file() && !skipped {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_name_their_place() {
        let finding = Finding { file: "a/b.rs".into(), line: 7, message: "is untidy".into() };
        assert_eq!(finding.to_string(), "a/b.rs:7: is untidy");
    }
}
