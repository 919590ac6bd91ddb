//! What a worker pays for telling of a query: run with `--release`.
//!
//! Each figure is the median of many rounds, in nanoseconds per call, once with a ring that is emptied between rounds and
//! once with one that stays full.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use dns_backend::Transport;
use dns_backend::log::{Exchange, LogHub, LogSettings, Replied};
use dns_core::ResponseCode;

const CALLS: u32 = 500;
const ROUNDS: usize = 401;

fn main() {
    println!("{:<44} {:>8} {:>8}", "request + reply octets, kept of the reply", "room", "full");
    for (reply_octets, whole_replies, sample) in
        [(60, false, 1), (60, true, 1), (512, true, 1), (1232, true, 1), (60, false, 100)]
    {
        let request = [1; 44];
        let reply = vec![2; reply_octets];
        let exchange = Exchange {
            now: Duration::from_secs(1_700_000_000),
            transport: Transport::Udp,
            client: ([192, 0, 2, 1], 5353).into(),
            listener: 0,
            view: Some("default"),
            rule: None,
            request: &request,
            reply: Some(Replied { rcode: ResponseCode::NOERROR, message: &reply }),
        };
        let sample = NonZeroU32::new(sample).unwrap_or(NonZeroU32::MIN);
        let kept = if whole_replies { "all" } else { "header" };
        let what = format!("44 + {reply_octets}, {kept}, 1 in {sample}");
        let room = measure(&exchange, LogSettings { sample, whole_replies, ..LogSettings::default() });
        let full = measure(&exchange, LogSettings { sample, whole_replies, ring_octets: 0 });
        println!("{what:<44} {room:>8.1} {full:>8.1}");
    }
}

/// Median nanoseconds of one call.
fn measure(exchange: &Exchange<'_>, settings: LogSettings) -> f64 {
    let hub = LogHub::new(settings);
    let mut writer = hub.writer();
    let mut readers = hub.take_readers();
    let mut rounds: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            for _ in 0..CALLS {
                writer.record(black_box(exchange));
            }
            let taken = begun.elapsed();
            for reader in &mut readers {
                while reader.read(|entry| {
                    black_box(entry);
                }) > 0
                {}
            }
            taken
        })
        .collect();
    rounds.sort_unstable();
    rounds[ROUNDS / 2].as_secs_f64() * 1e9 / f64::from(CALLS)
}
