//! Overrides of configuration keys by environment variables.

use dns_core::AnyPolicy;
use dns_server::config::LogLevel;
use dns_server::{Config, ConfigErrors, Loaded};

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Loaded, ConfigErrors> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::parse("/etc/config.yaml", text, variables)
}

#[track_caller]
fn config(text: &str, variables: &[(&str, &str)]) -> Config {
    read(text, variables).unwrap_or_else(|errors| panic!("{errors}")).config
}

#[track_caller]
fn errors(text: &str, variables: &[(&str, &str)]) -> String {
    read(text, variables).unwrap_err().to_string()
}

fn addresses(config: &Config) -> Vec<String> {
    config.listen.dns.iter().map(|listener| listener.address.to_string()).collect()
}

#[test]
fn variables_take_the_place_of_keys() {
    let file = "log_level: info\nbackend: {any: full, max_cname_depth: 3}\nlisten: {dns: '192.0.2.1:53'}\n";
    let config = config(
        file,
        &[
            ("JW238DNS_LISTEN__DNS", "127.0.0.1:5300, [::1]:5300"),
            ("JW238DNS_LOG_LEVEL", "trace"),
            ("JW238DNS_BACKEND__ANY", "minimal"),
            ("JW238DNS_ZONES_DIR", "zones"),
            ("JW238DNS_ZONES", "[{name: example.com., file: a.zone}]"),
            ("HOME", "/root"),
        ],
    );
    assert_eq!(addresses(&config), ["127.0.0.1:5300", "[::1]:5300"]);
    assert_eq!(config.log.level, LogLevel::Trace);
    assert_eq!(config.backend.answers.any, AnyPolicy::Minimal);
    assert_eq!(config.backend.answers.max_cname_depth, 3);
    assert_eq!(config.zones_dir, Some("/etc/zones".into()));
    assert_eq!(config.zones[0].name.to_string(), "example.com.");
}

/// The command line reads it, and a server may have it in its environment as well.
#[test]
fn the_token_of_a_client_is_no_key() {
    let variables = [("JW238DNS_TOKEN", "jw238_00000000_0"), ("JW238DNS_WORKERS", "3")];
    assert_eq!(config("", &variables).workers.map(Into::into), Some(3));
    assert_eq!(
        errors("", &[("JW238DNS_TOKENS", "x")]),
        "JW238DNS_TOKENS: unknown variable, there is no such key"
    );
}

#[test]
fn a_mapping_comes_before_the_keys_in_it() {
    let config = config(
        "backend: {default_ttl: 100}\n",
        &[
            ("JW238DNS_BACKEND__ANY", "minimal"),
            ("JW238DNS_BACKEND", r#"{"any": "full", "max_cname_depth": 3}"#),
        ],
    );
    assert_eq!(config.backend.answers.any, AnyPolicy::Minimal);
    assert_eq!(config.backend.answers.max_cname_depth, 3);
    assert_eq!(config.backend.default_ttl, 300, "the mapping of the file is replaced as a whole");
}

#[test]
fn a_short_form_overrides_the_long_one_of_the_file_and_the_other_way_round() {
    let long = config("dns_port: 53\n", &[("JW238DNS_LISTEN__DNS", "127.0.0.1:5300")]);
    assert_eq!(addresses(&long), ["127.0.0.1:5300"]);
    let short = config("listen: {dns: '127.0.0.1:53'}\n", &[("JW238DNS_DNS_PORT", "5353")]);
    assert_eq!(addresses(&short), ["0.0.0.0:5353", "[::]:5353"]);
    let both = errors("", &[("JW238DNS_LISTEN__DNS", "127.0.0.1:1"), ("JW238DNS_DNS_PORT", "1")]);
    assert_eq!(
        both,
        "JW238DNS_LISTEN__DNS: listen.dns: 'dns_port' at JW238DNS_DNS_PORT says the same in short, give one of the two"
    );
}

#[test]
fn an_empty_variable_means_the_default() {
    let config = config(
        "workers: 2\nlisten: {http: '127.0.0.1:1'}\n",
        &[("JW238DNS_WORKERS", ""), ("JW238DNS_LISTEN__HTTP", " ")],
    );
    assert_eq!(config, Config::default());
}

#[test]
fn mistakes_name_the_variable() {
    for (name, value, expected) in [
        ("JW238DNS_WORKERS", "x", "JW238DNS_WORKERS: workers: 'x' is not a number"),
        (
            "JW238DNS_LISTEN__DNS",
            "127.0.0.1:53,nowhere",
            "JW238DNS_LISTEN__DNS: listen.dns[1]: 'nowhere' is not an IP address with a port",
        ),
        (
            "JW238DNS_RECORDS",
            "[{name: a.example., type: A, value: 192.0.2.1, tll: 5}]",
            "JW238DNS_RECORDS:1:48: records[0].tll: unknown key, did you mean 'ttl'?",
        ),
        ("JW238DNS_RECORDS", "[", "JW238DNS_RECORDS:2:1: "),
        (
            "JW238DNS_LISTEN_DNS",
            "x",
            "JW238DNS_LISTEN_DNS: unknown variable, did you mean 'JW238DNS_LISTEN__DNS'?",
        ),
        ("JW238DNS_LOGLEVEL", "x", "JW238DNS_LOGLEVEL: unknown variable, did you mean 'JW238DNS_LOG_LEVEL'?"),
        ("JW238DNS_COLOUR", "x", "JW238DNS_COLOUR: unknown variable, there is no such key"),
        ("JW238DNS_", "x", "JW238DNS_: unknown variable, there is no such key"),
        ("JW238DNS_WORKERS__X", "x", "JW238DNS_WORKERS__X: unknown variable"),
    ] {
        let errors = errors("", &[(name, value)]);
        assert!(errors.starts_with(expected), "{errors}");
    }
}

#[test]
fn mistakes_of_file_and_variables_are_listed_together() {
    let errors = errors("workers: x\nlog_level: loud\n", &[("JW238DNS_HTTP_PORT", "0")]);
    assert_eq!(errors.lines().count(), 3, "{errors}");
}

#[test]
fn variables_that_kubernetes_injects_for_a_service_are_ignored() {
    let config = config(
        "",
        &[
            ("JW238DNS_PORT", "udp://10.96.0.10:53"),
            ("JW238DNS_PORT_53_UDP_ADDR", "10.96.0.10"),
            ("JW238DNS_SERVICE_HOST", "10.96.0.10"),
            ("JW238DNS_SERVICE_PORT_DNS", "53"),
        ],
    );
    assert_eq!(config, Config::default());
}

#[test]
fn the_sample_gives_way_to_what_the_environment_serves() {
    let sample =
        |name: &str, value: &str| Config::load_sample([(name.to_owned(), value.to_owned())]).unwrap().config;

    assert_eq!(Config::load_sample([]).unwrap().config, Config::sample());
    let louder = sample("JW238DNS_LOG_LEVEL", "debug");
    assert_eq!(louder.zones, Config::sample().zones);
    assert_eq!(louder.listen, Config::sample().listen);
    let elsewhere = sample("JW238DNS_LISTEN__DNS", "127.0.0.1:0");
    assert_eq!(addresses(&elsewhere), ["127.0.0.1:0"]);
    let other = sample("JW238DNS_ZONES_DIR", "zones");
    assert!(other.zones.is_empty());
    assert_eq!(other.zones_dir, Some("zones".into()));
}
