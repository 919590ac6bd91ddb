//! The compiled rules against a reading of them from the first to the last.

use dns_core::RecordType;
use proptest::prelude::*;

use super::*;

/// What counts for a question, read off the rules one by one.
fn slow(
    rules: &[Rule],
    qname: &Name,
    qtype: RecordType,
    client: IpAddr,
    view: &str,
) -> (Option<usize>, Vec<usize>) {
    let (mut decided, mut goes_on, mut changes) = (None, true, Vec::new());
    for (number, rule) in rules.iter().enumerate() {
        let when = &rule.when;
        let name_matches = |pattern: &NamePattern| match pattern {
            NamePattern::Exact(name) => qname == name,
            NamePattern::Suffix(name) => qname.is_at_or_below(name),
            NamePattern::Below(name) => qname != name && qname.is_at_or_below(name),
            // Those of the test are plain text.
            NamePattern::Regex(text) => qname.to_string().trim_end_matches('.').contains(text),
        };
        let matches = (when.names.is_empty() || when.names.iter().any(name_matches))
            && (when.types.is_empty() || when.types.contains(&qtype))
            && (when.clients.is_empty() || when.clients.iter().any(|network| network.contains(client)))
            && (when.views.is_empty() || when.views.iter().any(|other| other == view));
        if !matches {
            continue;
        }
        match &rule.action {
            Action::ClampTtl { .. } | Action::FilterAddresses { .. } | Action::OrderAddresses(_) => {
                if goes_on {
                    changes.push(number);
                }
            }
            Action::Rewrite { from, .. } => {
                if decided.is_none() && qname.is_at_or_below(from) {
                    decided = Some(number);
                }
            }
            _ => {
                if decided.is_none() {
                    decided = Some(number);
                    goes_on = false;
                }
            }
        }
    }
    changes.truncate(Transforms::MAX);
    (decided, changes)
}

fn names() -> impl Strategy<Value = Name> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "ab"]), 0..4)
        .prop_map(|labels| name(if labels.is_empty() { ".".into() } else { labels.join(".") }.as_str()))
}

fn patterns() -> impl Strategy<Value = NamePattern> {
    prop_oneof![
        names().prop_map(NamePattern::Exact),
        names().prop_map(NamePattern::Suffix),
        names().prop_map(NamePattern::Below),
        prop::sample::select(vec!["a", "b", "ab", "ba"]).prop_map(|text| NamePattern::Regex(text.into())),
    ]
}

fn types() -> impl Strategy<Value = RecordType> {
    prop::sample::select(vec![RecordType::A, RecordType::AAAA, RecordType::TXT, RecordType::ANY])
}

fn clients() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        (0..4u8, 0..4u8).prop_map(|(third, last)| IpAddr::from([192, 0, third, last])),
        (0..4u16).prop_map(|last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last])),
    ]
}

fn networks() -> impl Strategy<Value = Network> {
    (clients(), prop::sample::select(vec![0, 8, 22, 24, 31, 32, 126, 128]))
        .prop_map(|(address, length)| Network::new(address, length))
}

fn views() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["inside".to_owned(), "outside".to_owned()])
}

fn actions() -> impl Strategy<Value = Action> {
    prop_oneof![
        2 => Just(Action::Refuse),
        1 => Just(Action::Drop),
        2 => (names(), names()).prop_filter_map("to itself", |(from, to)| {
            (from != to).then_some(Action::Rewrite { from, to })
        }),
        8 => Just(Action::ClampTtl { min: 1, max: 2 }),
        4 => Just(Action::OrderAddresses(AddressOrder::Rotate)),
    ]
}

fn rule_sets() -> impl Strategy<Value = Vec<Rule>> {
    let few = |most: usize| 0..=most;
    let condition = (
        prop::collection::vec(patterns(), few(2)),
        prop::collection::vec(types(), few(2)),
        prop::collection::vec(networks(), few(2)),
        prop::collection::vec(views(), few(1)),
    )
        .prop_map(|(names, types, clients, views)| Condition { names, types, clients, views });
    prop::collection::vec((condition, actions()), 0..40).prop_map(|rules| {
        rules
            .into_iter()
            .enumerate()
            .map(|(number, (when, action))| Rule { name: number.to_string(), when, action })
            .collect()
    })
}

proptest! {
    #[test]
    fn what_is_found_is_what_reading_all_rules_finds(
        rules in rule_sets(),
        questions in prop::collection::vec((names(), types(), clients(), views()), 1..20),
    ) {
        let set = RuleSet::compile(&rules, &mut no_files).unwrap();
        let mut turn = Turn::new(1);
        for (qname, qtype, client, view) in questions {
            let mut hashed = HashedName::default();
            hashed.read(qname.as_wire()).unwrap();
            let matched = set.find(&hashed, qtype, client, &view, &mut turn);
            let (decided, changes) = slow(&rules, &qname, qtype, client, &view);
            prop_assert_eq!(matched.terminal.map(|(number, _)| number), decided);
            prop_assert_eq!(matched.transforms.iter().collect::<Vec<_>>(), changes);
        }
    }
}
