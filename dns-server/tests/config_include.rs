//! Configurations that are made of several files.

use std::fs;
use std::path::Path;

use dns_server::config::ZoneContent;
use dns_server::{Config, ConfigErrors, Loaded};
use tempfile::TempDir;

/// A folder with `config.yaml` and further files.
struct Folder(TempDir);

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, text) in files {
            folder.write(name, text.as_bytes());
        }
        folder
    }

    fn write(&self, name: &str, octets: &[u8]) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, octets).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn load_with(&self, variables: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(&self.path("config.yaml"), variables)
    }

    #[track_caller]
    fn load(&self) -> Config {
        self.load_with(&[]).unwrap_or_else(|errors| panic!("{errors}")).config
    }

    /// The mistakes, with paths as seen from the folder.
    #[track_caller]
    fn errors(&self) -> String {
        let errors = self.load_with(&[]).expect_err("mistakes").to_string();
        errors.replace(&format!("{}/", self.0.path().display()), "")
    }
}

fn zone_names(config: &Config) -> Vec<String> {
    config.zones.iter().map(|zone| zone.name.to_string()).collect()
}

fn rule_names(config: &Config) -> Vec<&str> {
    config.rules.iter().map(|rule| rule.name.as_str()).collect()
}

#[test]
fn mappings_merge_and_lists_go_on_in_order() {
    let folder = Folder::new(&[
        (
            "config.yaml",
            "version: 1\ninclude: [conf.d/*.yaml, last.yaml]\nbackend: {any: full, soa: {retry: 1m}}\nrules: [{name: own, action: nodata}]\n",
        ),
        ("conf.d/20.yaml", "rules: [{name: twenty, action: nodata}]\nbackend: {soa: {refresh: 2m}}\n"),
        ("conf.d/10.yaml", "version: 1\nrules: [{name: ten, action: nodata}]\nworkers: 3\n"),
        ("conf.d/.hidden.yaml", "rules: [{name: hidden, action: nodata}]\n"),
        ("conf.d/other.txt", "not: [a part\n"),
        ("conf.d/empty.yaml", "# nothing\n"),
        (
            "last.yaml",
            "rules: [{name: last, action: nodata}]\nbackend:\n  minimal_responses: true\nlog_level:\n",
        ),
    ]);
    let config = folder.load();
    assert_eq!(rule_names(&config), ["own", "ten", "twenty", "last"]);
    assert_eq!(config.workers.map(std::num::NonZero::get), Some(3));
    assert_eq!((config.backend.soa.retry, config.backend.soa.refresh), (60, 120));
    assert!(config.backend.answers.minimal_responses);
    let read = ["conf.d/10.yaml", "conf.d/20.yaml", "conf.d/empty.yaml", "last.yaml"];
    assert_eq!(config.files, read.map(|name| folder.path(name)));
    assert_eq!(config.folders, [folder.path("conf.d")]);
    let named = config.named_paths();
    assert!(
        named.files.contains(&folder.path("last.yaml")) && named.folders.contains(&folder.path("conf.d"))
    );
}

