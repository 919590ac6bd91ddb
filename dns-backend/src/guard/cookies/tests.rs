use std::net::IpAddr;
use std::time::Duration;

use super::*;

/// Examples of RFC 9018, appendix A: secret, client, time of making, client cookie, server cookie.
const VECTORS: [(&str, &str, u64, &str, &str); 4] = [
    (SECRET, "198.51.100.100", 1_559_731_985, "2464c4abcf10c957", "010000005cf79f111f8130c3eee29480"),
    (SECRET, "198.51.100.100", 1_559_734_385, "2464c4abcf10c957", "010000005cf7a871d4a564a1442aca77"),
    (SECRET, "203.0.113.203", 1_559_734_700, "fc93fc62807ddb86", "010000005cf7a9acf73a7810aca2381e"),
    (NEW_SECRET, CLIENT_V6, 1_559_741_961, "22681ab97d52c298", "010000005cf7c609a6bb79d16625507a"),
];
const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";
const OLD_SECRET: &str = "dd3bdf9344b678b185a6f5cb60fca715";
const NEW_SECRET: &str = "445536bcd2513298075a5d379663c962";
const CLIENT_V6: &str = "2001:db8:220:1:59de:d0f4:8769:82b8";
/// When the cookie of [`made`] was made.
const MADE: u64 = 1_559_731_985;

fn octets<const N: usize>(hex: &str) -> [u8; N] {
    let octets = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
    octets.try_into().unwrap()
}

fn cookies(secrets: &[&str]) -> Cookies {
    let secrets = secrets.iter().map(|secret| octets(secret)).collect();
    Cookies::new(&CookieSpec { secrets }).unwrap()
}

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The option of the first example.
fn made() -> [u8; 24] {
    octets("2464c4abcf10c957010000005cf79f111f8130c3eee29480")
}

