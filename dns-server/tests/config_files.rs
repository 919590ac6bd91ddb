//! Configuration files with what they are read as, or with what is wrong with them.
//!
//! `testdata/config/valid/x.yaml` has `x.expected` beside it with the warnings and the values that are read;
//! `testdata/config/faults/x.yaml` has `x.expected` with the messages. With `UPDATE_EXPECTED=1` in the
//! environment the tests write them anew, for review as a diff.

use std::path::{Path, PathBuf};

use dns_server::{Config, ConfigErrors, Loaded};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/config").join(name)
}

/// Compares with the expected file, or writes it.
#[track_caller]
fn check(path: &Path, actual: &str) {
    let expected = path.with_extension("expected");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&expected, actual).unwrap();
    }
    let text = std::fs::read_to_string(&expected).unwrap_or_default();
    assert_eq!(text, actual, "{}", path.display());
}

/// Reads a file as if it lay in `/etc`, so that messages do not depend on where the tests run.
fn read(path: &Path) -> Result<Loaded, ConfigErrors> {
    let text = std::fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().to_str().unwrap();
    Config::parse(&format!("/etc/{name}"), &text, [])
}

fn yaml_files(name: &str) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder(name))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn valid_files_are_read() {
    for path in yaml_files("valid") {
        let loaded = read(&path).unwrap_or_else(|errors| panic!("{errors}"));
        let mut lines: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
        lines.push(format!(
            "{:#?}
",
            loaded.config
        ));
        check(
            &path,
            &lines.join(
                "
",
            ),
        );
    }
}

#[test]
fn faults_are_listed() {
    for path in yaml_files("faults") {
        let errors = read(&path).expect_err(&path.display().to_string());
        check(&path, &format!("{errors}\n"));
    }
}

#[test]
fn an_empty_file_means_the_defaults() {
    for name in ["empty.yaml", "nothing.yaml"] {
        let loaded = read(&folder("valid").join(name)).unwrap();
        assert_eq!(loaded.config, Config::default(), "{name}");
        assert!(loaded.warnings.is_empty());
    }
}

#[test]
fn unreadable_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let check = |path: &Path, expected: &str| {
        let error = Config::load(path, []).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: {expected}", path.display())), "{error}");
    };
    check(&folder.path().join("absent.yaml"), "cannot be read: ");
    check(folder.path(), "cannot be read: ");
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, b"workers: 1\nzones_dir: \xff\n").unwrap();
    check(&path, "is not UTF-8 text: bad octet in line 2");
    std::fs::write(&path, vec![b'#'; (16 << 20) + 1]).unwrap();
    check(&path, "is larger than 16777216 octets");
}

#[test]
fn a_loaded_file_gives_relative_paths_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, "zones_dir: zones\n").unwrap();
    let config = Config::load(&path, []).unwrap().config;
    assert_eq!(config.zones_dir, Some(folder.path().join("zones")));
}
