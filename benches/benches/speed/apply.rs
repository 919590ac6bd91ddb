//! `apply/*`: changes of so many records, from their being handed to the store until readers see them.
//!
//! Folds are part of it: they go on in the background on another core and take turns with the changes, as in a server.

use std::cell::LazyCell;

use benches::fixture;
use benches::zone::{Kind, ZonePlan};
use criterion::{BatchSize, Criterion, Throughput};
use dns_core::{Change, ChangeSet, Name, RecordType, Rrset};
use dns_store::{Source, Store};

use crate::SIZES;

const COUNTS: [(u32, &str); 2] = [(1, "one"), (100, "hundred")];

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply");
    for (names, size) in SIZES {
        let plan = ZonePlan { names };
        let store = LazyCell::new(|| fixture::generated(plan));
        for (count, name) in COUNTS {
            group.throughput(Throughput::Elements(u64::from(count)));
            let mut changes = None;
            group.bench_function(format!("{name}/{size}"), |bencher| {
                let changes = changes.get_or_insert_with(|| {
                    let mut changes = Changes { plan, next: 0 };
                    apply(&store, &changes.take(count));
                    check(&store, plan);
                    changes
                });
                bencher.iter_batched_ref(
                    || changes.take(count),
                    |changes| apply(&store, changes),
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
}

fn apply(store: &Store, changes: &ChangeSet) {
    store.partial_reload(&Source::Api, changes).expect("addresses can be changed");
}

/// The first change can be seen.
fn check(store: &Store, plan: ZonePlan) {
    let found = store.get(&owner(plan, 0), RecordType::A).expect("the name is there");
    assert_eq!(found.source, Source::Api);
    assert_eq!(found.rrset.rdatas().next(), Some(&[0, 0, 0, 0][..]));
}

/// New addresses for names all over the zone, each change another one than the last for the same name.
struct Changes {
    plan: ZonePlan,
    next: u32,
}

impl Changes {
    fn take(&mut self, count: u32) -> ChangeSet {
        let first = self.next;
        self.next = self.next.wrapping_add(count);
        let change = |number: u32| {
            let rrset = Rrset::new(owner(self.plan, number), RecordType::A, 300, [number.to_be_bytes()]);
            Change::Put(rrset.expect("four octets are an address"))
        };
        (0..count).map(|offset| change(first.wrapping_add(offset))).collect()
    }
}

/// A name with one address; neighbours in number are none in memory.
fn owner(plan: ZonePlan, number: u32) -> Name {
    let index = number.wrapping_mul(SCATTER) % plan.names;
    let host = if Kind::of(index) == Kind::Host { index } else { plan.target(index) };
    plan.owner(host).parse().expect("generated names are names")
}

/// Odd, so that all names have their turn.
const SCATTER: u32 = 2_654_435_761;
