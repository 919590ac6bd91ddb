//! Configuration files, and variables that override them.

use dns_server::Config;

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
        }
        Err(errors) => {
            for error in &errors {
                assert_eq!(&*error.place.source, "config.yaml");
                assert!(error.place.line <= lines, "{error}");
                assert!(!error.message.is_empty());
            }
        }
    }
    for name in
        ["JW238DNS_LISTEN__DNS", "JW238DNS_RECORDS", "JW238DNS_BACKEND", "JW238DNS_BACKEND__SOA__RNAME"]
    {
        if let Err(errors) = Config::parse("config.yaml", "", [(name.to_owned(), text.to_owned())]) {
            for error in &errors {
                assert_eq!(&*error.place.source, name, "{error}");
            }
        }
    }
}
