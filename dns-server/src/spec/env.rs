//! Overrides by environment variables: `JW238DNS_LISTEN__DNS` stands for the key `listen.dns`.

use std::sync::Arc;

use super::fault::{Finding, Place};
use super::reader::{Reader, Value};
use super::shape::{Field, Shape};
use super::suggest;
use super::tree::{self, Key, Kind, Node};
use super::value::{FilePattern, OneOrMany};

/// Variables that begin like this are meant for us.
const PREFIX: &str = "JW238DNS_";

/// Variables of this prefix that the programs read themselves, as they say nothing of what a server does: the token of a client.
const OF_PROGRAMS: [&str; 1] = ["JW238DNS_TOKEN"];

/// A short form and the key it stands for: a variable for one overrides the other in the file.
const SHORT_FORMS: [[&[&str]; 2]; 2] =
    [[&["dns_port"], &["listen", "dns"]], [&["http_port"], &["listen", "http"]]];

/// The variables that are meant for us.
pub(super) fn ours(variables: impl IntoIterator<Item = (String, String)>) -> Vec<(String, String)> {
    let mut ours: Vec<_> = variables
        .into_iter()
        .filter(|(name, value)| {
            name.starts_with(PREFIX) && !OF_PROGRAMS.contains(&name.as_str()) && !is_service_link(name, value)
        })
        .collect();
    // A variable for a mapping comes before those for the keys in it, so that these win.
    ours.sort();
    ours
}

/// Takes out what is to be included in place of what the file says: it has to be known before the others are applied.
pub(super) fn take_include(ours: &mut Vec<(String, String)>) -> Option<Node> {
    let at = ours.iter().position(|(name, _)| name.strip_prefix(PREFIX) == Some("INCLUDE"))?;
    let (name, value) = ours.remove(at);
    // A list of single values is split at its commas, which cannot fail.
    override_node(&name, &value, &OneOrMany::<FilePattern>::shape()).ok()
}

/// Puts the values of variables into the tree, in place of what the file says.
pub(super) fn apply(root: &mut Node, ours: &[(String, String)], fields: &[Field], reader: &mut Reader) {
    let mut applied = Vec::new();
    for (name, value) in ours {
        let segments: Vec<String> = name[PREFIX.len()..].split("__").map(str::to_lowercase).collect();
        match resolve(&segments, fields) {
            Ok(path) => match override_node(name, value, path.shape) {
                Ok(node) => {
                    put(root, &path.keys, node);
                    applied.push(path.keys);
                }
                Err(finding) => reader.errors.push(finding),
            },
            Err(hint) => reader.errors.push(Finding {
                place: Place::whole(name),
                key: String::new(),
                message: format!("unknown variable{hint}"),
            }),
        }
    }
    for [left, right] in SHORT_FORMS {
        match (applied.iter().any(|keys| keys == left), applied.iter().any(|keys| keys == right)) {
            (true, false) => remove(root, right),
            (false, true) => remove(root, left),
            _ => {}
        }
    }
}

/// Kubernetes sets variables for every Service of a namespace; a Service named `jw238dns` or `jw238dns-something`
/// makes them look like ours.
fn is_service_link(name: &str, value: &str) -> bool {
    let rest = &name[PREFIX.len()..];
    let is_url = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    rest.starts_with("PORT")
        || rest.starts_with("SERVICE_")
        || rest.ends_with("_SERVICE_HOST")
        || rest.contains("_SERVICE_PORT")
        || (rest.ends_with("_PORT") && is_url)
        || ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| {
            rest.contains("_PORT_") && (rest.ends_with(protocol) || rest.contains(&format!("{protocol}_")))
        })
}

struct Resolved<'a> {
    keys: Vec<&'static str>,
    shape: &'a Shape,
}

/// Finds the key that a variable names; on failure the rest of the sentence after "unknown variable".
fn resolve<'a>(segments: &[String], fields: &'a [Field]) -> Result<Resolved<'a>, String> {
    let mut keys: Vec<&'static str> = Vec::new();
    let mut level = fields;
    for (index, segment) in segments.iter().enumerate() {
        let Some(field) = level.iter().find(|field| field.key == segment) else {
            return Err(hint(segments, fields));
        };
        keys.push(field.key);
        if index + 1 == segments.len() {
            return Ok(Resolved { keys, shape: &field.shape });
        }
        level = field.shape.fields();
    }
    Err(hint(segments, fields))
}

