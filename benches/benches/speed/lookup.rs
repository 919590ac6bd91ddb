//! `lookup/*`: what a zone knows about a name that is ready to be looked up. Nothing is fetched ahead here: each look-up
//! waits for its own cache misses, which batches of questions share.

use std::cell::LazyCell;
use std::hint::black_box;
use std::time::{Duration, Instant};

use benches::fixture;
use benches::questions::{HEADER_OCTETS, Mixture, Questions};
use benches::zone::{WILDCARD_PARENT, ZONE_CUT, ZonePlan};
use criterion::{Criterion, Throughput};
use dns_backend::{Outcome, lookup};
use dns_core::name::HashedName;
use dns_core::zone::Zone;
use dns_core::{Name, RecordType};

use crate::SIZES;

/// Names that are made ready together, without the clock running.
const BATCH: usize = 64;

/// Names in wire form, each with a type.
type Asked = Vec<(Box<[u8]>, RecordType)>;
/// Which names to ask a zone for.
type Ask = fn(ZonePlan) -> Asked;
/// Whether that is what they should be answered with.
type IsRight = fn(&Outcome<'_>) -> bool;

const CASES: [(&str, Ask, IsRight); 4] = [
    ("hit", |plan| generated(plan, Mixture::Hits), |outcome| matches!(outcome, Outcome::Answer(_))),
    ("nxdomain", |plan| generated(plan, Mixture::Nxdomain), |outcome| matches!(outcome, Outcome::NxDomain)),
    ("wildcard", |_| below(WILDCARD_PARENT), |outcome| matches!(outcome, Outcome::Answer(_))),
    ("referral", |_| below(ZONE_CUT), |outcome| matches!(outcome, Outcome::Referral(_))),
];

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lookup");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (names, size) in SIZES {
        let plan = ZonePlan { names };
        // Only for those that are asked for
        let zone = LazyCell::new(|| fixture::generated_zone(plan));
        for (name, ask, is_right) in CASES {
            let asked = LazyCell::new(|| {
                let asked = ask(plan);
                check(&zone, &asked, is_right);
                asked
            });
            let mut next = 0;
            let mut ready: Vec<_> = (0..BATCH).map(|_| HashedName::default()).collect();
            group.bench_function(format!("{name}/{size}"), |bencher| {
                bencher.iter_custom(|iterations| {
                    let mut time = Duration::ZERO;
                    for _ in 0..iterations {
                        let round = &asked[next..next + BATCH];
                        next = if next + 2 * BATCH <= asked.len() { next + BATCH } else { 0 };
                        for (hashed, (qname, _)) in ready.iter_mut().zip(round) {
                            hashed.read(qname).expect("it has been read before");
                        }
                        let begin = Instant::now();
                        for (hashed, (_, qtype)) in ready.iter().zip(round) {
                            black_box(lookup(&zone, hashed, *qtype));
                        }
                        time += begin.elapsed();
                    }
                    time
                });
            });
        }
    }
    group.finish();
}

fn check(zone: &Zone, asked: &Asked, is_right: IsRight) {
    assert!(asked.len() >= BATCH);
    let mut hashed = HashedName::default();
    for (qname, qtype) in asked {
        hashed.read(qname).expect("names of our own making are names");
        let outcome = lookup(zone, &hashed, *qtype).outcome;
        assert!(is_right(&outcome), "{:?} {qtype}: {outcome:?}", hashed.wire());
    }
}

fn generated(plan: ZonePlan, mixture: Mixture) -> Asked {
    let questions = Questions::new(plan, mixture);
    let name_and_type = |index| {
        let question = &questions.packet(index)[HEADER_OCTETS..];
        let (qname, rest) = question.split_at(question.len() - 4);
        (qname.into(), RecordType(u16::from_be_bytes([rest[0], rest[1]])))
    };
    (0..questions.len()).map(name_and_type).collect()
}

fn below(parent: &str) -> Asked {
    let name = |number: u32| {
        let name: Name = format!("n{number}.{parent}").parse().expect("a short name is a name");
        (name.as_wire().into(), RecordType::A)
    };
    (0..4096).map(name).collect()
}
