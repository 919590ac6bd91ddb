//! `answer/*` in instructions: the whole way from a request to its reply, counted under valgrind.
//!
//! Time on a shared machine wanders by tens of percent; instructions do so by less than one, which is what the hash keys,
//! drawn anew in each run, make of table slots. So a limit stands with each case: instructions per query, 3 % above what
//! was measured when it was set, and whoever makes a query dearer than that hears so from `cargo xtask count`.
//!
//! A change that is worth its price raises the limits it breaks, and says in its commit why. One that makes queries cheaper
//! lowers them, so that what was gained cannot be lost unnoticed. `cargo xtask count` shows what was counted beside each limit,
//! `cargo xtask count --set` writes limits 3 % above that into this file. Other compilers emit other instructions: the limits
//! are for Rust 1.95 on x86-64 with AVX2, which decides how the C library copies and compares.
#![allow(missing_docs, reason = "the macros of gungraun make public items")]

use std::hint::black_box;

use benches::fixture::{Case, Rig};
use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind};

/// Batches per count.
const BATCHES: usize = 100;

#[library_benchmark(setup = Case::rig)]
#[bench::hit(args = (Case::Hit(10_000)), config = at_most(1_437))]
#[bench::nxdomain(args = (Case::Nxdomain), config = at_most(1_596))]
#[bench::nodata(args = (Case::Nodata), config = at_most(1_513))]
#[bench::mixed(args = (Case::Mixed), config = at_most(1_637))]
#[bench::alias(args = (Case::Alias), config = at_most(3_079))]
#[bench::wildcard(args = (Case::Wildcard), config = at_most(1_983))]
#[bench::referral(args = (Case::Referral), config = at_most(5_032))]
#[bench::referral_wide(args = (Case::ReferralWide), config = at_most(50_747))]
#[bench::nxdomain_deep(args = (Case::NxdomainDeep), config = at_most(7_888))]
#[bench::many_records_udp(args = (Case::ManyRecordsUdp), config = at_most(1_326))]
#[bench::many_records_tcp(args = (Case::ManyRecordsTcp), config = at_most(17_801))]
#[bench::any(args = (Case::Any), config = at_most(2_200))]
#[bench::chain(args = (Case::Chain), config = at_most(17_840))]
#[bench::signed_hit(args = (Case::SignedHit), config = at_most(1_619))]
#[bench::signed_nxdomain(args = (Case::SignedNxdomain), config = at_most(8_902))]
#[bench::signed_nxdomain_hashed(args = (Case::SignedNxdomainHashed), config = at_most(9_261))]
#[bench::edns(args = (Case::Edns), config = at_most(1_612))]
#[bench::cookie(args = (Case::Cookie), config = at_most(2_126))]
#[bench::rate_limit(args = (Case::RateLimit), config = at_most(1_757))]
#[bench::small_zones(args = (Case::SmallZones(10_000)), config = at_most(1_465))]
#[bench::delegations(args = (Case::Delegations(10_000)), config = at_most(5_174))]
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
