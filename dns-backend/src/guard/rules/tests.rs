//! Rules in a short notation, and what questions meet.
//!
//! A rule is a line `name: conditions => action`. Of the conditions, `+x` is the name x, `.x` the name and all below it, `*.x`
//! all below it, `/x` a regular expression, `@x` a network, `%x` a view; anything else is a type.

mod answers;
mod compile;
mod find;
mod oracle;
mod order;

use std::io;
use std::net::IpAddr;
use std::path::Path;

use dns_core::name::HashedName;
use dns_core::{Name, Network, RecordType};

use super::*;
use crate::guard::{Action, AddressOrder, Condition, NamePattern, Replacement, Rule};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn hashed(text: &str) -> HashedName {
    let mut hashed = HashedName::default();
    hashed.read(name(text).as_wire()).unwrap();
    hashed
}

fn client() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

fn no_files(_: &Path) -> io::Result<Vec<u8>> {
    Err(io::Error::from(io::ErrorKind::NotFound))
}

fn rules(text: &str) -> Vec<Rule> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(rule).collect()
}

/// One line for each number.
fn lines(numbers: impl Iterator<Item = usize>, line: impl Fn(usize) -> String) -> String {
    numbers.map(line).collect::<Vec<_>>().join("\n")
}

fn rule(line: &str) -> Rule {
    let (name, rest) = line.split_once(':').unwrap();
    let (conditions, action) = rest.split_once("=>").unwrap();
    let mut when = Condition::default();
    for word in conditions.split_whitespace() {
        match word.split_at(1) {
            ("+", exact) => when.names.push(NamePattern::Exact(self::name(exact))),
            ("*", below) => when.names.push(NamePattern::Below(self::name(&below[1..]))),
            (".", "") => when.names.push(NamePattern::Suffix(Name::root())),
            (".", suffix) => when.names.push(NamePattern::Suffix(self::name(suffix))),
            ("/", expression) => when.names.push(NamePattern::Regex(expression.into())),
            ("@", network) => when.clients.push(network.parse().unwrap()),
            ("%", view) => when.views.push(view.into()),
            _ => when.types.push(word.parse().unwrap()),
        }
    }
    Rule { name: name.into(), when, action: action_of(action.trim()) }
}

fn action_of(text: &str) -> Action {
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let words: Vec<&str> = rest.split_whitespace().collect();
    let networks = || words.iter().map(|word| word.parse().unwrap()).collect::<Vec<Network>>();
    match verb {
        "refuse" => Action::Refuse,
        "nxdomain" => Action::NxDomain,
        "nodata" => Action::NoData,
        "drop" => Action::Drop,
        "replace" => Action::Replace(rest.split(';').map(str::trim).map(replacement).collect()),
        "rewrite" => Action::Rewrite { from: name(words[0]), to: name(words[1]) },
        "ttl" => Action::ClampTtl { min: words[0].parse().unwrap(), max: words[1].parse().unwrap() },
        "keep" => Action::FilterAddresses { keep: networks(), remove: Vec::new() },
        "remove" => Action::FilterAddresses { keep: Vec::new(), remove: networks() },
        "fixed" => Action::OrderAddresses(AddressOrder::Fixed(networks())),
        "rotate" => Action::OrderAddresses(AddressOrder::Rotate),
        "random" => Action::OrderAddresses(AddressOrder::Random),
        "nearest" => Action::OrderAddresses(AddressOrder::NearestPrefix),
        "place" => Action::OrderAddresses(AddressOrder::NearestPlace(rest.into())),
        other => panic!("no action is called {other}"),
    }
}

/// `TYPE TTL RDATA`, the values apart by commas.
fn replacement(text: &str) -> Replacement {
    let mut words = text.splitn(3, ' ');
    let rtype: RecordType = words.next().unwrap().parse().unwrap();
    let ttl = words.next().unwrap().parse().unwrap();
    let values = words.next().into_iter().flat_map(|values| values.split(','));
    let rdatas = values.map(|value| dns_core::rdata::from_text(rtype, value, Some(&[0])).unwrap());
    Replacement { rtype, ttl, rdatas: rdatas.collect() }
}

#[track_caller]
fn compile(text: &str) -> RuleSet {
    RuleSet::compile(&rules(text), &mut no_files).unwrap()
}

/// What `name type client view` meets, by the names of the rules: those that change the answer, then the one that decides
/// in brackets.
fn met(set: &RuleSet, question: &str) -> String {
    let words: Vec<&str> = question.split_whitespace().collect();
    let [qname, qtype, client, view] = words[..] else { panic!("{question}: four words are wanted") };
    let (qtype, client) = (qtype.parse().unwrap(), client.parse().unwrap());
    let matched = set.find(&hashed(qname), qtype, client, view, &mut Turn::new(1));
    let mut names: Vec<String> =
        matched.transforms.iter().map(|number| set.name(number).unwrap().to_owned()).collect();
    if let Some((number, terminal)) = matched.terminal {
        names.push(format!("[{} {}]", set.name(number).unwrap(), terminal.label()));
    }
    names.join(" ")
}

#[track_caller]
fn check(set: &RuleSet, question: &str, expected: &str) {
    assert_eq!(met(set, question), expected, "{question}");
}
