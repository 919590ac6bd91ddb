//! Random zones and every question worth asking: the server says what the oracle says, whatever way the zones came by
//! their records.

use std::collections::BTreeMap;

use conformance::cases;
use conformance::oracle::{AnyMode, Options};
use conformance::record::Record;
use conformance::zone::ZoneData;
use dns_core::zone::{SourceTag, Zone};
use dns_core::{AnswerPolicy, AnyPolicy, Name, RecordType, Rrset};
use proptest::prelude::*;
use proptest::sample::select;

use crate::oracle::{build, judge};
use crate::server::Server;
use crate::signing::{Chain, sign};

/// Questions per zone.
const SAMPLE: usize = 400;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Few labels, so that owners and targets meet; odd ones among them.
fn labels() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        12 => select(vec![&b"a"[..], b"b", b"c"]).prop_map(<[u8]>::to_vec),
        4 => Just(b"*".to_vec()),
        1 => select(vec![vec![0], vec![0xFF], b"a.b".to_vec(), b"\\".to_vec(), vec![b'l'; 63], vec![b' ', 0x80]]),
    ]
}

/// Names at or below the apex; long ones as far as they can be.
fn names_below(apex: &Name) -> impl Strategy<Value = Name> + use<> {
    let apex = apex.clone();
    prop::collection::vec(labels(), 0..5).prop_map(move |labels| {
        labels.iter().fold(apex.clone(), |parent, label| parent.child(label).unwrap_or(parent))
    })
}

fn targets() -> impl Strategy<Value = Name> {
    prop_oneof![
        6 => names_below(&name("test.")),
        2 => names_below(&name("a.test.")),
        1 => Just(name("host.example.net.")),
        1 => Just(Name::root()),
    ]
}

fn records(apex: &Name) -> impl Strategy<Value = Record> + use<> {
    let ttl = select(vec![60u32, 300]);
    let data = prop_oneof![
        3 => any::<u8>().prop_map(|last| (RecordType::A, vec![192, 0, 2, last])),
        1 => any::<u8>().prop_map(|last| (RecordType::AAAA, [&[0x20, 1, 0xd, 0xb8][..], &[0; 11], &[last]].concat())),
        1 => Just((RecordType::TXT, b"\x04text".to_vec())),
        3 => targets().prop_map(|target| (RecordType::NS, target.as_wire().to_vec())),
        3 => targets().prop_map(|target| (RecordType::CNAME, target.as_wire().to_vec())),
        2 => targets().prop_map(|target| (RecordType::DNAME, target.as_wire().to_vec())),
        1 => targets().prop_map(|target| (RecordType::MX, [&[0, 10], target.as_wire()].concat())),
        1 => targets().prop_map(|target| (RecordType::SRV, [&[0, 1, 0, 2, 0, 3], target.as_wire()].concat())),
        1 => Just((RecordType::DS, [&[0, 1, 13, 2][..], &[7; 32]].concat())),
    ];
    (names_below(apex), ttl, data).prop_map(|(owner, ttl, (rtype, rdata))| Record {
        owner,
        rtype,
        ttl,
        rdata,
    })
}

/// A zone that may be one: SOA and NS at the apex, aliases alone, one TTL per RRset.
fn zones(apex: &str) -> impl Strategy<Value = ZoneData> + use<> {
    let apex = name(apex);
    prop::collection::vec(records(&apex), 0..14).prop_map(move |records| {
        let ns = name("ns.test.");
        let numbers = [1u32, 2, 3, 4, 120].map(u32::to_be_bytes).concat();
        let soa = [ns.as_wire(), ns.as_wire(), &numbers].concat();
        let mut zone = ZoneData { apex: apex.clone(), records: Vec::new() };
        let apex_records = [(RecordType::SOA, soa), (RecordType::NS, ns.as_wire().to_vec())]
            .map(|(rtype, rdata)| Record { owner: apex.clone(), rtype, ttl: 300, rdata });
        for record in apex_records.into_iter().chain(records) {
            let at_owner = || zone.records.iter().filter(|other| other.owner == record.owner);
            let is_alias = |rtype| rtype == RecordType::CNAME;
            let clashes = at_owner().any(|other| {
                is_alias(record.rtype)
                    || is_alias(other.rtype)
                    || other.rtype == record.rtype
                        && (other.rtype == RecordType::DNAME || other.rdata == record.rdata)
            });
            if !clashes {
                let ttl = at_owner()
                    .find(|other| other.rtype == record.rtype)
                    .map_or(record.ttl, |other| other.ttl);
                zone.records.push(Record { ttl, ..record });
            }
        }
        zone.records.sort();
        zone
    })
}

