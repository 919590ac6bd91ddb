//! `load/*`: from the text of a zone file to a zone that can be served.

use std::cell::LazyCell;
use std::time::Duration;

use benches::fixture;
use benches::zone::{APEX, ZonePlan};
use criterion::{Criterion, SamplingMode, Throughput};
use dns_core::Name;

const PLAN: ZonePlan = ZonePlan { names: 1_000_000 };

pub fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load");
    group.sampling_mode(SamplingMode::Flat).sample_size(10).measurement_time(Duration::from_secs(5));
    group.throughput(Throughput::Elements(u64::from(PLAN.names)));
    let apex: Name = APEX.parse().expect("it is a name");
    let load =
        |text: &str| dns_files::load_text("made up", text, &apex).expect("the generated zone is a zone");
    let text = LazyCell::new(|| {
        let text = fixture::zone_text(PLAN);
        let names = load(&text).built.zone.name_count();
        assert!(names > PLAN.names as usize, "only {names} names");
        text
    });
    group.bench_function("1m", |bencher| bencher.iter_with_large_drop(|| load(&text)));
    group.finish();
}
