//! What a rate limit costs per response: one client, ten thousand clients, and ten million that nobody has seen before.
//!
//! `cargo run --release -p jw238dns-backend --example limiter_cost`. A worker spends one to two microseconds on a query, most
//! of them in the kernel.

use std::error::Error;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dns_backend::guard::{Decision, Limiter, RateLimitSpec, ResponseKind};

const CHECKS: u32 = 10_000_000;
/// How many checks share a moment, as the queries of one batch do.
const BATCH: u32 = 64;

/// The address of the client that asks at so many queries from the beginning.
type Client = fn(u32) -> IpAddr;

fn main() -> Result<(), Box<dyn Error>> {
    let start = SystemTime::now().duration_since(UNIX_EPOCH)?;
    println!("| clients | ns per check | limited |");
    println!("|---|---|---|");
    report("none: making addresses up", start, |n| v4(scatter(n)), |_, _, _| Decision::Send);
    let clients: [(&str, Client); 5] = [
        ("1", |_| v4(0xC000_0201)),
        ("10,000", |n| v4(scatter(n % 10_000))),
        ("10,000, IPv6", |n| v6(scatter(n % 10_000))),
        ("10,000,000 random", |n| v4(scatter(n))),
        ("10,000,000 random, IPv6", |n| v6(scatter(n))),
    ];
    for (name, client) in clients {
        let mut limiter = Limiter::new(&RateLimitSpec::default());
        report(name, start, client, |client, kind, now| limiter.check(client, kind, now));
    }
    let limiter = Limiter::new(&RateLimitSpec::default());
    let (sent, refused) = (Decision::Send, Decision::Drop);
    report("exempt or not, of 10,000", start, clients[1].1, |client, _, _| {
        if limiter.is_exempt(client) { refused } else { sent }
    });
    Ok(())
}

/// Prints a line of the table. Time runs as if the worker did nothing else.
fn report(
    name: &str,
    start: Duration,
    client: impl Fn(u32) -> IpAddr,
    mut check: impl FnMut(IpAddr, ResponseKind, Duration) -> Decision,
) {
    let clock = Instant::now();
    let mut now = start;
    let mut limited = 0_u32;
    for n in 0..CHECKS {
        if n % BATCH == 0 {
            now = start + clock.elapsed();
        }
        let decision = check(black_box(client(n)), ResponseKind::Answer, now);
        limited += u32::from(black_box(decision) != Decision::Send);
    }
    let cost = clock.elapsed() / (CHECKS / 1000);
    let percent = f64::from(limited) / f64::from(CHECKS) * 100.0;
    println!("| {name} | {:.1} | {percent:.1} % |", cost.as_nanos() as f64 / 1000.0);
}

/// Another number for each number, in no order that a cache could guess.
fn scatter(n: u32) -> u32 {
    let n = (n ^ (n >> 16)).wrapping_mul(0x85EB_CA6B);
    let n = (n ^ (n >> 13)).wrapping_mul(0xC2B2_AE35);
    n ^ (n >> 16)
}

fn v4(bits: u32) -> IpAddr {
    Ipv4Addr::from_bits(bits).into()
}

/// In a /56 of its own.
fn v6(bits: u32) -> IpAddr {
    Ipv6Addr::from_bits((0x2001_0db8 << 96) | (u128::from(bits) << 72)).into()
}
