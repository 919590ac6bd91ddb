//! The schema and the documentation say what the program does.

use std::path::{Path, PathBuf};

use dns_server::{Config, json_schema, key_table};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Compares a committed file with what it should be, or writes it when `UPDATE_EXPECTED` is set.
#[track_caller]
fn check(path: &Path, expected: &str) {
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(path, expected).unwrap();
    }
    let text = std::fs::read_to_string(path).unwrap_or_default();
    assert!(text == expected, "{} is out of date: run the tests once with UPDATE_EXPECTED=1", path.display());
}

#[test]
fn the_schema_is_up_to_date() {
    let schema = json_schema();
    check(&repository().join("dns-server/config.schema.json"), &schema);

    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema["properties"]["workers"]["anyOf"][0]["maximum"], 1024);
}

#[test]
fn the_key_table_is_up_to_date() {
    const BEGIN: &str = "<!-- keys -->\n";
    const END: &str = "<!-- end of keys -->\n";
    let path = repository().join("docs/configuration.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    check(&path, &format!("{before}{BEGIN}{}{END}{after}", key_table()));
}

#[test]
fn the_declared_defaults_are_the_defaults() {
    let schema: serde_json::Value = serde_json::from_str(&json_schema()).unwrap();
    let mut with_defaults = defaults(&schema);
    // The short form stands for the default of the long one, on all addresses.
    assert_eq!(with_defaults["dns_port"], 53);
    assert_eq!(with_defaults["backend"]["default_ttl"], 300);
    // An upstream without servers is fine as long as it is off.
    with_defaults["backend"]["upstream"]["servers"] = serde_json::json!([]);
    let loaded = Config::parse("config.yaml", &with_defaults.to_string(), [])
        .unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(loaded.config, Config::default());
}

/// The file that says every default aloud.
fn defaults(schema: &serde_json::Value) -> serde_json::Value {
    let properties = schema["properties"].as_object().unwrap();
    let mut file = serde_json::Map::new();
    for (key, property) in properties {
        let form = &property["anyOf"][0];
        if let Some(default) = property.get("default") {
            file.insert(key.clone(), default.clone());
        } else if form["properties"].is_object() && form.get("required").is_none() {
            // What needs something that only its user knows has no default as a whole.
            file.insert(key.clone(), defaults(form));
        }
    }
    file.into()
}

#[test]
fn every_example_of_the_documentation_loads() {
    let text = std::fs::read_to_string(repository().join("docs/configuration.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut examples = Vec::new();
    for language in ["yaml", "text"] {
        for block in text.split(&format!("```{language}\n")).skip(1) {
            let (block, _) = block.split_once("```").unwrap();
            // One that begins with its name is a file that others include or name.
            let name = block.lines().next().and_then(|line| line.strip_prefix("# "));
            let path = folder.path().join(name.unwrap_or("config.yaml"));
            if name.is_some() {
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(&path, block).unwrap();
            }
            if language == "yaml" {
                examples.push((path, block));
            }
        }
    }
    assert!(examples.len() > 10, "{} examples", examples.len());
    for (path, example) in examples {
        std::fs::write(&path, example).unwrap();
        Config::load(&path, []).unwrap_or_else(|errors| panic!("{errors}\nin\n{example}"));
    }
}

#[test]
fn every_example_file_loads_without_a_warning() {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(repository().join("docs/examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let loaded = Config::load(&path, []).unwrap_or_else(|errors| panic!("{errors}"));
            assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
            names.push(path.file_name().unwrap().to_string_lossy().into_owned());
        }
    }
    names.sort();
    assert_eq!(names, ["internet.yaml", "split-horizon.yaml"]);
}

#[test]
fn the_example_of_a_split_horizon_says_what_it_claims() {
    let path = repository().join("docs/examples/split-horizon.yaml");
    let config = Config::load(&path, []).unwrap_or_else(|errors| panic!("{errors}")).config;
    let [staff, guests] = &config.views[..] else { panic!("two views: {:?}", config.views) };
    assert_eq!((staff.name.as_str(), guests.name.as_str()), ("staff", "guests"));
    let networks: Vec<String> = staff.clients.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/16", "fd12:3456:789a::/48", "10.8.0.0/24"]);
    assert!(staff.shared && guests.shared);
    let inside = &config.access_at("10.0.0.53:53".parse().unwrap()).unwrap().allow;
    assert!(inside.contains(&guests.clients[0]));
    assert_eq!(config.access_at("192.0.2.53:53".parse().unwrap()), None);
    assert_eq!(config.rules.len(), 2);
}