/// Whether the first example is accepted, and due for renewal, so many seconds after it was made.
fn renewal(cookies: &Cookies, client: &str, option: &[u8], now: u64) -> Option<bool> {
    match cookies.check(option, address(client), at(now)) {
        CookieState::Valid { client, renew } => {
            assert_eq!(client, option[..8]);
            Some(renew)
        }
        CookieState::Invalid(client) => {
            assert_eq!(client, option[..8]);
            None
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_examples_of_the_rfc_are_made_and_verified() {
    for (secret, client, time, client_cookie, server_cookie) in VECTORS {
        let cookies = cookies(&[secret]);
        let expected: ServerCookie = octets(server_cookie);
        assert_eq!(cookies.make(octets(client_cookie), address(client), at(time)), expected);
        let option: [u8; 24] = octets(&format!("{client_cookie}{server_cookie}"));
        assert_eq!(renewal(&cookies, client, &option, time), Some(false), "{server_cookie}");
    }
}

#[test]
fn a_cookie_is_renewed_after_half_an_hour() {
    // Appendix A.2: the cookie comes back after 40 minutes.
    let cookies = cookies(&[SECRET]);
    assert_eq!(renewal(&cookies, "198.51.100.100", &made(), MADE + 2400), Some(true));
}

#[test]
fn reserved_octets_are_hashed_as_they_came() {
    // Appendix A.3. There, the reply comes when the cookie is almost two hours old, which is past what section 4.3 advises.
    let option: [u8; 24] = octets("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5");
    let cookies = cookies(&[SECRET]);
    assert_eq!(renewal(&cookies, "203.0.113.203", &option, 1_559_727_985), Some(true));
    assert_eq!(renewal(&cookies, "203.0.113.203", &option, 1_559_734_700), None);
}

#[test]
fn cookies_of_an_old_secret_are_accepted_and_replaced() {
    // Appendix A.4.
    let option: [u8; 24] = octets("22681ab97d52c298010000005cf7c57926556bd0934c72f8");
    let now = 1_559_741_961;
    assert_eq!(renewal(&cookies(&[NEW_SECRET, OLD_SECRET]), CLIENT_V6, &option, now), Some(true));
    assert_eq!(renewal(&cookies(&[NEW_SECRET, SECRET, OLD_SECRET]), CLIENT_V6, &option, now), Some(true));
    assert_eq!(renewal(&cookies(&[NEW_SECRET, SECRET]), CLIENT_V6, &option, now), None);
    // Before the roll-over, the new secret is known but does not sign.
    assert_eq!(renewal(&cookies(&[OLD_SECRET, NEW_SECRET]), CLIENT_V6, &option, now), Some(false));
}

#[test]
fn a_cookie_lives_for_an_hour_and_may_be_five_minutes_ahead() {
    let cookies = cookies(&[SECRET]);
    for (now, expected) in [
        (MADE - 301, None),
        (MADE - 300, Some(false)),
        (MADE + 1800, Some(false)),
        (MADE + 1801, Some(true)),
        (MADE + 3600, Some(true)),
        (MADE + 3601, None),
        // Half the circle of 32-bit times away, where neither is before the other.
        (MADE + (1 << 31), None),
    ] {
        assert_eq!(renewal(&cookies, "198.51.100.100", &made(), now), expected, "{now}");
    }
}

#[test]
fn time_may_pass_the_end_of_32_bits() {
    let cookies = cookies(&[SECRET]);
    let client = "198.51.100.100";
    for (made, now, expected) in [
        ((1 << 32) - 10, (1 << 32) + 10, Some(false)),
        ((1 << 32) - 10, (1 << 32) + 3590, Some(true)),
        ((1 << 32) - 10, (1 << 32) + 3591, None),
        ((1 << 32) + 290, (1 << 32) - 10, Some(false)),
        ((1 << 32) + 291, (1 << 32) - 10, None),
    ] {
        let server_cookie = cookies.make([7; 8], address(client), at(made));
        let option = [&[7; 8][..], &server_cookie].concat();
        assert_eq!(renewal(&cookies, client, &option, now), expected, "{made} {now}");
    }
}

#[test]
fn every_changed_bit_is_noticed() {
    let cookies = cookies(&[SECRET]);
    for bit in 0..made().len() * 8 {
        let mut option = made();
        option[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(renewal(&cookies, "198.51.100.100", &option, MADE), None, "bit {bit}");
    }
}

#[test]
fn a_cookie_is_for_one_address() {
    let cookies = cookies(&[SECRET]);
    assert_eq!(renewal(&cookies, "198.51.100.101", &made(), MADE), None);
    assert_eq!(renewal(&cookies, "2001:db8::1", &made(), MADE), None);
    // A socket for both families tells IPv4 addresses in this form.
    assert_eq!(renewal(&cookies, "::ffff:198.51.100.100", &made(), MADE), Some(false));
    let mapped = cookies.make(octets("2464c4abcf10c957"), address("::ffff:198.51.100.100"), at(MADE));
    assert_eq!(mapped, made()[8..]);
}

#[test]
fn the_length_is_that_of_one_or_two_cookies() {
    let cookies = cookies(&[SECRET]);
    let option = [9; 64];
    for length in 0..=option.len() {
        let expected = match length {
            8 => CookieState::ClientOnly([9; 8]),
            // Other servers' cookies may be of other lengths; they are well-formed, but not ours.
            16..=40 => CookieState::Invalid([9; 8]),
            _ => CookieState::Malformed,
        };
        let state = cookies.check(&option[..length], address("192.0.2.1"), at(MADE));
        assert_eq!(state, expected, "{length} octets");
    }
    // A cookie of ours with something behind it is not ours.
    let longer = [&made()[..], &[0]].concat();
    assert_eq!(renewal(&cookies, "198.51.100.100", &longer, MADE), None);
}

#[test]
fn without_a_secret_there_are_no_cookies() {
    assert!(Cookies::new(&CookieSpec { secrets: Vec::new() }).is_none());
}
