//! DNS cookies: proof that a client's address is its own ([RFC 7873](https://www.rfc-editor.org/rfc/rfc7873)), in the form
//! on which servers agree ([RFC 9018](https://www.rfc-editor.org/rfc/rfc9018)).

use std::net::IpAddr;
use std::time::Duration;

use siphasher::sip::SipHasher24;

use super::CookieSpec;

/// Makes and checks server cookies.
///
/// There is no state for clients: a server cookie is the time and a hash over it, the client's cookie and the client's
/// address, so every server with the same secrets accepts what the others made.
#[derive(Clone, Debug)]
pub struct Cookies {
    signing: SipHasher24,
    /// Those besides the first, accepted while secrets are rolled over.
    verifying: Vec<SipHasher24>,
}

/// What a COOKIE option tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CookieState {
    /// No client cookie of 8 octets, or a server cookie that is not of 8 to 32: FORMERR ([RFC 7873, section 5.2.2]).
    ///
    /// [RFC 7873, section 5.2.2]: https://www.rfc-editor.org/rfc/rfc7873#section-5.2.2
    Malformed,
    /// The client does not know a server cookie yet; this is the one of its own.
    ClientOnly(ClientCookie),
    /// The server cookie is ours, and the client has its address rightfully.
    Valid {
        /// The client's cookie.
        client: ClientCookie,
        /// A new server cookie is due; otherwise the reply may carry the one of the request.
        renew: bool,
    },
    /// The server cookie is not ours, not for this address, or of another time. That happens to honest clients, so they
    /// are treated like those with none ([RFC 7873, section 5.2.4]).
    ///
    /// [RFC 7873, section 5.2.4]: https://www.rfc-editor.org/rfc/rfc7873#section-5.2.4
    Invalid(ClientCookie),
}

/// What a client chose, and recognises our replies by.
pub type ClientCookie = [u8; 8];
/// Version, three reserved octets, time, hash ([RFC 9018, section 4](https://www.rfc-editor.org/rfc/rfc9018#section-4)).
pub type ServerCookie = [u8; 16];

impl Cookies {
    /// From secrets; `None` if there are none.
    pub fn new(spec: &CookieSpec) -> Option<Self> {
        let mut secrets = spec.secrets.iter().map(SipHasher24::new_with_key);
        Some(Self { signing: secrets.next()?, verifying: secrets.collect() })
    }

    /// Reads the data of a COOKIE option. `now` is the time since 1970.
    pub fn check(&self, option: &[u8], client: IpAddr, now: Duration) -> CookieState {
        let Some((&client_cookie, server_cookie)) = option.split_first_chunk() else {
            return CookieState::Malformed;
        };
        match server_cookie.len() {
            0 => return CookieState::ClientOnly(client_cookie),
            8..=32 => {}
            _ => return CookieState::Malformed,
        }
        match self.check_server(client_cookie, server_cookie, client, now) {
            Some(renew) => CookieState::Valid { client: client_cookie, renew },
            None => CookieState::Invalid(client_cookie),
        }
    }

    /// The server cookie for a client. `now` is the time since 1970.
    pub fn make(&self, client_cookie: ClientCookie, client: IpAddr, now: Duration) -> ServerCookie {
        let mut cookie = [0; 16];
        cookie[0] = VERSION;
        cookie[4..8].copy_from_slice(&timestamp(now).to_be_bytes());
        let input = Input::new(
            client_cookie,
            [cookie[0], 0, 0, 0, cookie[4], cookie[5], cookie[6], cookie[7]],
            client,
        );
        cookie[8..].copy_from_slice(&self.signing.hash(input.octets()).to_le_bytes());
        cookie
    }

    /// Whether a server cookie that is valid should be replaced; `None` if it is not valid.
    fn check_server(
        &self,
        client_cookie: ClientCookie,
        server_cookie: &[u8],
        client: IpAddr,
        now: Duration,
    ) -> Option<bool> {
        // The reserved octets are hashed as they came, and need not be 0 (RFC 9018, section 4.2).
        let (&fields, hash) = server_cookie.split_first_chunk::<8>()?;
        let hash = u64::from_le_bytes(hash.try_into().ok()?);
        let [VERSION, reserved @ .., t0, t1, t2, t3] = fields else { return None };
        // Serial number arithmetic (RFC 1982): the difference of two 32-bit times, taken as signed, is the age.
        let age = timestamp(now).wrapping_sub(u32::from_be_bytes([t0, t1, t2, t3])) as i32;
        if !(-FUTURE_MAX..=AGE_MAX).contains(&age) {
            return None;
        }
        let input = Input::new(client_cookie, fields, client);
        // Hashes are compared as one number, which takes the same time wherever they differ.
        if self.signing.hash(input.octets()) == hash {
            return Some(age > AGE_RENEW || reserved != [0; 3]);
        }
        // An old secret soon goes away, and so should its cookies.
        self.verifying.iter().any(|secret| secret.hash(input.octets()) == hash).then_some(true)
    }
}

/// What is hashed ([RFC 9018, section 4.4](https://www.rfc-editor.org/rfc/rfc9018#section-4.4)).
struct Input {
    octets: [u8; 32],
    length: usize,
}

impl Input {
    fn new(client_cookie: ClientCookie, fields: [u8; 8], client: IpAddr) -> Self {
        let mut octets = [0; 32];
        octets[..8].copy_from_slice(&client_cookie);
        octets[8..16].copy_from_slice(&fields);
        let length = match client.to_canonical() {
            IpAddr::V4(address) => {
                octets[16..20].copy_from_slice(&address.octets());
                20
            }
            IpAddr::V6(address) => {
                octets[16..].copy_from_slice(&address.octets());
                32
            }
        };
        Self { octets, length }
    }

    fn octets(&self) -> &[u8] {
        &self.octets[..self.length]
    }
}

/// Seconds since 1970, of which the lowest 32 bits go into a cookie.
fn timestamp(now: Duration) -> u32 {
    now.as_secs() as u32
}

/// The only version there is ([RFC 9018, section 4.1](https://www.rfc-editor.org/rfc/rfc9018#section-4.1)).
const VERSION: u8 = 1;
// Seconds, as RFC 9018, section 4.3, recommends them.
const AGE_MAX: i32 = 3600;
const AGE_RENEW: i32 = 1800;
const FUTURE_MAX: i32 = 300;

#[cfg(test)]
mod tests;
