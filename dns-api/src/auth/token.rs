//! Tokens: what a client shows, and what is kept of it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE32_DNSSEC;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::grant::{Access, Grant};

/// What all tokens begin with, so that people and scanners for leaked secrets know one when they see it.
const PREFIX: &str = "jw238";
/// Octets of an identity; a server has few tokens, and identities need not be hard to guess.
const ID_OCTETS: usize = 5;
const SECRET_OCTETS: usize = 32;
/// Octets of the checksum, which finds tokens that were not copied whole before anybody is asked.
const CHECK_OCTETS: usize = 5;
/// Version of the record, so that a later one can be told from damage.
const RECORD_VERSION: u32 = 1;

/// The public part of a token, by which it is listed and revoked.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TokenId([u8; ID_OCTETS]);

/// A token as it is kept: everything but the secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Token {
    id: TokenId,
    name: Arc<str>,
    secret_hash: SecretHash,
    created: SystemTime,
    expires: Option<SystemTime>,
    grants: Vec<Grant>,
}

/// SHA-256 of a secret.
///
/// A fast hash without salt is right here: the secret has 256 random bits, so neither tables nor guessing get anywhere, and
/// every request has to pay for it. Slow hashes are for what people think up.
#[derive(Clone, Copy, Debug)]
struct SecretHash([u8; 32]);

/// The text that a client shows: `jw238_<identity>_<secret and checksum>`. Known when a token is made, and never again.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(String);

/// What a client has shown, not yet compared with anything.
#[derive(Clone, Debug)]
pub struct Presented {
    id: TokenId,
    secret_hash: SecretHash,
}

/// Why there is no such token.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Names are read by people, in lists, logs and the history.
    #[error("name must have 1 to {} characters, none of them a control character", Token::NAME_MAX)]
    Name,
    /// It would allow nothing.
    #[error("grants: there must be at least one")]
    NoGrant,
    /// Each request asks all of them.
    #[error("grants: at most {} are allowed", Token::GRANTS_MAX)]
    TooManyGrants,
    /// It could never be used.
    #[error("expires: this lies in the past")]
    Expired,
    /// The system has no random octets to give.
    #[error("the system has no random octets")]
    Random(#[source] getrandom::Error),
    /// What was kept is not the record of a token.
    #[error("record of a token cannot be read")]
    Record(#[source] serde_json::Error),
    /// A later version of this program wrote it.
    #[error("record of a token has version {0}, and this program reads {RECORD_VERSION}")]
    Version(u32),
}

/// A text that is no token, or not a whole one.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("not a whole token: {PREFIX}_, an identity, _ and a secret with its checksum")]
pub struct Malformed;

impl Token {
    /// Most characters in a name.
    pub const NAME_MAX: usize = 64;
    /// Most grants a token may have.
    pub const GRANTS_MAX: usize = 100;

    /// What keeps such a token from being made.
    pub(crate) fn faults(
        name: &str,
        grants: usize,
        created: SystemTime,
        expires: Option<SystemTime>,
    ) -> Vec<TokenError> {
        let mut faults = check(name, grants);
        if expires.is_some_and(|expires| expires <= created) {
            faults.push(TokenError::Expired);
        }
        faults
    }

    /// Makes a token and the secret that proves it.
    ///
    /// # Errors
    /// Says which part will not do.
    pub fn make(
        name: &str,
        grants: Vec<Grant>,
        created: SystemTime,
        expires: Option<SystemTime>,
    ) -> Result<(Self, Secret), TokenError> {
        if let Some(fault) = Self::faults(name, grants.len(), created, expires).into_iter().next() {
            return Err(fault);
        }
        let (mut id, mut secret) = ([0; ID_OCTETS], [0; SECRET_OCTETS]);
        getrandom::fill(&mut id).map_err(TokenError::Random)?;
        getrandom::fill(&mut secret).map_err(TokenError::Random)?;
        let id = TokenId(id);
        let token = Self {
            id,
            name: name.into(),
            secret_hash: SecretHash::of(&secret),
            created: whole_seconds(created),
            expires: expires.map(whole_seconds),
            grants,
        };
        Ok((token, Secret::new(id, &secret)))
    }

    /// The public part.
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// What people call it; several may have one name.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// When it was made, in whole seconds.
    pub fn created(&self) -> SystemTime {
        self.created
    }

    /// From when on it is refused, in whole seconds; `None` if never.
    pub fn expires(&self) -> Option<SystemTime> {
        self.expires
    }

    /// What it allows: whatever any of these does.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// It is refused for its age.
    pub fn is_expired(&self, now: SystemTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// It allows everything.
    pub fn is_admin(&self) -> bool {
        self.grants.iter().any(|grant| grant.access() == Access::Admin)
    }

    /// The client has shown this token's secret. Takes as long whether it is right or wrong.
    pub fn is_proven_by(&self, presented: &Presented) -> bool {
        presented.id == self.id && self.secret_hash.is(&presented.secret_hash)
    }

    /// What is kept: JSON with a version. There is no secret in it.
    ///
    /// # Errors
    /// None in practice; whatever the encoder says.
    pub fn to_record(&self) -> Result<Vec<u8>, TokenError> {
        let record = Record {
            version: RECORD_VERSION,
            id: self.id.to_string(),
            name: self.name.to_string(),
            secret_sha256: BASE32_DNSSEC.encode(&self.secret_hash.0),
            created: seconds(self.created),
            expires: self.expires.map(seconds),
            grants: self.grants.clone(),
        };
        serde_json::to_vec(&record).map_err(TokenError::Record)
    }

    /// Reads what [`to_record`](Self::to_record) has written.
    ///
    /// # Errors
    /// The record is damaged, or of a later version. Nothing is guessed at: a token with half its limits would allow too much.
    pub fn from_record(record: &[u8]) -> Result<Self, TokenError> {
        let Version { version } = serde_json::from_slice(record).map_err(TokenError::Record)?;
        if version != RECORD_VERSION {
            return Err(TokenError::Version(version));
        }
        let record: Record = serde_json::from_slice(record).map_err(TokenError::Record)?;
        if let Some(fault) = check(&record.name, record.grants.len()).into_iter().next() {
            return Err(fault);
        }
        let damaged = |what: &str| TokenError::Record(serde::de::Error::custom(what));
        let id = record.id.parse().map_err(|Malformed| damaged("id is not one"))?;
        let secret_hash =
            decode(&record.secret_sha256).ok_or_else(|| damaged("secret_sha256 is not a hash"))?;
        Ok(Self {
            id,
            name: record.name.into(),
            secret_hash: SecretHash(secret_hash),
            created: time(record.created).ok_or_else(|| damaged("created is no time"))?,
            expires: record
                .expires
                .map(|expires| time(expires).ok_or_else(|| damaged("expires is no time")))
                .transpose()?,
            grants: record.grants,
        })
    }
}

impl SecretHash {
    fn of(secret: &[u8; SECRET_OCTETS]) -> Self {
        Self(sha256(secret))
    }

    /// Equal; how long this takes tells nothing of where they differ.
    fn is(&self, other: &Self) -> bool {
        verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        self.is(other)
    }
}

impl Eq for SecretHash {}

impl Secret {
    fn new(id: TokenId, secret: &[u8; SECRET_OCTETS]) -> Self {
        let mut text = format!("{PREFIX}_{id}_{}", BASE32_DNSSEC.encode(secret));
        let check = checksum(&text);
        text.push_str(&check);
        Self(text)
    }

    /// The text, to be shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    /// Secrets end up in logs by way of `Debug`; this one does not.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Presented {
    /// Whose secret it claims to be.
    pub fn id(&self) -> TokenId {
        self.id
    }
}

impl FromStr for Presented {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (head, secret) = text.rsplit_once('_').ok_or(Malformed)?;
        let id =
            head.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('_')).ok_or(Malformed)?.parse()?;
        // The checksum is no secret: it covers only what the client has shown itself.
        let (secret, check) = secret.split_at_checked(SECRET_CHARACTERS).ok_or(Malformed)?;
        if checksum(&text[..head.len() + 1 + SECRET_CHARACTERS]) != check {
            return Err(Malformed);
        }
        let secret = decode(secret).ok_or(Malformed)?;
        Ok(Self { id, secret_hash: SecretHash::of(&secret) })
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_DNSSEC.encode(&self.0))
    }
}

