//! `rules`: each with just the parameters that its action has.

use std::collections::HashSet;
use std::io;

use dns_backend::guard::rules::RuleSet;
use dns_backend::guard::{Action, AddressOrder, Condition, Replacement, Rule};
use dns_core::{RecordType, TTL_MAX};

use super::super::fault::Place;
use super::super::keys::{
    ActionWord, AddressesSpec, ClampSpec, ConditionSpec, OrderSpec, OrderWord, ReplacementSpec, RewriteSpec,
    RuleSpec,
};
use super::super::reader::{Located, Reader};
use super::super::suggest;
use super::{Context, distinct, records, seconds, value, values};
use crate::config::{Backend, View};

/// Rules in their order; those with mistakes are reported and left out.
pub(super) fn rules(
    specs: Option<Located<Vec<Located<RuleSpec>>>>,
    views: &[View],
    backend: &Backend,
    context: &mut Context<'_, '_>,
) -> Vec<Rule> {
    let specs = value(specs).unwrap_or_default();
    let names = specs.iter().filter_map(|rule| rule.value.name.as_ref());
    distinct(names.map(|name| (name.value.0.clone(), name)), context.reader);
    let views: HashSet<&str> = views.iter().map(|view| view.name.as_str()).chain([View::DEFAULT]).collect();
    let rules = specs.into_iter().filter_map(|spec| {
        let Located { place, key, value: spec } = spec;
        let value = rule(spec, &place, &key, &views, backend, context)?;
        Some(Located { place, key, value })
    });
    let rules: Vec<Located<Rule>> = rules.collect();
    if !context.reader.has_faults_below("rules") {
        check(&rules, context.reader);
    }
    rules.into_iter().map(|rule| rule.value).collect()
}

/// Has the rules compiled, as far as no database is needed for it: what is wrong between parts of a rule, or with all
/// rules together, is known to the engine.
fn check(rules: &[Located<Rule>], reader: &mut Reader) {
    let needs_database =
        |rule: &Rule| matches!(rule.action, Action::OrderAddresses(AddressOrder::NearestPlace(_)));
    let checked: Vec<&Located<Rule>> = rules.iter().filter(|rule| !needs_database(&rule.value)).collect();
    let plain: Vec<Rule> = checked.iter().map(|rule| rule.value.clone()).collect();
    let Err(errors) = RuleSet::compile(&plain, &mut |_| Err(io::ErrorKind::Unsupported.into())) else {
        return;
    };
    for error in errors {
        if let Some(rule) = checked.get(error.number) {
            reader.object(rule, error.fault.to_string());
        }
    }
}

fn rule(
    spec: RuleSpec,
    place: &Place,
    key: &str,
    views: &HashSet<&str>,
    backend: &Backend,
    context: &mut Context<'_, '_>,
) -> Option<Rule> {
    let RuleSpec { name, when, action: word, replace, rewrite, ttl, addresses, order } = spec;
    let condition = condition(value(when).unwrap_or_default(), views, context);
    // Without an action nothing says which parameters are right; that it is missing was reported.
    let word = word?;
    let reader = &mut *context.reader;
    let given = [
        parameter("replace", ActionWord::Replace, replace.as_ref()),
        parameter("rewrite", ActionWord::Rewrite, rewrite.as_ref()),
        parameter("ttl", ActionWord::ClampTtl, ttl.as_ref()),
        parameter("addresses", ActionWord::FilterAddresses, addresses.as_ref()),
        parameter("order", ActionWord::OrderAddresses, order.as_ref()),
    ];
    for Parameter { name, action, given } in given {
        match given {
            Some((place, key)) if action != word.value => {
                reader.fault_at(&place, &key, "is not used by the action of this rule");
            }
            None if action == word.value && !reader.has_faults_below(&format!("{key}.{name}")) => {
                reader.object(&word, format!("this action needs '{name}'"));
            }
            _ => {}
        }
    }
    let action = match word.value {
        ActionWord::Refuse => Action::Refuse,
        ActionWord::NxDomain => Action::NxDomain,
        ActionWord::NoData => Action::NoData,
        ActionWord::Drop => Action::Drop,
        ActionWord::Replace => Action::Replace(replacements(&replace?, backend, reader)),
        ActionWord::Rewrite => {
            let RewriteSpec { from, to } = rewrite?.value;
            let (from, to) = (from?, to?);
            if from.value.0 == to.value.0 {
                reader.object(&to, "is what 'from' is, so it changes nothing");
            }
            Action::Rewrite { from: from.value.0, to: to.value.0 }
        }
        ActionWord::ClampTtl => clamp(&ttl?, reader)?,
        ActionWord::FilterAddresses => filter(&addresses?, context),
        ActionWord::OrderAddresses => Action::OrderAddresses(address_order(order?, context)?),
    };
    let name = name?.value.0;
    if condition == Condition::default() && matches!(action, Action::Refuse | Action::Drop) {
        let what = if action == Action::Drop { "dropped" } else { "refused" };
        let warning = format!("rule '{name}' has no 'match', so every question is {what}");
        let place = Located { place: place.clone(), key: key.to_owned(), value: () };
        context.reader.warn(&place, warning);
    }
    Some(Rule { name, when: condition, action })
}

/// A key that belongs to one action.
struct Parameter {
    name: &'static str,
    action: ActionWord,
    given: Option<(Place, String)>,
}

fn parameter<V>(name: &'static str, action: ActionWord, given: Option<&Located<V>>) -> Parameter {
    Parameter { name, action, given: given.map(|given| (given.place.clone(), given.key.clone())) }
}

