//! What operators may choose.

use std::ops::RangeInclusive;

use dns_core::{AnswerPolicy, Name, RecordType, Rrset};

use crate::SourceKind;

/// Options of a [`Store`](crate::Store).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoreOptions {
    /// How answers are made; travels with each catalog.
    pub policy: AnswerPolicy,
    /// TTLs that records of the configuration, the API, ConfigMaps and the like may have, in seconds.
    pub ttl_bounds: RangeInclusive<u32>,
    /// Kinds of sources, the ones that win first; kinds of one group are equals, and of equals the one that sorts first wins.
    pub precedence: Vec<Vec<SourceKind>>,
    /// The records that zones get which nobody declared.
    pub derived: DerivedAuthority,
    /// Names that a derived zone does not have are asked upstream.
    pub derived_fallthrough: bool,
    /// Serial with which zones begin that bring none; the time in seconds serves well.
    pub first_serial: u32,
    /// Events kept for a subscriber that is behind; then it gets [`Event::Lagged`](crate::Event::Lagged).
    pub events_kept: usize,
    /// A zone is packed anew once this many names have changed, or a sixteenth of them if that is more.
    pub fold_after: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            policy: AnswerPolicy::default(),
            ttl_bounds: 60..=86_400,
            precedence: vec![
                vec![SourceKind::Acme],
                vec![SourceKind::Api, SourceKind::Update],
                vec![SourceKind::File, SourceKind::Transfer, SourceKind::Config],
                vec![SourceKind::ConfigMap],
                vec![SourceKind::Kubernetes],
            ],
            derived: DerivedAuthority::default(),
            derived_fallthrough: false,
            first_serial: 1,
            events_kept: 1024,
            fold_after: 4096,
        }
    }
}

/// SOA and NS records of derived zones.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DerivedAuthority {
    /// MNAME; `ns.` below the apex if not given.
    pub mname: Option<Name>,
    /// RNAME; `hostmaster.` below the apex if not given.
    pub rname: Option<Name>,
    /// NS records; the MNAME if there is none.
    pub ns: Vec<Name>,
    /// TTL of all of them, in seconds.
    pub ttl: u32,
    /// REFRESH, in seconds.
    pub refresh: u32,
    /// RETRY, in seconds.
    pub retry: u32,
    /// EXPIRE, in seconds.
    pub expire: u32,
    /// MINIMUM: how long negative answers are kept, in seconds ([RFC 2308](https://www.rfc-editor.org/rfc/rfc2308)).
    pub minimum: u32,
}

impl Default for DerivedAuthority {
    fn default() -> Self {
        Self {
            mname: None,
            rname: None,
            ns: Vec::new(),
            ttl: 3600,
            refresh: 3600,
            retry: 600,
            expire: 604_800,
            minimum: 300,
        }
    }
}

impl DerivedAuthority {
    /// SOA and NS records for an apex.
    pub(crate) fn records(&self, apex: &Name, serial: u32) -> Option<[Rrset; 2]> {
        // A name of almost 255 octets has no room for a label more; then the apex stands for its own server.
        let below = |label: &[u8]| apex.child(label).unwrap_or_else(|_| apex.clone());
        let mname = self.mname.clone().unwrap_or_else(|| below(b"ns"));
        let rname = self.rname.clone().unwrap_or_else(|| below(b"hostmaster"));
        let mut soa = [mname.as_wire(), rname.as_wire()].concat();
        for field in [serial, self.refresh, self.retry, self.expire, self.minimum] {
            soa.extend_from_slice(&field.to_be_bytes());
        }
        let ns = if self.ns.is_empty() { std::slice::from_ref(&mname) } else { &self.ns };
        let soa = Rrset::new(apex.clone(), RecordType::SOA, self.ttl, [soa]).ok()?;
        let ns = Rrset::new(apex.clone(), RecordType::NS, self.ttl, ns.iter().map(Name::as_wire)).ok()?;
        Some([soa, ns])
    }
}

impl StoreOptions {
    /// Position of a kind in the order of precedence; smaller wins. Kinds that are not listed come last.
    pub(crate) fn rank(&self, kind: SourceKind) -> usize {
        self.precedence.iter().position(|group| group.contains(&kind)).unwrap_or(self.precedence.len())
    }
}
