//! Feeds every committed corpus entry to its fuzz target.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use jw238dns_fuzz_bodies::TARGETS;

fn fuzz_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The names in a folder, without their extensions.
fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(fuzz_folder().join(folder)).unwrap();
    entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

#[test]
fn every_target_has_its_corpus_its_binary_and_its_body() {
    let bodies: BTreeSet<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("corpus"), bodies, "folders in fuzz/corpus against TARGETS");
    assert_eq!(names("fuzz_targets"), bodies, "files in fuzz/fuzz_targets against TARGETS");
    let manifest = fs::read_to_string(fuzz_folder().join("Cargo.toml")).unwrap();
    for target in &bodies {
        assert!(
            manifest.contains(&format!("path = \"fuzz_targets/{target}.rs\"")),
            "no [[bin]] for {target}"
        );
    }
}

#[test]
fn the_corpora_replay() {
    for (target, run) in TARGETS {
        let mut entries: Vec<_> = fs::read_dir(fuzz_folder().join("corpus").join(target))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        entries.sort();
        assert!(!entries.is_empty(), "fuzz/corpus/{target} is empty");
        for entry in entries {
            // The captured output of a failing test then ends with the entry that broke it.
            println!("{}", entry.display());
            run(&fs::read(&entry).unwrap());
        }
    }
}

#[test]
fn targets_take_any_octets() {
    let all: Vec<u8> = (0..=255).collect();
    for (target, run) in TARGETS {
        println!("{target}");
        for length in 0..all.len() {
            run(&all[..length]);
            run(&all[length..]);
            run(&vec![0xC0; length]);
        }
    }
}