impl fmt::Debug for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TokenId {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        decode(text).map(Self).ok_or(Malformed)
    }
}

/// Characters of the secret itself: five bits each.
const SECRET_CHARACTERS: usize = (SECRET_OCTETS * 8).div_ceil(5);

/// What is kept. Grants say themselves which fields they know.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Record {
    version: u32,
    id: String,
    name: String,
    secret_sha256: String,
    created: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    grants: Vec<Grant>,
}

/// The one field that all versions of a record have.
#[derive(Deserialize)]
struct Version {
    version: u32,
}

/// What is wrong with a name and a number of grants.
fn check(name: &str, grants: usize) -> Vec<TokenError> {
    let mut faults = Vec::new();
    let is_long = name.chars().nth(Token::NAME_MAX).is_some();
    if name.trim().is_empty() || is_long || name.chars().any(char::is_control) {
        faults.push(TokenError::Name);
    }
    match grants {
        0 => faults.push(TokenError::NoGrant),
        1..=Token::GRANTS_MAX => {}
        _ => faults.push(TokenError::TooManyGrants),
    }
    faults
}

fn sha256(octets: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest(&SHA256, octets).as_ref());
    hash
}

pub(super) fn checksum(text: &str) -> String {
    BASE32_DNSSEC.encode(&sha256(text.as_bytes())[..CHECK_OCTETS])
}

