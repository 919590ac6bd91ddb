//! Benchmarks by the clock: `cargo bench --bench speed`, or only some of them with `-- answer/` and the like.
//!
//! Each asserts once that what it measures does what it should, then measures it. Names are `area/case`; sizes are names in
//! the zone. Criterion calls what it measures anew for each sample, so whatever is put up for a benchmark is kept outside, and
//! made when it is first asked for: most runs ask for few. The instructions of `answer/*` are counted in `answers_count.rs`.

mod answer;
mod apply;
mod encode;
mod load;
mod lookup;
mod parse;
mod udp;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

/// Sizes of the generated zone, and how results name them.
const SIZES: [(u32, &str); 2] = [(10_000, "10k"), (1_000_000, "1m")];

/// Short, so that all of them together take minutes: whoever wants to know more about one asks for more time.
fn brief() -> Criterion {
    Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
        .sample_size(30)
        .configure_from_args()
}

criterion_group! {
    name = speed;
    config = brief();
    targets =
        parse::bench,
        lookup::bench,
        encode::bench,
        answer::bench,
        apply::bench,
        load::bench,
        udp::bench,
}
criterion_main!(speed);
