//! Configuration files, and variables that override them.

use std::collections::HashSet;

use dns_backend::guard::{Action, AddressOrder, Rule};
use dns_core::Network;
use dns_server::Config;
use dns_server::config::View;

/// Reads the octets as a file, and as the values of variables; every mistake has a place that exists.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let lines = text.split(['\n', '\r']).count() + 1;
    match Config::parse("config.yaml", text, []) {
        Ok(loaded) => {
            let config = &loaded.config;
            assert!(!config.listen.dns.is_empty());
            assert!((512..=4096).contains(&config.backend.answers.udp_octets_max));
            for rrset in &config.records {
                assert!(config.records_ttl.contain(rrset.ttl()), "{rrset:?}");
            }
            check_guard(config);
        }
        Err(errors) => {
            for error in &errors {
                assert_eq!(&*error.place.source, "config.yaml");
                assert!(error.place.line <= lines, "{error}");
                assert!(!error.message.is_empty());
            }
        }
    }
    for name in [
        "JW238DNS_LISTEN__DNS",
        "JW238DNS_RECORDS",
        "JW238DNS_BACKEND",
        "JW238DNS_RULES",
        "JW238DNS_VIEWS",
        "JW238DNS_INCLUDE",
    ] {
        if let Err(errors) = Config::parse("config.yaml", "", [(name.to_owned(), text.to_owned())]) {
            for error in &errors {
                assert_eq!(&*error.place.source, name, "{error}");
            }
        }
    }
}

/// What workers rely on in views, rules and limits, whatever was written.
fn check_guard(config: &Config) {
    let listens = |address| config.listen.dns.iter().any(|listener| listener.address == address);
    let mut views = HashSet::from([View::DEFAULT]);
    for view in &config.views {
        assert!(views.insert(&view.name), "{} is there twice", view.name);
        assert!(!view.clients.is_empty() || !view.listeners.is_empty(), "{} is for nobody", view.name);
        assert!(view.listeners.iter().all(|listener| listens(*listener)), "{view:?}");
        assert_distinct(&view.clients);
    }
    for access in &config.access {
        assert!(access.listener.is_none_or(listens), "{access:?}");
        assert_distinct(&access.allow);
    }
    let mut rules = HashSet::new();
    for rule in &config.rules {
        assert!(rules.insert(&rule.name), "{} is there twice", rule.name);
        assert!(rule.when.views.iter().all(|view| views.contains(view.as_str())), "{rule:?}");
        assert_distinct(&rule.when.clients);
    }
    if let Some(limit) = &config.rate_limit {
        assert!((1..=60).contains(&limit.burst) && (1..=32).contains(&limit.ipv4_prefix), "{limit:?}");
        assert!((1..=128).contains(&limit.ipv6_prefix) && limit.table_size >= 1024, "{limit:?}");
    }
    for text in
        [&config.identity.version, &config.identity.hostname, &config.identity.id].into_iter().flatten()
    {
        assert!((1..=255).contains(&text.len()), "{text:?}");
    }
    // The text is no file, so it has led to no other; databases are read by whoever compiles the rules.
    let is_database =
        |rule: &&Rule| matches!(rule.action, Action::OrderAddresses(AddressOrder::NearestPlace(_)));
    assert_eq!(config.files.len(), config.rules.iter().filter(is_database).count(), "{:?}", config.files);
}

fn assert_distinct(networks: &[Network]) {
    let distinct: HashSet<_> = networks.iter().collect();
    assert_eq!(distinct.len(), networks.len(), "{networks:?}");
}
