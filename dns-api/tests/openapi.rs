//! The description of the API: committed, complete, and of the shape that programs expect.

use std::{env, fs};

use serde_json::Value;

/// Where a copy of the document is kept, for readers of the repository and generators of clients.
const COPY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
/// Rewrites it.
const UPDATE: &str = "UPDATE_EXPECTED";

/// Every operation as `GET /path`.
fn operations(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &'_ Value)| {
        let path = path.clone();
        let methods = item.as_object().unwrap().iter().map(|(method, _)| method.clone()).collect::<Vec<_>>();
        methods.into_iter().map(move |method| (path.clone(), method))
    };
    paths
        .iter()
        .flat_map(of_path)
        .map(|(path, method)| {
            let operation = &document["paths"][&path][&method];
            (format!("{} {path}", method.to_uppercase()), operation)
        })
        .collect()
}

#[test]
fn the_copy_is_what_is_served() {
    let document = dns_api::openapi();
    if env::var_os(UPDATE).is_some_and(|value| value == "1") {
        fs::write(COPY, format!("{document:#}\n")).unwrap();
    }
    let copy: Option<Value> = fs::read(COPY).ok().and_then(|copy| serde_json::from_slice(&copy).ok());
    assert!(
        copy == Some(document),
        "docs/openapi.json is not what the API serves: run the test with {UPDATE}=1"
    );
}

#[test]
fn every_operation_says_what_it_is() {
    let document = dns_api::openapi();
    let mut ids = Vec::new();
    for (operation, description) in operations(&document) {
        assert!(description["summary"].as_str().is_some_and(|text| !text.is_empty()), "{operation}");
        let tags = description["tags"].as_array().unwrap();
        let known = document["tags"].as_array().unwrap();
        for tag in tags {
            assert!(known.iter().any(|known| known["name"] == *tag), "{operation} has the tag {tag}");
        }
        assert_eq!(tags.len(), 1, "{operation}");
        ids.push(description["operationId"].as_str().unwrap().to_owned());
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "an operation id stands for one operation");
}

#[test]
fn what_needs_a_token_says_so_and_may_refuse() {
    let document = dns_api::openapi();
    for (operation, description) in operations(&document) {
        let is_open = description["tags"][0] == "probes";
        let responses = description["responses"].as_object().unwrap();
        if is_open {
            assert_eq!(description["security"], serde_json::json!([{}]), "{operation}");
            let is_probe = ["GET /health", "GET /ready"].contains(&operation.as_str());
            for status in ["400", "403", "429"].iter().filter(|_| !is_probe) {
                assert!(responses.contains_key(*status), "{operation} does not describe {status}");
            }
            continue;
        }
        assert_eq!(description["security"], serde_json::json!([{ "token": [] }]), "{operation}");
        for status in ["400", "401", "403", "429"] {
            assert!(responses.contains_key(status), "{operation} does not describe {status}");
        }
        for (status, response) in responses.iter().filter(|(status, _)| status.starts_with(['4', '5'])) {
            let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
            assert_eq!(schema, "#/components/schemas/Problem", "{operation} {status}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let document = dns_api::openapi();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}
