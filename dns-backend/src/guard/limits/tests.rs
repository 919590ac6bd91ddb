use std::net::Ipv4Addr;

use super::*;

/// An ordinary day, in seconds since 1970.
const DAY: u64 = 1_790_000_000;

const KINDS: [ResponseKind; ResponseKind::COUNT] =
    [ResponseKind::Answer, ResponseKind::NxDomain, ResponseKind::Referral, ResponseKind::Error];

fn spec() -> RateLimitSpec {
    RateLimitSpec {
        answers: 100,
        nxdomains: 50,
        referrals: 20,
        errors: 10,
        burst: 4,
        ..RateLimitSpec::default()
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn day(after: Duration) -> Duration {
    Duration::from_secs(DAY) + after
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Responses of a kind to one client at one moment, until one is not sent.
fn burst(limiter: &mut Limiter, client: &str, kind: ResponseKind, now: Duration) -> u32 {
    let mut sent = 0;
    while limiter.check(address(client), kind, now) == Decision::Send {
        sent += 1;
        assert!(sent < 1_000_000, "there is no limit");
    }
    sent
}

#[test]
fn a_silent_network_may_use_some_seconds_at_once() {
    for (seconds, expected) in [(1, 100), (4, 400), (60, 6000)] {
        let mut limiter = Limiter::new(&RateLimitSpec { burst: seconds, ..spec() });
        assert_eq!(burst(&mut limiter, "192.0.2.1", ResponseKind::Answer, day(millis(0))), expected);
        assert_eq!(burst(&mut limiter, "192.0.2.1", ResponseKind::Answer, day(millis(0))), 0);
    }
}

#[test]
fn bounds_hold_whatever_the_spec_says() {
    let beyond = RateLimitSpec {
        burst: u32::MAX,
        ipv4_prefix: 255,
        ipv6_prefix: 255,
        table_size: 0,
        answers: u32::MAX,
        ..spec()
    };
    let mut limiter = Limiter::new(&beyond);
    let now = day(millis(0));
    assert_eq!(burst(&mut limiter, "192.0.2.1", ResponseKind::Error, now), 600);
    assert_eq!(burst(&mut limiter, "192.0.2.2", ResponseKind::Error, now), 600);
    assert_eq!(burst(&mut limiter, "2001:db8::1", ResponseKind::Error, now), 600);
    let below = RateLimitSpec { burst: 0, ipv4_prefix: 0, ipv6_prefix: 0, table_size: u32::MAX, ..spec() };
    let mut limiter = Limiter::new(&below);
    limiter.table = Table::new(1024);
    assert_eq!(burst(&mut limiter, "192.0.2.1", ResponseKind::Error, now), 10);
    assert_eq!(burst(&mut limiter, "223.0.2.1", ResponseKind::Error, now), 0);
    assert_eq!(burst(&mut limiter, "2001:db8::1", ResponseKind::Error, now), 10);
    assert_eq!(burst(&mut limiter, "3fff::1", ResponseKind::Error, now), 0);
}

#[test]
fn the_rate_is_held() {
    for rate in [1, 3, 7, 100, 999, 1000, 30_000] {
        let mut limiter = Limiter::new(&RateLimitSpec { answers: rate, burst: 1, ..spec() });
        let client = address("192.0.2.1");
        burst(&mut limiter, "192.0.2.1", ResponseKind::Answer, day(millis(0)));
        // Three times the rate, for as many seconds as give a thousand responses or more.
        let seconds = 1000_u32.div_ceil(rate);
        let step = |n: u32| Duration::from_nanos(u64::from(n) * NANOSECONDS / u64::from(3 * rate));
        let sent = (1..=3 * rate * seconds)
            .filter(|n| limiter.check(client, ResponseKind::Answer, day(step(*n))) == Decision::Send)
            .count();
        let expected = f64::from(rate * seconds);
        assert!((sent as f64 / expected - 1.0).abs() < 0.01, "{sent} of {expected} at {rate} per second");
    }
}

#[test]
fn who_stays_below_the_rate_is_never_limited() {
    let mut limiter = Limiter::new(&RateLimitSpec { burst: 1, ..spec() });
    for n in 0..10_000 {
        let decision = limiter.check(address("192.0.2.1"), ResponseKind::Answer, day(millis(10) * n));
        assert_eq!(decision, Decision::Send, "response {n}");
    }
}

#[test]
fn what_was_used_comes_back_at_the_rate() {
    let mut limiter = Limiter::new(&spec());
    let mut burst_at = |after| burst(&mut limiter, "192.0.2.1", ResponseKind::Answer, day(after));
    assert_eq!(burst_at(millis(0)), 400);
    assert_eq!(burst_at(millis(5)), 0);
    assert_eq!(burst_at(millis(10)), 1);
    assert_eq!(burst_at(millis(1010)), 100);
    assert_eq!(burst_at(millis(5000)), 399);
    assert_eq!(burst_at(millis(100_000)), 400);
}

#[test]
fn one_in_so_many_slips() {
    for (slip, expected) in
        [(0, "........"), (1, "ssssssss"), (2, ".s.s.s.s"), (3, "..s..s.."), (255, "........")]
    {
        let mut limiter = Limiter::new(&RateLimitSpec { slip, ..spec() });
        let client = address("192.0.2.1");
        let now = day(millis(0));
        for _ in 0..400 {
            assert_eq!(limiter.check(client, ResponseKind::Answer, now), Decision::Send);
        }
        let mut next = || match limiter.check(client, ResponseKind::Answer, now) {
            Decision::Send => '!',
            Decision::Slip => 's',
            Decision::Drop => '.',
        };
        let decisions: String = (0..8).map(|_| next()).collect();
        assert_eq!(decisions, expected, "slip {slip}");
        let slipped = (8..2550).filter(|_| next() == 's').count() + decisions.matches('s').count();
        assert_eq!(slipped, 2550_usize.checked_div(slip.into()).unwrap_or(0), "slip {slip}");
    }
}

#[test]
fn kinds_have_limits_of_their_own() {
    let mut limiter = Limiter::new(&spec());
    for (kind, expected) in KINDS.into_iter().zip([400, 200, 80, 40]) {
        assert_eq!(burst(&mut limiter, "192.0.2.1", kind, day(millis(0))), expected, "{kind:?}");
    }
}

#[test]
fn a_rate_of_0_is_no_limit() {
    let mut limiter = Limiter::new(&RateLimitSpec { nxdomains: 0, ..spec() });
    for _ in 0..100_000 {
        let decision = limiter.check(address("192.0.2.1"), ResponseKind::NxDomain, day(millis(0)));
        assert_eq!(decision, Decision::Send);
    }
    assert_eq!(limiter.table_octets(), 0);
    assert_eq!(burst(&mut limiter, "192.0.2.1", ResponseKind::Error, day(millis(0))), 40);
}

#[test]
fn networks_share_a_limit_and_differ_from_others() {
    let mut limiter = Limiter::new(&spec());
    for (client, expected) in [
        ("192.0.2.1", 400),
        ("192.0.2.255", 0),
        ("::ffff:192.0.2.7", 0),
        ("192.0.3.1", 400),
        ("2001:db8:0:100::1", 400),
        ("2001:db8:0:1ff:ffff::", 0),
        ("2001:db8:0:200::1", 400),
        // The same bits as an IPv4 network that is at its limit already, at the other end.
        ("::c000:200", 400),
    ] {
        assert_eq!(burst(&mut limiter, client, ResponseKind::Answer, day(millis(0))), expected, "{client}");
    }
}

#[test]
fn loopback_is_exempt_by_default_and_others_on_request() {
    let exempt = ["10.0.0.0/8", "2001:db8::/32"].map(|text| text.parse().unwrap()).to_vec();
    let by_default = Limiter::new(&RateLimitSpec::default());
    let by_request = Limiter::new(&RateLimitSpec { exempt, ..spec() });
    for (client, expected) in [
        ("127.0.0.1", (true, false)),
        ("127.255.255.254", (true, false)),
        ("::1", (true, false)),
        ("::ffff:127.0.0.1", (true, false)),
        ("::2", (false, false)),
        ("10.1.2.3", (false, true)),
        ("::ffff:10.1.2.3", (false, true)),
        ("2001:db8::1", (false, true)),
        ("192.0.2.1", (false, false)),
    ] {
        let client = address(client);
        assert_eq!((by_default.is_exempt(client), by_request.is_exempt(client)), expected, "{client}");
    }
}

#[test]
fn a_clock_that_is_set_back_locks_nobody_out() {
    let mut limiter = Limiter::new(&spec());
    let mut burst_at = |seconds| {
        let now = Duration::from_secs(seconds);
        burst(&mut limiter, "192.0.2.1", ResponseKind::Answer, now)
    };
    assert_eq!(burst_at(DAY), 400);
    // A step is no time that has passed; time goes on from there.
    assert_eq!(burst_at(DAY - 86_400), 0);
    assert_eq!(burst_at(DAY - 86_399), 100);
    assert_eq!(burst_at(0), 0);
    assert_eq!(burst_at(2), 200);
    assert_eq!(burst_at(10), 400);
}

#[test]
fn a_clock_that_trembles_gives_nothing_away() {
    let mut limiter = Limiter::new(&RateLimitSpec { answers: 1000, burst: 1, ..spec() });
    burst(&mut limiter, "192.0.2.1", ResponseKind::Answer, day(millis(0)));
    // A tenth of a second on, a hundredth back: what it went back is lived through twice, and no more than that.
    let mut sent = 0;
    for n in 0..100 {
        sent += burst(&mut limiter, "192.0.2.1", ResponseKind::Answer, day(millis(90 * n + 100)));
        sent += burst(&mut limiter, "192.0.2.1", ResponseKind::Answer, day(millis(90 * n + 90)));
    }
    assert_eq!(sent, 100 * 100);
}

#[test]
fn a_clock_that_jumps_ahead_refills() {
    let mut limiter = Limiter::new(&spec());
    for now in [0, DAY, DAY + 3600, 10 * DAY, u64::MAX, 0, DAY, u64::MAX] {
        let now = Duration::from_secs(now);
        let expected = if now.is_zero() && limiter.clock.elapsed > 0 { 0 } else { 400 };
        assert_eq!(burst(&mut limiter, "192.0.2.1", ResponseKind::Answer, now), expected, "{now:?}");
    }
}

#[test]
fn there_is_no_table_before_somebody_is_limited() {
    for (entries, octets) in [(65_536, 1 << 20), (65_537, 2 << 20), (1000, 1024 * 16), (1, 64)] {
        let mut limiter = Limiter::new(&RateLimitSpec { table_size: entries, ..spec() });
        assert!(limiter.is_exempt(address("127.0.0.1")));
        assert_eq!(limiter.table_octets(), 0);
        for network in 0..10_000_u32 {
            let client = Ipv4Addr::from_bits(network << 8).into();
            limiter.check(client, ResponseKind::Answer, day(millis(0)));
        }
        // And a line to begin at a boundary.
        assert_eq!(limiter.table_octets(), octets + 64, "{entries} entries");
    }
}

#[test]
fn who_stays_below_the_rate_is_not_limited_amid_a_flood() {
    let mut limiter = Limiter::new(&RateLimitSpec { answers: 100, burst: 1, table_size: 4096, ..spec() });
    let mut state = 7;
    // Ten seconds with 50,000 new sources in each, and 50 regular clients that ask 90 times per second, evenly.
    for time in 0..10_000 {
        let now = day(millis(time));
        for _ in 0..50 {
            let client = Ipv4Addr::from_bits(random(&mut state) as u32 | 1 << 31);
            limiter.check(client.into(), ResponseKind::Answer, now);
        }
        for regular in (0..50_u8).filter(|regular| (time + u64::from(*regular)) % 11 == 0) {
            let decision = limiter.check(IpAddr::from([10, 0, regular, 1]), ResponseKind::Answer, now);
            assert_eq!(decision, Decision::Send, "client {regular} after {time} ms");
        }
    }
}

/// Numbers that look random and are the same in each run.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn a_heavy_hitter_is_not_forgotten_among_a_million_sources() {
    let mut limiter = Limiter::new(&RateLimitSpec { answers: 1000, table_size: 1024, ..spec() });
    let heavy = address("192.0.2.1");
    let mut state = 42;
    let mut limited = 0;
    let mut sent = 0;
    // Ten seconds: in each millisecond 100 new sources with one query, and the heavy one with ten.
    for time in 0..10_000 {
        let now = day(millis(time));
        for _ in 0..100 {
            let client = Ipv4Addr::from_bits(random(&mut state) as u32).into();
            limited += u32::from(limiter.check(client, ResponseKind::Answer, now) != Decision::Send);
        }
        for _ in 0..10 {
            sent += u32::from(limiter.check(heavy, ResponseKind::Answer, now) == Decision::Send);
        }
    }
    assert!(sent <= 14_001, "the heavy hitter got {sent}, its rate and burst are 14,000");
    assert!(sent >= 13_500, "the heavy hitter got {sent} only");
    // One newcomer in 256 gets into the bucket of the heavy hitter; they take each other's entries, not that one.
    assert_eq!(limited, 0, "of 1,000,000 others");
}

#[test]
fn sources_that_push_each_other_out_gain_nothing() {
    // One bucket, and more sources above their limit than it has entries.
    let mut limiter = Limiter::new(&RateLimitSpec { answers: 100, table_size: 4, ..spec() });
    let mut sent = [0_u32; 12];
    for time in 0..10_000 {
        for (client, sent) in sent.iter_mut().enumerate() {
            let client = IpAddr::from([198, 51, client as u8, 1]);
            *sent +=
                u32::from(limiter.check(client, ResponseKind::Answer, day(millis(time))) == Decision::Send);
        }
    }
    let all: u32 = sent.iter().sum();
    assert!(all <= 4 * (10 + 4) * 100 + 4, "{sent:?}");
    assert!(sent.iter().all(|sent| *sent <= 14 * 100 + 1), "{sent:?}");
}