#[test]
fn paths_begin_where_the_file_lies_that_names_them() {
    let folder = Folder::new(&[
        ("config.yaml", "include: sub/a.yaml\nzones: [{name: a.example, file: a.zone}]\nzones_dir: all\n"),
        ("sub/a.yaml", "include: deeper/b.yaml\nzones: [{name: b.example, file: b.zone}]\n"),
        (
            "sub/deeper/b.yaml",
            "zone_templates: [{zones_from: names.txt, file: '{zone}.zone'}]\ncookies: {secrets_file: secrets.txt}\n",
        ),
        ("sub/deeper/names.txt", "c.example # the third\n\n# none\n  D.example.\n"),
        (
            "sub/deeper/secrets.txt",
            "# new\n000102030405060708090a0b0c0d0e0f\n\n100102030405060708090a0b0c0d0e0f # old\n",
        ),
    ]);
    let config = folder.load();
    let files = ["a.zone", "sub/b.zone", "sub/deeper/c.example.zone", "sub/deeper/d.example.zone"];
    let expected = files.map(|name| ZoneContent::File(folder.path(name)));
    assert_eq!(config.zones.iter().map(|zone| zone.content.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(config.zones_dir, Some(folder.path("all")));
    assert_eq!(config.cookies.secrets.len(), 2);
    assert_eq!(config.cookies.secrets[0][..3], [0, 1, 2]);
    let files = ["sub/a.yaml", "sub/deeper/b.yaml", "sub/deeper/names.txt", "sub/deeper/secrets.txt"];
    assert_eq!(config.files, files.map(|name| folder.path(name)));
}

#[test]
fn a_value_that_is_given_twice_is_a_mistake_that_names_both_places() {
    let folder = Folder::new(&[
        ("config.yaml", "include: [a.yaml, b.yaml]\nworkers: 2\nbackend: {any: full}\nversion: 1\n"),
        ("a.yaml", "workers: 2\nbackend:\n  any: tcp\nlisten: {dns: '127.0.0.1:1'}\n"),
        ("b.yaml", "listen:\n  dns: ['127.0.0.1:2']\ntcp: []\nworkers: 3\nworkers: 4\n"),
    ]);
    assert_eq!(
        folder.errors(),
        "a.yaml:1:1: workers: the key is already given at config.yaml:2:1\n\
         a.yaml:3:3: backend.any: the key is already given at config.yaml:3:11\n\
         b.yaml:2:3: listen.dns: the key is already given at a.yaml:4:10\n\
         b.yaml:3:6: tcp: a list is given, a mapping of keys to values is expected\n\
         b.yaml:4:1: workers: the key is already given at config.yaml:2:1\n\
         b.yaml:5:1: workers: the key is already given at config.yaml:2:1"
    );
}

#[test]
fn mistakes_are_told_where_they_stand() {
    let folder = Folder::new(&[
        (
            "config.yaml",
            "include: [a.yaml, list.yaml, absent.yaml, broken.yaml, octets.yaml, 'x[*']\ninclude: b.yaml\n",
        ),
        ("list.yaml", "- a\n"),
        ("broken.yaml", "a: [\n"),
        ("names.txt", "a.example\n..\n@\n"),
    ]);
    folder.write("octets.yaml", b"workers: 1\n\xff\n");
    folder.write("a.yaml", b"zone_templates: [{zones_from: names.txt, file: x.zone}]\nrecords:\n  - {name: a.example., type: A, value: 192.0.2.1, tll: 5}\ninclude: {a: b}\n");
    let errors = folder.errors();
    for expected in [
        "a.yaml:3:51: records[0].tll: unknown key, did you mean 'ttl'?",
        "a.yaml:4:10: include: a mapping is given",
        "list.yaml:1:1: the file holds a list, a mapping of keys to values is expected",
        "config.yaml:1:30: include[2]: absent.yaml cannot be read: ",
        "broken.yaml:2:1: ",
        "config.yaml:1:56: include[4]: octets.yaml is not UTF-8 text: bad octet in line 2",
        "config.yaml:1:69: include[5]: 'x[*' fits no files: ",
        "config.yaml:2:1: include: the key is already given at config.yaml:1:1",
        "names.txt:2:1: zone_templates[0].zones_from: '..' is not a name",
        "names.txt:3:1: zone_templates[0].zones_from: '@' is not a name",
    ] {
        assert!(errors.lines().any(|line| line.starts_with(expected)), "{expected}\nin\n{errors}");
    }
    assert_eq!(errors.lines().count(), 10, "{errors}");
}

#[test]
fn a_mistake_is_one_line_whatever_the_path_holds() {
    let folder =
        Folder::new(&[("config.yaml", "include: \"a\\nb.yaml\"\ncookies: {secrets_file: \"c\\td\"}\n")]);
    let errors = folder.errors();
    let lines: Vec<&str> = errors.lines().collect();
    assert!(
        lines[0].contains(r"a\nb.yaml cannot be read") && lines[1].contains(r"c\td cannot be read"),
        "{errors}"
    );
    assert_eq!(lines.len(), 2);
}

#[test]
fn files_are_included_once_and_not_for_ever() {
    let folder = Folder::new(&[
        ("config.yaml", "include: [a.yaml, b.yaml, ./config.yaml]\n"),
        ("a.yaml", "include: b.yaml\n"),
        ("b.yaml", "include: a.yaml\n"),
    ]);
    assert_eq!(
        folder.errors(),
        "b.yaml:1:10: include: a.yaml would include itself\n\
         config.yaml:1:19: include[1]: b.yaml is already included at a.yaml:1:10\n\
         config.yaml:1:27: include[2]: ./config.yaml would include itself"
    );

    let chain = Folder::new(&[("config.yaml", "include: 1.yaml\n")]);
    for level in 1..=20 {
        chain.write(&format!("{level}.yaml"), format!("include: {}.yaml\n", level + 1).as_bytes());
    }
    assert_eq!(
        chain.errors(),
        "8.yaml:1:10: include: 9.yaml is included by more than 8 files that include one another"
    );
    chain.write("8.yaml", b"workers: 5\n");
    assert_eq!(chain.load().workers.map(std::num::NonZero::get), Some(5));
}

#[test]
fn all_files_together_are_bounded() {
    let folder = Folder::new(&[("config.yaml", "include: [a.yaml, b.yaml]\n")]);
    let half = vec![b'#'; 9 << 20];
    folder.write("a.yaml", &half);
    folder.write("b.yaml", &half);
    assert_eq!(
        folder.errors(),
        "config.yaml:1:19: include[1]: b.yaml and the other files of the configuration are larger than 16777216 octets"
    );
    fs::create_dir(folder.path("many")).unwrap();
    for number in 0..1001 {
        folder.write(&format!("many/{number}.yaml"), b"");
    }
    folder.write("config.yaml", b"include: many/*\n");
    let errors = folder.errors();
    assert!(errors.contains("is one of more than 1000 files"), "{errors}");
}

#[test]
fn the_environment_overrides_what_is_included_and_what_included_files_say() {
    let folder = Folder::new(&[
        ("config.yaml", "include: a.yaml\nrules: [{name: own, action: nodata}]\n"),
        ("a.yaml", "workers: 2\nrules: [{name: a, action: nodata}]\n"),
        ("b.yaml", "workers: 3\nrules: [{name: b, action: nodata}]\n"),
        ("c.yaml", "log_level: debug\n"),
    ]);
    let load = |variables: &[(&str, &str)]| folder.load_with(variables).unwrap().config;
    let other = load(&[("JW238DNS_INCLUDE", "b.yaml, c.yaml")]);
    assert_eq!(rule_names(&other), ["own", "b"]);
    assert_eq!(other.log.level.label(), "debug");
    assert_eq!(rule_names(&load(&[("JW238DNS_INCLUDE", "")])), ["own"]);
    let overridden = load(&[("JW238DNS_WORKERS", "7"), ("JW238DNS_RULES", "[]")]);
    assert_eq!(overridden.workers.map(std::num::NonZero::get), Some(7));
    assert!(overridden.rules.is_empty(), "lists are replaced, and do not go on");
    let error = folder.load_with(&[("JW238DNS_INCLUDE", "d.yaml")]).unwrap_err().to_string();
    assert!(error.starts_with("JW238DNS_INCLUDE: include[0]: "), "{error}");
}

#[test]
fn templates_make_many_zones() {
    let all: Vec<String> = (0..20_000).map(|number| format!("zone{number}.example")).collect();
    let names = format!("zone77.example\n{}\n", all.join("\n"));
    let folder = Folder::new(&[
        (
            "config.yaml",
            "zone_templates: [{zones_from: names.txt, file: 'zones/{zone}.zone', allow: private}]\n",
        ),
        ("names.txt", &names),
    ]);
    assert_eq!(
        folder.errors(),
        "names.txt:79:1: zone_templates[0].zones_from: is already given at names.txt:1:1"
    );
    folder.write("names.txt", all.join("\n").as_bytes());
    let config = folder.load();
    assert_eq!(config.zones.len(), 20_000);
    assert_eq!(zone_names(&config)[19_999], "zone19999.example.");
    assert_eq!(config.zones[3].content, ZoneContent::File(folder.path("zones/zone3.example.zone")));
    assert!(std::sync::Arc::ptr_eq(&config.zones[0].allow, &config.zones[19_999].allow), "one list for all");
}

#[test]
fn wrong_lists_of_names_are_cut_short() {
    let folder = Folder::new(&[
        ("config.yaml", "zone_templates: [{zones_from: names.txt, file: x.zone}]\n"),
        ("names.txt", &"..\n".repeat(1000)),
    ]);
    let errors = folder.errors();
    assert_eq!(errors.lines().count(), 21, "{errors}");
    assert!(
        errors.contains("names.txt:21:1: zone_templates[0].zones_from: this line and others"),
        "{errors}"
    );
}

#[test]
fn a_folder_with_pattern_characters_is_taken_as_it_is() {
    let folder =
        Folder::new(&[("a[b]/config.yaml", "include: '*.d/*.yaml'\n"), ("a[b]/x.d/a.yaml", "workers: 9\n")]);
    let config = Config::load(Path::new(&folder.path("a[b]/config.yaml")), []).unwrap().config;
    assert_eq!(config.workers.map(std::num::NonZero::get), Some(9));
    assert_eq!(config.folders, [folder.path("a[b]")]);
}