fn settings() -> impl Strategy<Value = (AnswerPolicy, Options)> {
    let any_types = select(vec![
        (AnyPolicy::Tcp, AnyMode::Tcp),
        (AnyPolicy::Full, AnyMode::Full),
        (AnyPolicy::Minimal, AnyMode::Minimal),
    ]);
    let depth = select(vec![1u8, 2, 3, 10, 32]);
    (any_types, depth, prop::bool::weighted(0.9), any::<bool>(), any::<bool>()).prop_map(
        |((any, any_mode), depth, follow, soa, minimal)| {
            let policy = AnswerPolicy {
                any,
                max_cname_depth: depth,
                resolve_cname_chain: follow,
                return_soa_on_nxdomain: soa,
                minimal_responses: minimal,
                ..AnswerPolicy::default()
            };
            // The oracle allows what is optional; with minimal responses less of that is there.
            let options = Options {
                any: any_mode,
                max_cname_depth: usize::from(depth),
                resolve_cname_chain: follow,
                soa_on_nxdomain: soa,
                ..Options::default()
            };
            (policy, options)
        },
    )
}

/// Asks a sample of all questions; `offset` makes it another one each time.
fn check(served: Vec<Zone>, zones: &[ZoneData], (policy, options): (AnswerPolicy, &Options), offset: usize) {
    let server = Server::of(served, policy);
    let cases = cases::all(zones);
    let step = (cases.len() / SAMPLE).max(1);
    for case in cases.iter().skip(offset % step).step_by(step) {
        if let Some(wrong) = judge(&server, zones, case, options) {
            let records = zones.iter().flat_map(|zone| &zone.records);
            let text = records.map(ToString::to_string).collect::<Vec<_>>().join("\n");
            panic!("{wrong}\nin\n{text}");
        }
    }
}

/// The records of a zone by owner.
fn by_owner(zone: &ZoneData) -> BTreeMap<Name, Vec<Rrset>> {
    let mut types: BTreeMap<(Name, RecordType), Vec<&Record>> = BTreeMap::new();
    for record in &zone.records {
        types.entry((record.owner.clone(), record.rtype)).or_default().push(record);
    }
    let mut owners: BTreeMap<Name, Vec<Rrset>> = BTreeMap::new();
    for ((owner, rtype), records) in types {
        let values = records.iter().map(|record| record.rdata.clone());
        let rrset = Rrset::new(owner.clone(), rtype, records[0].ttl, values).unwrap();
        owners.entry(owner).or_default().push(rrset);
    }
    owners
}

/// Turns one zone into the other, name by name, with folds that begin and end as the bits of `folds` say.
fn edited(from: &ZoneData, to: &ZoneData, folds: u64) -> Zone {
    let wanted = by_owner(to);
    let owners: Vec<Name> = by_owner(from).into_keys().chain(wanted.keys().cloned()).collect();
    let (mut zone, mut begun) = (build(from), None);
    for (step, owner) in owners.iter().enumerate() {
        let rrsets: Vec<_> =
            wanted.get(owner).into_iter().flatten().map(|rrset| (rrset, SourceTag(1))).collect();
        let mut edit = zone.edit();
        edit.set(owner, &rrsets).unwrap();
        zone = edit.finish().unwrap();
        if folds >> (step % 64) & 1 == 1 {
            match begun.take() {
                Some(fold) => zone = zone.finish_fold(dns_core::zone::Fold::run(fold).unwrap()).unwrap(),
                None => {
                    if let Some((serving, fold)) = zone.begin_fold() {
                        (zone, begun) = (serving, Some(fold));
                    }
                }
            }
        }
    }
    zone
}

fn config() -> ProptestConfig {
    let heavy = std::env::var_os("JW238DNS_HEAVY").is_some();
    ProptestConfig { max_shrink_iters: 200, ..ProptestConfig::with_cases(if heavy { 2_000 } else { 64 }) }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn zones_below_zones(
        parent in zones("test."),
        child in zones("a.test."),
        (policy, options) in settings(),
        offset in any::<u16>(),
    ) {
        let zones = [parent, child];
        check(zones.iter().map(build).collect(), &zones, (policy, &options), usize::from(offset));
    }

    #[test]
    fn edited_and_folded_zones(
        before in zones("test."),
        after in zones("test."),
        folds in any::<u64>(),
        (policy, options) in settings(),
        offset in any::<u16>(),
    ) {
        check(vec![edited(&before, &after, folds)], &[after], (policy, &options), usize::from(offset));
    }

    #[test]
    fn signed_zones(
        parent in zones("test."),
        child in zones("a.test."),
        chains in [select(vec![Chain::Nsec, Chain::Nsec3, Chain::OptOut]), select(vec![Chain::Nsec, Chain::OptOut])],
        (policy, options) in settings(),
        offset in any::<u16>(),
    ) {
        let mut zones = [parent, child];
        for (zone, chain) in zones.iter_mut().zip(chains) {
            sign(zone, chain);
        }
        check(zones.iter().map(build).collect(), &zones, (policy, &options), usize::from(offset));
    }
}
