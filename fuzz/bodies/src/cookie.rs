//! COOKIE options of requests.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use dns_backend::guard::{CookieSpec, CookieState, Cookies};

/// The examples of RFC 9018, appendix A, were made at about this time.
const NOW: Duration = Duration::from_secs(1_559_732_000);

/// Reads the octets as an option from clients of both families. Only what these cookies made themselves is valid, for the
/// client and the time that it was made for.
pub fn run(data: &[u8]) {
    let spec = CookieSpec { secrets: vec![*b"a secret that we", *b"shared with none"] };
    let cookies = Cookies::new(&spec).expect("there are secrets");
    for client in [
        IpAddr::from(Ipv4Addr::new(192, 0, 2, 1)),
        IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    ] {
        let client_cookie = match cookies.check(data, client, NOW) {
            CookieState::Malformed => {
                assert!(!matches!(data.len(), 8 | 16..=40));
                continue;
            }
            CookieState::ClientOnly(client_cookie) => {
                assert_eq!(data.len(), 8);
                client_cookie
            }
            CookieState::Invalid(client_cookie) => {
                assert!(matches!(data.len(), 16..=40));
                client_cookie
            }
            CookieState::Valid { client: client_cookie, .. } => {
                assert_eq!(data.len(), 24);
                client_cookie
            }
        };
        assert_eq!(client_cookie, data[..8]);
        let made = cookies.make(client_cookie, client, NOW);
        let option = [&client_cookie[..], &made].concat();
        let valid = CookieState::Valid { client: client_cookie, renew: false };
        assert_eq!(cookies.check(&option, client, NOW), valid);
    }
}
