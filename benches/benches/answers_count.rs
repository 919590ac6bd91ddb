//! `answer/*` in instructions: the whole way from a request to its reply, counted under valgrind.

use std::hint::black_box;

use benches::fixture::{Case, Rig};
use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind};

/// Batches per count.
const BATCHES: usize = 100;

#[library_benchmark(setup = Case::rig)]
#[bench::hit(args = (Case::Hit(10_000)), config = at_most(1000))]
#[bench::nxdomain(args = (Case::Nxdomain), config = at_most(1000))]
#[bench::nodata(args = (Case::Nodata), config = at_most(1000))]
#[bench::mixed(args = (Case::Mixed), config = at_most(1000))]
#[bench::alias(args = (Case::Alias), config = at_most(1000))]
#[bench::wildcard(args = (Case::Wildcard), config = at_most(1000))]
#[bench::referral(args = (Case::Referral), config = at_most(1000))]
#[bench::referral_wide(args = (Case::ReferralWide), config = at_most(1000))]
#[bench::nxdomain_deep(args = (Case::NxdomainDeep), config = at_most(1000))]
#[bench::many_records_udp(args = (Case::ManyRecordsUdp), config = at_most(1000))]
#[bench::many_records_tcp(args = (Case::ManyRecordsTcp), config = at_most(1000))]
#[bench::any(args = (Case::Any), config = at_most(1000))]
#[bench::chain(args = (Case::Chain), config = at_most(1000))]
#[bench::signed_hit(args = (Case::SignedHit), config = at_most(1000))]
#[bench::signed_nxdomain(args = (Case::SignedNxdomain), config = at_most(1000))]
#[bench::signed_nxdomain_hashed(args = (Case::SignedNxdomainHashed), config = at_most(1000))]
#[bench::edns(args = (Case::Edns), config = at_most(1000))]
#[bench::cookie(args = (Case::Cookie), config = at_most(1000))]
#[bench::rate_limit(args = (Case::RateLimit), config = at_most(1000))]
#[bench::small_zones(args = (Case::SmallZones(10_000)), config = at_most(1000))]
#[bench::delegations(args = (Case::Delegations(10_000)), config = at_most(1000))]
#[bench::overlay(args = (Case::Overlay), config = at_most(1000))]
fn answer(mut rig: Rig) -> Rig {
    black_box(&mut rig).answer_batches(BATCHES);
    rig
}

/// Fails the benchmark if a query takes more instructions than this.
fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let limit = instructions * (BATCHES * Rig::BATCH) as u64;
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::default().hard_limits([(EventKind::Ir, limit)]));
    config
}

library_benchmark_group!(name = answers, benchmarks = answer);
main!(library_benchmark_groups = answers);
