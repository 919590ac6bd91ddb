//! What the declared keys say to editors and readers: JSON Schema and the key table of the documentation.

use std::fmt::Write;

use serde_json::{Map, Value as Json, json};

use super::keys::Spec;
use super::reader::Value;
use super::shape::{Field, Shape};

/// The JSON Schema (draft 2020-12) of the configuration file, ending in a line break.
pub fn json_schema() -> String {
    let mut schema = mapping(Spec::shape().fields());
    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!("Configuration of jw238dns"));
    format!("{:#}\n", Json::Object(schema))
}

fn mapping(fields: &[Field]) -> Map<String, Json> {
    let properties: Map<String, Json> =
        fields.iter().map(|field| (field.key.to_owned(), property(field))).collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.key).collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema.insert("properties".to_owned(), Json::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), json!(required));
    }
    schema
}

fn property(field: &Field) -> Json {
    // A key with nothing behind it counts as absent, unless it must be there.
    let mut schema = match form(&field.shape) {
        Json::Object(schema) if field.required => schema,
        form => {
            let mut schema = Map::new();
            schema.insert("anyOf".to_owned(), json!([form, {"type": "null"}]));
            schema
        }
    };
    schema.insert("description".to_owned(), json!(field.sentence()));
    if let Some(default) = field.default {
        schema.insert("default".to_owned(), default_value(&field.shape, default));
    }
    Json::Object(schema)
}

fn default_value(shape: &Shape, text: &str) -> Json {
    match shape {
        Shape::Boolean | Shape::Integer { .. } => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        Shape::Duration => text.parse::<u64>().map_or_else(|_| json!(text), |seconds| json!(seconds)),
        Shape::List(_) => text.trim_matches(['[', ']']).split(',').map(|item| json!(item.trim())).collect(),
        _ => json!(text),
    }
}

fn form(shape: &Shape) -> Json {
    match shape {
        Shape::Boolean => json!({"type": "boolean"}),
        Shape::Integer { min, max } => json!({"type": "integer", "minimum": min, "maximum": max}),
        // Text without quotes may look like a number, and is read as text all the same.
        Shape::Text { example } => json!({"type": ["string", "number", "boolean"], "examples": [example]}),
        Shape::Choice(words) => json!({"enum": words}),
        Shape::Duration => json!({"anyOf": [
            {"type": "integer", "minimum": 0},
            {"type": "string", "pattern": "^([0-9]+|([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$", "minLength": 1},
        ]}),
        Shape::List(item) => json!({"type": "array", "items": form(item)}),
        Shape::OneOrMany(item) => {
            let item = form(item);
            json!({"anyOf": [item, {"type": "array", "items": item}]})
        }
        Shape::Mapping(fields) => Json::Object(mapping(fields)),
    }
}

/// The table of all keys in Markdown, one row per key, ending in a line break.
pub fn key_table() -> String {
    let mut table = String::from("| key | form | default | what it is for |\n|---|---|---|---|\n");
    rows(Spec::shape().fields(), "", &mut table);
    table
}

fn rows(fields: &[Field], before: &str, table: &mut String) {
    for field in fields {
        let path = format!("{before}{}", field.key);
        let default = match field.default {
            Some(default) => format!("`{default}`"),
            None if field.required => "required".to_owned(),
            None => String::new(),
        };
        let noun = field.shape.noun();
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| `{path}` | {noun} | {default} | {} |", field.sentence());
        match &field.shape {
            Shape::List(item) | Shape::OneOrMany(item) => rows(item.fields(), &format!("{path}[]."), table),
            shape => rows(shape.fields(), &format!("{path}."), table),
        }
    }
}