/// Octets of exactly this number, in the one way to write them.
fn decode<const OCTETS: usize>(text: &str) -> Option<[u8; OCTETS]> {
    if text.bytes().any(|octet| octet.is_ascii_uppercase()) {
        return None;
    }
    BASE32_DNSSEC.decode(text.as_bytes()).ok()?.try_into().ok()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn time(seconds: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

fn whole_seconds(time: SystemTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds(time))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Duration = Duration::from_secs(1_790_000_000);

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + NOW
    }

    fn made() -> (Token, Secret) {
        let grants = vec![Grant::unlimited(Access::Read)];
        Token::make("ci", grants, now(), Some(now() + Duration::from_mins(1))).unwrap()
    }

    #[test]
    fn a_secret_proves_its_own_token_only() {
        let ((first, secret), (second, other)) = (made(), made());
        let presented: Presented = secret.reveal().parse().unwrap();
        assert_eq!(presented.id(), first.id());
        assert!(first.is_proven_by(&presented));
        assert!(!second.is_proven_by(&presented));
        // The identity of one with the secret of the other.
        let mixed = Presented { id: first.id(), ..other.reveal().parse().unwrap() };
        assert!(!first.is_proven_by(&mixed));
    }

    #[test]
    fn the_text_says_what_it_is_and_knows_its_typos() {
        let (token, secret) = made();
        let text = secret.reveal();
        assert!(text.starts_with(&format!("jw238_{}_", token.id())), "{text}");
        assert_eq!(text.len(), "jw238_".len() + 8 + 1 + 52 + 8);
        for at in 0..text.len() {
            let mut typo = text.as_bytes().to_vec();
            typo[at] = if typo[at] == b'0' { b'1' } else { b'0' };
            let typo = String::from_utf8(typo).unwrap();
            assert_eq!(typo.parse::<Presented>().err(), Some(Malformed), "{typo}");
        }
        for text in [
            "",
            "_",
            "__",
            "jw238_",
            "Bearer",
            &text[..text.len() - 1],
            &format!("{text}0"),
            &text.to_uppercase(),
            "jw238_00000000_äääääääääääääääääääääääääääääääääääääääääääääääääääääääääääää",
        ] {
            assert_eq!(text.parse::<Presented>().err(), Some(Malformed), "{text}");
        }
    }

    #[test]
    fn records_hold_the_token_and_no_secret() {
        let (token, secret) = made();
        let record = token.to_record().unwrap();
        assert_eq!(Token::from_record(&record).unwrap(), token);
        let text = String::from_utf8(record).unwrap();
        let (_, shown) = secret.reveal().rsplit_once('_').unwrap();
        assert!(!text.contains(&shown[..SECRET_CHARACTERS]), "{text}");
        assert!(!format!("{token:?} {secret:?}").contains(&shown[..SECRET_CHARACTERS]));
    }

    #[test]
    fn damaged_records_are_refused() {
        let (token, _) = made();
        let text = String::from_utf8(token.to_record().unwrap()).unwrap();
        for (from, to) in [
            ("\"version\":1", "\"version\":2"),
            ("\"grants\":[{\"access\":\"read\"}]", "\"grants\":[]"),
            ("\"access\":\"read\"", "\"access\":\"read\",\"zone\":\"a\""),
            ("\"name\":\"ci\"", "\"name\":\"\""),
            ("\"expires\"", "\"expire\""),
            ("1790000060", "18446744073709551615"),
            ("\"secret_sha256\":\"", "\"secret_sha256\":\"0"),
            ("}", ""),
        ] {
            let damaged = text.replacen(from, to, 1);
            assert_ne!(damaged, text);
            assert!(Token::from_record(damaged.as_bytes()).is_err(), "{damaged}");
        }
    }

    #[test]
    fn tokens_expire() {
        let (token, _) = made();
        assert!(!token.is_expired(now() + Duration::from_secs(59)));
        assert!(token.is_expired(now() + Duration::from_mins(1)));
        let grants = || vec![Grant::unlimited(Access::Read)];
        let (forever, _) = Token::make("a", grants(), now(), None).unwrap();
        assert!(!forever.is_expired(now() + Duration::from_secs(1 << 40)));
        assert!(matches!(Token::make("a", grants(), now(), Some(now())), Err(TokenError::Expired)));
    }

    #[test]
    fn names_are_for_people() {
        let make =
            |name: &str| Token::make(name, vec![Grant::unlimited(Access::Read)], now(), None).map(drop);
        for name in ["a", "CI of the web team", &"ä".repeat(Token::NAME_MAX)] {
            make(name).unwrap();
        }
        for name in ["", " ", "a\nb", "\u{1b}[2J", &"a".repeat(Token::NAME_MAX + 1)] {
            assert!(matches!(make(name), Err(TokenError::Name)), "{name:?}");
        }
        assert!(matches!(Token::make("a", Vec::new(), now(), None), Err(TokenError::NoGrant)));
    }

    proptest! {
        #[test]
        fn any_text_is_a_token_or_none(
            text in prop_oneof![".*", "jw238_[0-9a-v_]{0,80}", "jw238_[0-9a-v]{8}_[0-9a-vé]{60}"]
        ) {
            // The chance to hit a checksum is one in 2^40.
            prop_assert!(text.parse::<Presented>().is_err());
        }
    }
}
