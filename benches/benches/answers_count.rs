//! `answer/*` in instructions: the whole way from a request to its reply, counted under valgrind.
//!
//! Time on a shared machine wanders by tens of percent; instructions do so by one or two, which is what the hash keys,
//! drawn anew in each process, make of table slots. So a limit stands with each case: instructions per query, 3 % above what
//! was measured when it was set, and whoever makes a query dearer than that hears so from `cargo xtask count`. It counts a
//! second time, with other keys, before it says so: bad luck seldom strikes twice, and what is dearer is so under most keys.
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
#[bench::hit(args = (Case::Hit(10_000)), config = at_most(1_450))]
#[bench::nxdomain(args = (Case::Nxdomain), config = at_most(1_591))]
#[bench::nodata(args = (Case::Nodata), config = at_most(1_510))]
#[bench::mixed(args = (Case::Mixed), config = at_most(1_596))]
#[bench::alias(args = (Case::Alias), config = at_most(2_971))]
#[bench::wildcard(args = (Case::Wildcard), config = at_most(2_084))]
#[bench::referral(args = (Case::Referral), config = at_most(3_056))]
#[bench::referral_wide(args = (Case::ReferralWide), config = at_most(21_667))]
#[bench::nxdomain_deep(args = (Case::NxdomainDeep), config = at_most(8_187))]
#[bench::many_records_udp(args = (Case::ManyRecordsUdp), config = at_most(1_342))]
#[bench::many_records_tcp(args = (Case::ManyRecordsTcp), config = at_most(17_831))]
#[bench::any(args = (Case::Any), config = at_most(2_277))]
#[bench::chain(args = (Case::Chain), config = at_most(16_122))]
#[bench::signed_hit(args = (Case::SignedHit), config = at_most(1_716))]
#[bench::signed_nxdomain(args = (Case::SignedNxdomain), config = at_most(3_316))]
#[bench::signed_nxdomain_hashed(args = (Case::SignedNxdomainHashed), config = at_most(9_265))]
#[bench::edns(args = (Case::Edns), config = at_most(1_619))]
#[bench::cookie(args = (Case::Cookie), config = at_most(2_133))]
#[bench::rate_limit(args = (Case::RateLimit), config = at_most(1_771))]
#[bench::small_zones(args = (Case::SmallZones(10_000)), config = at_most(2_272))]
#[bench::delegations(args = (Case::Delegations(10_000)), config = at_most(3_049))]
#[bench::overlay(args = (Case::Overlay), config = at_most(1_524))]
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
