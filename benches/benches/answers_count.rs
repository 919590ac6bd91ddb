//! `answer/*` in instructions: the whole way from a request to its reply, counted under valgrind.
//!
//! Time on a shared machine wanders by tens of percent; instructions do so by one or two, which is what the hash keys,
//! drawn anew in each process, make of table slots. So a limit stands with each case: instructions per query, 3 % above what
//! was measured when it was set, and whoever makes a query dearer than that hears so from `cargo xtask count`. It counts a
//! second time, with other keys, before it says so: bad luck does not strike twice, and what is dearer is so under any key.
//!
//! A change that is worth its price raises the limits it breaks, and says in its commit why. One that makes queries cheaper
//! lowers them, so that what was gained cannot be lost unnoticed. `cargo xtask count` shows what was counted beside each limit,
//! `cargo xtask count --set` writes limits 3 % above that into this file. Other compilers emit other instructions: the limits
//! are for [`COMPILER`] on x86-64 with AVX2, which decides how the C library copies and compares. With another compiler or
//! processor `cargo xtask count` shows what it counts and holds nothing against it.
#![allow(missing_docs, reason = "the macros of gungraun make public items")]

use std::hint::black_box;

use benches::fixture::{Case, Rig};
use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind};

/// Release of Rust that the limits are for; `cargo xtask count` reads it, and `--set` writes it.
#[allow(dead_code, reason = "read from this file by cargo xtask count")]
const COMPILER: &str = "1.95";

/// Batches per count.
const BATCHES: usize = 100;

#[library_benchmark(setup = Case::rig)]
#[bench::hit(args = (Case::Hit(10_000)), config = at_most(1_439))]
#[bench::nxdomain(args = (Case::Nxdomain), config = at_most(1_587))]
#[bench::nodata(args = (Case::Nodata), config = at_most(1_501))]
#[bench::mixed(args = (Case::Mixed), config = at_most(1_584))]
#[bench::alias(args = (Case::Alias), config = at_most(2_941))]
#[bench::wildcard(args = (Case::Wildcard), config = at_most(2_300))]
#[bench::referral(args = (Case::Referral), config = at_most(2_936))]
#[bench::referral_wide(args = (Case::ReferralWide), config = at_most(21_245))]
#[bench::nxdomain_deep(args = (Case::NxdomainDeep), config = at_most(7_836))]
#[bench::many_records_udp(args = (Case::ManyRecordsUdp), config = at_most(1_332))]
#[bench::many_records_tcp(args = (Case::ManyRecordsTcp), config = at_most(17_835))]
#[bench::any(args = (Case::Any), config = at_most(2_231))]
#[bench::chain(args = (Case::Chain), config = at_most(15_927))]
#[bench::signed_hit(args = (Case::SignedHit), config = at_most(1_704))]
#[bench::signed_nxdomain(args = (Case::SignedNxdomain), config = at_most(3_274))]
#[bench::signed_nxdomain_hashed(args = (Case::SignedNxdomainHashed), config = at_most(9_291))]
#[bench::edns(args = (Case::Edns), config = at_most(1_611))]
#[bench::cookie(args = (Case::Cookie), config = at_most(2_122))]
#[bench::rate_limit(args = (Case::RateLimit), config = at_most(1_758))]
#[bench::small_zones(args = (Case::SmallZones(10_000)), config = at_most(2_252))]
#[bench::delegations(args = (Case::Delegations(10_000)), config = at_most(3_002))]
#[bench::overlay(args = (Case::Overlay), config = at_most(1_516))]
fn answer(mut rig: Rig) -> Rig {
    black_box(&mut rig).answer_batches(BATCHES);
    rig
}

/// Fails the benchmark if a query takes more instructions than this.
fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let limit = instructions * (BATCHES * Rig::BATCH) as u64;
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(Callgrind::with_args(["--cache-sim=no"]).hard_limits([(EventKind::Ir, limit)]));
    config
}

library_benchmark_group!(name = answers, benchmarks = answer);
main!(library_benchmark_groups = answers);
