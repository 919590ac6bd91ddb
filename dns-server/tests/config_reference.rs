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
        } else if form["properties"].is_object() {
            file.insert(key.clone(), defaults(form));
        }
    }
    file.into()
}

#[test]
fn every_example_of_the_documentation_loads() {
    let text = std::fs::read_to_string(repository().join("docs/configuration.md")).unwrap();
    let mut examples = 0;
    for block in text.split("```yaml\n").skip(1) {
        let (example, _) = block.split_once("```").unwrap();
        Config::parse("/etc/jw238dns/config.yaml", example, [])
            .unwrap_or_else(|errors| panic!("{errors}\nin\n{example}"));
        examples += 1;
    }
    assert!(examples > 0);
}