fn hint(segments: &[String], fields: &[Field]) -> String {
    let mut all = Vec::new();
    variable_names(fields, "", &mut all);
    match suggest::nearest(&segments.join("__"), all.iter().map(String::as_str)) {
        Some(near) => format!(", did you mean '{PREFIX}{}'?", near.to_uppercase()),
        None => ", there is no such key".to_owned(),
    }
}

/// Lists the variables, less their prefix and in lower case.
fn variable_names(fields: &[Field], before: &str, names: &mut Vec<String>) {
    for field in fields {
        let name = format!("{before}{}", field.key);
        variable_names(field.shape.fields(), &format!("{name}__"), names);
        names.push(name);
    }
}

/// The variable's value as a node; lists of single values are separated by commas, anything deeper is YAML.
fn override_node(name: &str, value: &str, shape: &Shape) -> Result<Node, Finding> {
    let place = Place::whole(name);
    let scalar = |text: &str| Node {
        place: place.clone(),
        kind: Kind::Scalar { text: text.trim().to_owned(), plain: true },
    };
    if value.trim().is_empty() {
        return Ok(scalar(""));
    }
    match shape {
        Shape::List(item) | Shape::OneOrMany(item) if item.fields().is_empty() => {
            Ok(Node { place: place.clone(), kind: Kind::List(value.split(',').map(scalar).collect()) })
        }
        Shape::List(_) | Shape::OneOrMany(_) | Shape::Mapping(_) => {
            let source: Arc<str> = name.into();
            Ok(tree::parse(&source, value)?.unwrap_or_else(|| scalar("")))
        }
        _ => Ok(scalar(value)),
    }
}

/// Replaces the value at a path; mappings on the way are made where they are missing.
fn put(node: &mut Node, keys: &[&'static str], value: Node) {
    let [key, rest @ ..] = keys else {
        *node = value;
        return;
    };
    if !matches!(node.kind, Kind::Mapping(_)) {
        // What stood here is no mapping, so that it had no meaning at this key; the variable takes its place.
        *node = Node { place: value.place.clone(), kind: Kind::Mapping(Vec::new()) };
    }
    let Kind::Mapping(entries) = &mut node.kind else {
        return;
    };
    if !entries.iter().any(|(other, _)| other.text == *key) {
        entries.push((
            Key { place: value.place.clone(), text: (*key).to_owned() },
            Node { place: value.place.clone(), kind: Kind::Mapping(Vec::new()) },
        ));
    }
    if let Some((_, child)) = entries.iter_mut().find(|(other, _)| other.text == *key) {
        put(child, rest, value);
    }
}

/// Takes the value at a path out, if there is one.
fn remove(node: &mut Node, keys: &[&str]) {
    let (Kind::Mapping(entries), [key, rest @ ..]) = (&mut node.kind, keys) else {
        return;
    };
    if rest.is_empty() {
        entries.retain(|(other, _)| other.text != *key);
    } else if let Some((_, child)) = entries.iter_mut().find(|(other, _)| other.text == *key) {
        remove(child, rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn service_links_are_not_ours() {
        for (name, value) in [
            ("JW238DNS_PORT", "tcp://10.0.0.1:53"),
            ("JW238DNS_PORT_53_UDP", "udp://10.0.0.1:53"),
            ("JW238DNS_PORT_53_UDP_ADDR", "10.0.0.1"),
            ("JW238DNS_SERVICE_HOST", "10.0.0.1"),
            ("JW238DNS_SERVICE_PORT_DNS_TCP", "53"),
            ("JW238DNS_DNS_PORT", "udp://10.0.0.1:53"),
            ("JW238DNS_METRICS_SERVICE_HOST", "10.0.0.1"),
            ("JW238DNS_METRICS_PORT_8080_TCP_PROTO", "tcp"),
        ] {
            assert!(is_service_link(name, value), "{name}");
        }
        for (name, value) in
            [("JW238DNS_DNS_PORT", "53"), ("JW238DNS_HTTP_PORT", "8080"), ("JW238DNS_ZONES_DIR", "/z")]
        {
            assert!(!is_service_link(name, value), "{name}");
        }
    }
}
