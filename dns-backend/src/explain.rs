//! Why a question gets the answer it gets.

use std::net::IpAddr;

use dns_core::name::HashedName;
use dns_core::zone::SourceTag;
use dns_core::{Catalog, Name, RecordType, ResponseCode, ZoneEntry, ZoneState};

use crate::answer::{check_qtype, find_zone};
use crate::guard::Guard;
use crate::guard::rules::{Matched, Terminal, Turn};
use crate::lookup::{Outcome, lookup};

/// A question, and who asks it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Question {
    /// The name that is asked for.
    pub name: Name,
    /// The type that is asked for.
    pub rtype: RecordType,
    /// Who asks.
    pub client: IpAddr,
    /// Where: the number of the listener.
    pub listener: usize,
}

/// What decides about the answer to a question, in the order in which it is looked at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explanation {
    /// Name of the client's view.
    pub view: String,
    /// The rules that are for the question: those that change the answer, then the one that decides, if any does.
    pub rules: Vec<RuleEffect>,
    /// The zone that answers, also where a rule has decided otherwise.
    pub zone: Option<ExplainedZone>,
    /// What comes of it.
    pub verdict: ExplainedVerdict,
}

/// A rule that is for the question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RuleEffect {
    /// Name of the rule.
    pub name: String,
    /// It decides, by this action; otherwise it changes the answer.
    pub decides: Option<&'static str>,
}

/// The zone that answers a question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ExplainedZone {
    /// Its name.
    pub apex: Name,
    /// The view that has it: the client's, or the default one.
    pub view: String,
    /// Nobody declared it: it holds records that were given without one.
    pub derived: bool,
}

/// What comes of a question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ExplainedVerdict {
    /// The client may not ask at this listener.
    ListenerRefuses,
    /// The client may not ask for names of the zone.
    ZoneRefuses,
    /// The last of the rules decides.
    Rule,
    /// A rule asks for a name that would be too long: YXDOMAIN.
    NameTooLong,
    /// Such types are not answered: this response code.
    TypeRefused(ResponseCode),
    /// No zone has the name.
    NoZone,
    /// The zone could not be loaded, for this reason.
    ZoneFailed(String),
    /// The zone has the records.
    Records {
        /// Where they stand: the name that was asked for, or the wildcard that matches it.
        owner: Name,
        /// Where they came from, as the writer of the zone numbers its sources; `None` for all types at once.
        source: Option<SourceTag>,
    },
    /// The name is an alias; its target is a question of its own.
    Alias {
        /// Where the CNAME or DNAME record stands: the name, a wildcard, or a name above it.
        owner: Name,
        /// As above.
        source: SourceTag,
    },
    /// The name belongs to a child zone, whose servers are told.
    Referral {
        /// The child zone.
        cut: Name,
    },
    /// The name exists, but not with this type.
    NoData,
    /// The name does not exist.
    NxDomain,
}

/// Says what decides about the answer to a question of class IN. Slow and careful: for people and tests. Limits are not looked
/// at, as they depend on what else is asked.
pub fn explain(catalog: &Catalog, guard: &Guard, question: &Question) -> Explanation {
    let mut name = HashedName::default();
    // A name in wire form can be read.
    let _ = name.read(question.name.as_wire());
    let place = catalog.view_at(question.listener, || question.client);
    let scope = catalog.scope_at(place);
    let view = scope.map_or_else(String::new, |scope| scope.view.name().to_owned());
    let own = scope.and_then(|scope| find_zone(scope, &name, question.rtype));
    let refused = if !guard.admits(question.listener, question.client) {
        Some(ExplainedVerdict::ListenerRefuses)
    } else if own.is_some_and(|entry| !entry.admits(question.client)) {
        Some(ExplainedVerdict::ZoneRefuses)
    } else {
        None
    };
    let mut turn = Turn::new(0);
    let matched = match refused {
        None => guard.rules().find(&name, question.rtype, question.client, &view, &mut turn),
        // Rules are not even asked.
        Some(_) => Matched::default(),
    };
    let terminal = matched.terminal;
    let effect = |number: usize| RuleEffect {
        name: guard.rules().name(number).unwrap_or_default().to_owned(),
        decides: terminal.filter(|(decided, _)| *decided == number).map(|(_, terminal)| terminal.label()),
    };
    let rules: Vec<RuleEffect> = matched.rules().map(effect).collect();
    let mut is_too_long = false;
    let mut entry = own;
    if let (Some((_, Terminal::Rewrite(rewrite))), Some(scope)) = (terminal, scope) {
        let mut rewritten = HashedName::default();
        is_too_long = !rewrite.apply(&name, &mut rewritten);
        if !is_too_long {
            name = rewritten;
            entry = find_zone(scope, &name, question.rtype);
        }
    }
    let zone = entry.zip(scope).map(|(entry, scope)| {
        let is_own = scope.view.zone(&entry.apex).is_some_and(|own| std::ptr::eq(own, entry));
        let holder = if is_own { scope.view } else { scope.shared.unwrap_or(scope.view) };
        ExplainedZone { apex: entry.apex.clone(), view: holder.name().to_owned(), derived: entry.derived }
    });
    let decides = terminal.is_some_and(|(_, terminal)| !matches!(terminal, Terminal::Rewrite(_)));
    let verdict = match (refused, entry) {
        (Some(refused), _) => refused,
        _ if decides => ExplainedVerdict::Rule,
        _ if is_too_long => ExplainedVerdict::NameTooLong,
        (None, Some(entry)) if !entry.admits(question.client) => ExplainedVerdict::ZoneRefuses,
        (None, found) => answered(found, &name, question.rtype),
    };
    Explanation { view, rules, zone, verdict }
}

/// What a zone answers to a client that it admits.
fn answered(entry: Option<&ZoneEntry>, name: &HashedName, rtype: RecordType) -> ExplainedVerdict {
    let named = |wire: &[u8]| Name::from_wire(wire).unwrap_or_else(|_| Name::root());
    match entry {
        None => ExplainedVerdict::NoZone,
        Some(entry) => match &entry.state {
            ZoneState::Failed(why) => ExplainedVerdict::ZoneFailed(why.to_string()),
            ZoneState::Serving(zone) => {
                if let Err(rcode) = check_qtype(rtype) {
                    return ExplainedVerdict::TypeRefused(rcode);
                }
                let found = lookup(zone, name, rtype);
                let owner = || named(found.wildcard.map_or(name.wire(), |node| node.name()));
                match found.outcome {
                    Outcome::Answer(rrset) => {
                        ExplainedVerdict::Records { owner: owner(), source: Some(rrset.source) }
                    }
                    Outcome::Node(_) => ExplainedVerdict::Records { owner: owner(), source: None },
                    Outcome::Alias(rrset) => ExplainedVerdict::Alias { owner: owner(), source: rrset.source },
                    Outcome::Redirect(node, rrset) => {
                        ExplainedVerdict::Alias { owner: named(node.name()), source: rrset.source }
                    }
                    Outcome::Referral(node) => ExplainedVerdict::Referral { cut: named(node.name()) },
                    Outcome::NoData => ExplainedVerdict::NoData,
                    Outcome::NxDomain => ExplainedVerdict::NxDomain,
                }
            }
        },
    }
}
