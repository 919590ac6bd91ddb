//! What is served when nobody has said what to serve.

use std::borrow::Cow;

use dns_core::Name;

use super::{Config, Listen, Listener, Zone, ZoneContent};

/// A small zone with one of everything, to try questions on.
const ZONE: &str = include_str!("sample.zone");

impl Config {
    /// A configuration to try things with: `example.test.` on port 5300 of the loopback addresses, and HTTP on port 5380. What
    /// is changed over HTTP ends with the process.
    pub fn sample() -> Self {
        Self {
            listen: Listen { dns: Self::sample_listeners(), http: Self::sample_http_listeners() },
            zones: Self::sample_zones(),
            ..Self::default()
        }
    }

    /// Where the sample listens: port 5300 needs no privileges, and loopback shows nothing to the network.
    pub(crate) fn sample_listeners() -> Vec<Listener> {
        Listener::loopback(5300)
    }

    /// Where it is managed.
    pub(crate) fn sample_http_listeners() -> Vec<Listener> {
        Listener::loopback(5380)
    }

    /// The zone of the sample.
    pub(crate) fn sample_zones() -> Vec<Zone> {
        let labels: [&[u8]; 2] = [b"test", b"example"];
        // Two short labels always fit.
        let name = labels
            .iter()
            .try_fold(Name::root(), |name, label| name.child(label))
            .unwrap_or_else(|_| Name::root());
        vec![Zone::new(name, ZoneContent::Text(Cow::Borrowed(ZONE)))]
    }
}

#[cfg(test)]
mod tests {
    use dns_core::zone::{Place, SourceTag, ZoneBuilder};
    use dns_core::zonefile;

    use super::*;

    #[test]
    fn the_zone_of_the_sample_is_a_zone() {
        let Zone { name, content, .. } = &Config::sample_zones()[0];
        let ZoneContent::Text(text) = content else {
            panic!("the text of a zone");
        };
        let mut builder = ZoneBuilder::new(name.clone());
        let report = zonefile::read(
            "sample.zone",
            text.as_bytes(),
            &zonefile::Options::default(),
            &mut zonefile::no_includes,
            |record| {
                let place = Place { file: record.file, line: record.position.line };
                builder.add(
                    record.owner,
                    record.rtype,
                    record.ttl,
                    record.rdata,
                    SourceTag::default(),
                    place,
                );
            },
        );
        assert!(report.is_ok() && report.warnings.is_empty(), "{report}");
        let built = builder.finish().expect("no faults");
        assert!(built.warnings.is_empty(), "{:?}", built.warnings);
        let www = Name::from_text(b"www.example.test.", None).unwrap();
        assert!(built.zone.node_of(&www).is_some());
    }

    #[test]
    fn the_sample_is_on_loopback_only() {
        let sample = Config::sample();
        assert_eq!(sample.zones[0].name.to_string(), "example.test.");
        assert!(sample.listen.dns.iter().all(|listener| listener.address.ip().is_loopback()));
        assert!(!sample.listen.dns[0].optional && sample.listen.dns[1].optional);
        assert!(sample.listen.http.iter().all(|listener| listener.address.ip().is_loopback()));
        assert_eq!(sample.store.data_dir, None);
    }
}