fn condition(spec: ConditionSpec, views: &HashSet<&str>, context: &mut Context<'_, '_>) -> Condition {
    let ConditionSpec { names, types, clients, views: wanted } = spec;
    let clients = context.networks.some(clients.as_ref(), context.reader);
    let reader = &mut *context.reader;
    // Read as no list at all, an empty one would fit everything.
    some_given(names.as_ref().map(|list| (list, list.value.0.len())), reader);
    some_given(types.as_ref().map(|list| (list, list.value.0.len())), reader);
    some_given(wanted.as_ref().map(|list| (list, list.value.0.len())), reader);
    for view in wanted.iter().flat_map(|list| &list.value.0) {
        if !views.contains(view.value.0.as_str()) {
            let mut known: Vec<&str> = views.iter().copied().collect();
            known.sort_unstable();
            let hint = match suggest::nearest(&view.value.0, known.iter().copied()) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!("there are {}", known.join(", ")),
            };
            reader.object(view, format!("there is no view '{}', {hint}", view.value.0));
        }
    }
    Condition {
        names: values(names).unwrap_or_default().into_iter().map(|name| name.0).collect(),
        types: values(types).unwrap_or_default().into_iter().map(|rtype| rtype.0).collect(),
        clients,
        views: values(wanted).unwrap_or_default().into_iter().map(|view| view.0).collect(),
    }
}

fn some_given<V>(list: Option<(&Located<V>, usize)>, reader: &mut Reader) {
    if let Some((list, 0)) = list
        && !reader.has_faults_below(&list.key)
    {
        reader.object(list, "the list is empty; leave the key out to match everything");
    }
}

fn replacements(
    specs: &Located<Vec<Located<ReplacementSpec>>>,
    backend: &Backend,
    reader: &mut Reader,
) -> Vec<Replacement> {
    if specs.value.is_empty() && !reader.has_faults_below(&specs.key) {
        reader.object(specs, "the list is empty; 'nodata' is the action that leaves nothing");
    }
    let types = specs.value.iter().filter_map(|spec| spec.value.rtype.as_ref());
    distinct(types.map(|rtype| (rtype.value, rtype)), reader);
    let cname = specs.value.iter().find(|spec| is_cname(spec));
    if let Some(cname) = cname.filter(|_| specs.value.len() > 1) {
        reader.object(cname, "a CNAME answers all types, so that it stands alone");
    }
    let made = specs.value.iter().filter_map(|spec| {
        let ReplacementSpec { rtype, ttl, value } = &spec.value;
        let rtype = rtype.as_ref()?.value;
        let rdatas = records::rdatas(rtype, value.as_ref()?, reader)?;
        Some(Replacement { rtype, ttl: seconds(ttl.as_ref(), backend.default_ttl), rdatas })
    });
    made.collect()
}

fn is_cname(spec: &Located<ReplacementSpec>) -> bool {
    spec.value.rtype.as_ref().is_some_and(|rtype| rtype.value == RecordType::CNAME)
}

fn clamp(spec: &Located<ClampSpec>, reader: &mut Reader) -> Option<Action> {
    let ClampSpec { min, max } = &spec.value;
    if min.is_none() && max.is_none() {
        if !reader.has_faults_below(&spec.key) {
            reader.object(spec, "gives neither 'min' nor 'max', so it changes nothing");
        }
        return None;
    }
    let (min, max) = (seconds(min.as_ref(), 0), seconds(max.as_ref(), TTL_MAX));
    if min > max {
        reader.object(spec, format!("min {min} is more than max {max}"));
        return None;
    }
    Some(Action::ClampTtl { min, max })
}

fn filter(spec: &Located<AddressesSpec>, context: &mut Context<'_, '_>) -> Action {
    let AddressesSpec { keep, remove } = &spec.value;
    if keep.is_none() && remove.is_none() && !context.reader.has_faults_below(&spec.key) {
        context.reader.object(spec, "gives neither 'keep' nor 'remove', so it changes nothing");
    }
    Action::FilterAddresses {
        keep: context.networks.some(keep.as_ref(), context.reader),
        remove: context.networks.some(remove.as_ref(), context.reader),
    }
}

fn address_order(spec: Located<OrderSpec>, context: &mut Context<'_, '_>) -> Option<AddressOrder> {
    let OrderSpec { by, networks, database } = spec.value;
    let by = by?;
    if let Some(networks) = networks.as_ref().filter(|_| by.value != OrderWord::Fixed) {
        context.reader.object(networks, "only an order by 'fixed' uses networks");
    }
    if let Some(database) = database.as_ref().filter(|_| by.value != OrderWord::Place) {
        context.reader.object(database, "only an order by 'place' uses a database");
    }
    Some(match by.value {
        OrderWord::Fixed => {
            if networks.is_none() && !context.reader.has_faults_below(&format!("{}.networks", spec.key)) {
                context.reader.object(&by, "an order by 'fixed' needs 'networks'");
            }
            AddressOrder::Fixed(context.networks.some(networks.as_ref(), context.reader))
        }
        OrderWord::Rotate => AddressOrder::Rotate,
        OrderWord::Random => AddressOrder::Random,
        OrderWord::Prefix => AddressOrder::NearestPrefix,
        OrderWord::Place => {
            let Some(database) = database else {
                if !context.reader.has_faults_below(&format!("{}.database", spec.key)) {
                    context.reader.object(&by, "an order by 'place' needs 'database'");
                }
                return None;
            };
            let path = context.path(&database.place, &database.value.0);
            context.sources.named.push(path.clone());
            AddressOrder::NearestPlace(path)
        }
    })
}
