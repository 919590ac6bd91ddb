//! What a worker pays for telling of a query, and what the log's thread pays for each form: run with `--release`.
//!
//! Each figure is the median of many rounds, in nanoseconds per call. Telling is measured once with a ring that is emptied
//! between rounds and once with one that stays full.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use dns_backend::Transport;
use dns_backend::log::{Entry, Exchange, LogHub, LogSettings, LoggedReply, Replied};
use dns_core::ResponseCode;
use dns_querylog::dnstap::Encoder;
use dns_querylog::{write_json, write_text};

const CALLS: u32 = 500;
const ROUNDS: usize = 401;

fn main() {
    println!("{:<44} {:>8} {:>8}", "request + reply octets, kept of the reply", "room", "full");
    for (reply_octets, whole_replies, sample) in
        [(60, false, 1), (60, true, 1), (512, true, 1), (1232, true, 1), (60, false, 100)]
    {
        let reply = vec![2; reply_octets];
        let exchange = Exchange {
            now: Duration::from_secs(1_700_000_000),
            transport: Transport::Udp,
            client: ([192, 0, 2, 1], 5353).into(),
            listener: 0,
            view: Some("default"),
            rule: None,
            request: REQUEST,
            reply: Some(Replied { rcode: ResponseCode::NOERROR, message: &reply }),
        };
        let sample = NonZeroU32::new(sample).unwrap_or(NonZeroU32::MIN);
        let kept = if whole_replies { "all" } else { "header" };
        let what = format!("{} + {reply_octets}, {kept}, 1 in {sample}", REQUEST.len());
        let room = measure(&exchange, LogSettings { sample, whole_replies, ..LogSettings::default() });
        let full = measure(&exchange, LogSettings { sample, whole_replies, ring_octets: 0 });
        println!("{what:<44} {room:>8.1} {full:>8.1}");
    }
    let encoder = Encoder::new("ns1.example.org", "1.0", Vec::new());
    // Entries can always be said in JSON; one that could not would show as a figure too low to be true.
    report("json", measure_form(|entry, out| drop(write_json(entry, out))));
    report("text", measure_form(write_text));
    report("dnstap, query and response", measure_form(|entry, out| encoder.write(entry, out)));
}

fn report(form: &str, nanos: f64) {
    println!("{form:<44} {nanos:>8.1}");
}

/// `www.example.org A`, with EDNS.
const REQUEST: &[u8] =
    b"\0\x01\x01\0\0\x01\0\0\0\0\0\x01\x03www\x07example\x03org\0\0\x01\0\x01\0\0\x29\x04\xd0\0\0\0\0\0\0";

/// Median nanoseconds for one entry in this form.
fn measure_form(write: impl Fn(&Entry<'_>, &mut Vec<u8>)) -> f64 {
    let reply = LoggedReply { rcode: ResponseCode::NOERROR, octets: 60, message: &[2; 60] };
    let entry = Entry {
        time: Duration::from_secs(1_700_000_000),
        transport: Transport::Udp,
        client: ([192, 0, 2, 1], 5353).into(),
        listener: 0,
        view: Some("default"),
        rule: None,
        request: REQUEST,
        reply: Some(reply),
    };
    let mut out = Vec::new();
    median((0..ROUNDS).map(|_| {
        out.clear();
        let begun = Instant::now();
        for _ in 0..CALLS {
            write(black_box(&entry), &mut out);
        }
        begun.elapsed()
    }))
}

/// Of rounds, for one call.
fn median(rounds: impl Iterator<Item = Duration>) -> f64 {
    let mut rounds: Vec<Duration> = rounds.collect();
    rounds.sort_unstable();
    rounds[ROUNDS / 2].as_secs_f64() * 1e9 / f64::from(CALLS)
}

/// Median nanoseconds for telling of one exchange.
fn measure(exchange: &Exchange<'_>, settings: LogSettings) -> f64 {
    let hub = LogHub::new(settings);
    let mut writer = hub.writer();
    let mut readers = hub.take_readers();
    median((0..ROUNDS).map(|_| {
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
    }))
}
