//! `answer/*`: the whole way from requests to replies, in batches, without sockets.

use benches::fixture::{Case, Rig};
use criterion::{Criterion, Throughput};

const CASES: [(&str, Case); 23] = [
    ("hit/10k", Case::Hit(10_000)),
    ("hit/1m", Case::Hit(1_000_000)),
    ("nxdomain", Case::Nxdomain),
    ("nodata", Case::Nodata),
    ("mixed", Case::Mixed),
    ("alias", Case::Alias),
    ("wildcard", Case::Wildcard),
    ("referral", Case::Referral),
    ("referral_wide", Case::ReferralWide),
    ("nxdomain_deep", Case::NxdomainDeep),
    ("many_records_udp", Case::ManyRecordsUdp),
    ("many_records_tcp", Case::ManyRecordsTcp),
    ("any", Case::Any),
    ("chain", Case::Chain),
    ("signed_hit", Case::SignedHit),
    ("signed_nxdomain", Case::SignedNxdomain),
    ("signed_nxdomain_hashed", Case::SignedNxdomainHashed),
    ("edns", Case::Edns),
    ("cookie", Case::Cookie),
    ("rate_limit", Case::RateLimit),
    ("small_zones/100k", Case::SmallZones(100_000)),
    ("delegations/1m", Case::Delegations(1_000_000)),
    ("overlay", Case::Overlay),
];

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("answer");
    group.throughput(Throughput::Elements(Rig::BATCH as u64));
    for (name, case) in CASES {
        let mut rig = None;
        group.bench_function(name, |bencher| {
            let rig = rig.get_or_insert_with(|| case.rig());
            bencher.iter(|| rig.answer_batch());
        });
    }
    group.finish();
}
