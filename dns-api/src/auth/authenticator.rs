//! Whether a client is who it says.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use thiserror::Error;
use tokio::sync::watch;

use super::caller::Caller;
use super::grant::{Access, Grant};
use super::store::{TokenStore, TokenStoreError};
use super::token::{Presented, Secret, Token, TokenError, TokenId};
use crate::rate::{ApiLimits, Bucket, Clock, Failures, Strangers};

/// All tokens, and how often clients have tried them.
///
/// Logging in with a valid token takes no lock. Tokens come and go by way of
/// [`create`](Self::create) and [`revoke`](Self::revoke), which wait for the disk.
pub struct Authenticator {
    store: Arc<dyn TokenStore>,
    tokens: ArcSwap<HashMap<TokenId, Arc<Session>>>,
    /// Held by whoever changes the tokens.
    changing: Mutex<()>,
    /// Stands in for tokens that do not exist, so that looking for them takes as long as for those that do.
    decoy: Token,
    limits: ApiLimits,
    clock: Clock,
    strangers: Strangers,
    failures: Failures,
}

/// A token and what is known of its use while the process runs.
struct Session {
    token: Arc<Token>,
    revoked: watch::Sender<bool>,
    bucket: Bucket,
    /// Seconds since 1970; 0 if never.
    last_used: AtomicU64,
}

/// A token in a list.
#[derive(Clone, Debug)]
pub struct ListedToken {
    /// The token.
    pub token: Arc<Token>,
    /// When it was used last, in whole seconds; `None` if not since the process has started.
    pub last_used: Option<SystemTime>,
}

/// Why a client is not let in.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum Refusal {
    /// No token was shown.
    #[error("there is no token: Authorization: Bearer jw238_...")]
    Missing,
    /// It does not exist, is revoked, or the secret is wrong; which of these is not told.
    #[error("the token is not valid")]
    Wrong,
    /// It was valid once.
    #[error("the token has expired")]
    Expired,
    /// Too much was asked with the token, or from a network without one.
    #[error("too many requests")]
    TooMany {
        /// When the next one will do.
        wait: Duration,
    },
    /// Too many logins have failed from this network. Valid tokens are let in nevertheless.
    #[error("too many failed logins from this network")]
    LockedOut {
        /// When the next attempt will be looked at.
        wait: Duration,
    },
}

/// Why there is no new token, or the old one is not gone for good.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokensError {
    /// It cannot be as it was asked for.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// More would make every change of tokens slow.
    #[error("there are {} tokens already", Authenticator::TOKENS_MAX)]
    TooMany,
    /// Nobody could make tokens without it.
    #[error(
        "this is the last token with admin access, and without one nobody can make or revoke tokens: make another one first"
    )]
    LastAdmin,
    /// It could not be kept.
    #[error("the token cannot be kept: {0}")]
    NotKept(#[source] TokenStoreError),
    /// It is refused from now on, and comes back with the next start unless revoking it again succeeds.
    #[error("the token is revoked for as long as the server runs, but this cannot be kept: {0}")]
    NotForgotten(#[source] TokenStoreError),
}

impl Authenticator {
    /// Most tokens there may be.
    pub const TOKENS_MAX: usize = 10_000;
    /// How long tokens that have expired are still listed, and told so to who shows them; then they are forgotten, with the next
    /// start or when the next one is made.
    pub const REMEMBERED: Duration = Duration::from_hours(30 * 24);

    /// Takes all tokens from where they are kept.
    ///
    /// # Errors
    /// They cannot be read, or the system has no random octets.
    pub fn open(store: Arc<dyn TokenStore>, limits: ApiLimits) -> Result<Self, TokensError> {
        let mut tokens = store.load().map_err(TokensError::NotKept)?;
        let now = SystemTime::now();
        tokens.retain(|token| !is_of_the_past(token, now) || !forget(&*store, token));
        let sessions = tokens.into_iter().map(|token| (token.id(), Session::new(Arc::new(token)))).collect();
        let (decoy, _) =
            Token::make("nobody", vec![Grant::unlimited(Access::Read)], SystemTime::now(), None)?;
        Ok(Self {
            store,
            tokens: ArcSwap::from_pointee(sessions),
            changing: Mutex::default(),
            decoy,
            limits,
            clock: Clock::new(),
            strangers: Strangers::new(),
            failures: Failures::new(),
        })
    }

    /// How much clients may ask.
    pub(crate) fn limits(&self) -> &ApiLimits {
        &self.limits
    }

    /// Lets a client in that shows a valid token, the text behind `Bearer`.
    ///
    /// # Errors
    /// Why not. Failures are counted by the client's network, and too many of them lock it out for a while: whatever proves
    /// nothing is then not even counted. A secret is too long to be guessed, so that whoever has one gets in nevertheless; else
    /// anybody in a network, or behind the same proxy, could shut out all others there.
    pub fn login(&self, shown: &str, client: IpAddr) -> Result<Caller, Refusal> {
        let now = self.clock.now();
        let tokens = self.tokens.load();
        let proven = shown.parse::<Presented>().ok().and_then(|presented| {
            let session = tokens.get(&presented.id());
            let token = session.map_or(&self.decoy, |session| &session.token);
            // The comparison comes first: it is made for unknown tokens, too.
            token.is_proven_by(&presented).then_some(session?)
        });
        let Some(session) = proven.filter(|session| !session.is_revoked()) else {
            if let Some(wait) = self.failures.wait(client, now) {
                return Err(Refusal::LockedOut { wait });
            }
            self.failures.count(client, &self.limits, now);
            return Err(Refusal::Wrong);
        };
        let time = SystemTime::now();
        if session.token.is_expired(time) {
            self.take_as_stranger(client)?;
            return Err(Refusal::Expired);
        }
        session.bucket.take(self.limits.token, now).map_err(|wait| Refusal::TooMany { wait })?;
        session.note_use(time);
        Ok(Caller::revocable(session.token.clone(), client, session.revoked.subscribe()))
    }

    /// Counts a request without a token.
    ///
    /// # Errors
    /// There are too many from this network.
    pub fn take_as_stranger(&self, client: IpAddr) -> Result<(), Refusal> {
        let taken = self.strangers.take(client, self.limits.stranger, self.clock.now());
        taken.map_err(|wait| Refusal::TooMany { wait })
    }

    /// Makes a token and keeps it. May wait for a disk.
    ///
    /// # Errors
    /// It cannot be as asked for, or not be kept; there is no new token then.
    pub fn create(
        &self,
        name: &str,
        grants: Vec<Grant>,
        expires: Option<SystemTime>,
    ) -> Result<(Arc<Token>, Secret), TokensError> {
        let (token, secret) = Token::make(name, grants, SystemTime::now(), expires)?;
        let token = Arc::new(token);
        self.keep(token.clone())?;
        Ok((token, secret))
    }

    /// Keeps a token that was made elsewhere. May wait for a disk.
    ///
    /// # Errors
    /// It cannot be kept.
    pub(super) fn keep(&self, token: Arc<Token>) -> Result<(), TokensError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tokens = HashMap::clone(&self.tokens.load());
        let now = SystemTime::now();
        tokens.retain(|_, session| {
            !is_of_the_past(&session.token, now) || !forget(&*self.store, &session.token)
        });
        if tokens.len() >= Self::TOKENS_MAX {
            return Err(TokensError::TooMany);
        }
        self.store.put(&token).map_err(TokensError::NotKept)?;
        tokens.insert(token.id(), Session::new(token));
        self.tokens.store(Arc::new(tokens));
        Ok(())
    }

    /// Refuses a token from now on, and ends what its callers have under way. May wait for a disk. Returns whether there was
    /// such a token.
    ///
    /// # Errors
    /// It is refused while the process runs, but may come back with the next start; the token stays listed until trying again
    /// succeeds.
    pub fn revoke(&self, id: TokenId) -> Result<bool, TokensError> {
        self.remove(id, |_| Ok(()))
    }

    /// As [`revoke`](Self::revoke), but never the last token with admin access: nobody could make another one.
    ///
    /// # Errors
    /// As [`revoke`](Self::revoke), or [`TokensError::LastAdmin`].
    pub fn revoke_but_the_last(&self, id: TokenId) -> Result<bool, TokensError> {
        self.remove(id, |tokens| {
            let now = SystemTime::now();
            let is_admin = |session: &Session| {
                session.token.is_admin() && !session.token.is_expired(now) && !session.is_revoked()
            };
            let is_other = |(other, session): (&TokenId, &Arc<Session>)| *other != id && is_admin(session);
            let is_needed =
                tokens.get(&id).is_some_and(|session| is_admin(session)) && !tokens.iter().any(is_other);
            if is_needed { Err(TokensError::LastAdmin) } else { Ok(()) }
        })
    }

    fn remove(
        &self,
        id: TokenId,
        check: impl FnOnce(&HashMap<TokenId, Arc<Session>>) -> Result<(), TokensError>,
    ) -> Result<bool, TokensError> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tokens = HashMap::clone(&self.tokens.load());
        check(&tokens)?;
        let Some(session) = tokens.remove(&id) else { return Ok(false) };
        // Before the disk is asked, which may be slow or full.
        session.revoked.send_replace(true);
        self.store.remove(id).map_err(TokensError::NotForgotten)?;
        self.tokens.store(Arc::new(tokens));
        Ok(true)
    }

    /// All tokens, the oldest first; those made within one second by name, as the time of making is kept in whole seconds.
    pub fn list(&self) -> Vec<ListedToken> {
        let mut list: Vec<ListedToken> =
            self.tokens.load().values().map(|session| session.listed()).collect();
        let key = |listed: &ListedToken| {
            (listed.token.created(), Arc::clone(listed.token.name()), listed.token.id())
        };
        list.sort_by_cached_key(key);
        list
    }

    /// One of them.
    pub fn find(&self, id: TokenId) -> Option<ListedToken> {
        self.tokens.load().get(&id).map(|session| session.listed())
    }
}

/// It has expired so long ago that nobody asks for it any more.
fn is_of_the_past(token: &Token, now: SystemTime) -> bool {
    now.checked_sub(Authenticator::REMEMBERED).is_some_and(|then| token.is_expired(then))
}

/// Forgets a token that no longer lets anybody in. Returns whether it did: if not, there is another time.
fn forget(store: &dyn TokenStore, token: &Token) -> bool {
    let forgotten = store.remove(token.id());
    if let Err(error) = &forgotten {
        tracing::warn!(token = %token.id(), %error, "a token that has expired cannot be forgotten");
    }
    forgotten.is_ok()
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator").field("tokens", &self.tokens.load().len()).finish_non_exhaustive()
    }
}

impl Session {
    fn new(token: Arc<Token>) -> Arc<Self> {
        Arc::new(Self {
            token,
            revoked: watch::Sender::new(false),
            bucket: Bucket::default(),
            last_used: AtomicU64::new(0),
        })
    }

    fn is_revoked(&self) -> bool {
        *self.revoked.borrow()
    }

    /// Written only where something is new, so that busy clients of one token do not fight over a cache line.
    fn note_use(&self, time: SystemTime) {
        let seconds = time.duration_since(SystemTime::UNIX_EPOCH).map_or(1, |since| since.as_secs());
        if self.last_used.load(Ordering::Relaxed) != seconds {
            self.last_used.store(seconds, Ordering::Relaxed);
        }
    }

    fn listed(&self) -> ListedToken {
        let last_used = match self.last_used.load(Ordering::Relaxed) {
            0 => None,
            seconds => Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)),
        };
        ListedToken { token: self.token.clone(), last_used }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::super::store::MemoryTokens;
    use super::*;
    use crate::rate::Rate;

    fn client(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn open(limits: ApiLimits) -> Authenticator {
        Authenticator::open(Arc::new(MemoryTokens::default()), limits).unwrap()
    }

    fn create(authenticator: &Authenticator) -> (Arc<Token>, String) {
        let (token, secret) =
            authenticator.create("ci", vec![Grant::unlimited(Access::Write)], None).unwrap();
        (token, secret.reveal().to_owned())
    }

    /// A well-formed text that proves nothing: whose identity is known, and whose is not.
    fn forgeries(token: &Token) -> [String; 2] {
        let (mine, theirs) = (open(ApiLimits::default()), open(ApiLimits::default()));
        let (_, unknown) = create(&mine);
        let (_, other) = create(&theirs);
        let (_, secret) = other.rsplit_once('_').unwrap();
        let text = format!("jw238_{}_{}", token.id(), &secret[..secret.len() - 8]);
        // The checksum is right, so that the secret is compared.
        let check = super::super::token::checksum(&text);
        [format!("{text}{check}"), unknown]
    }

    #[test]
    fn tokens_let_in_until_they_are_revoked() {
        let store = Arc::new(MemoryTokens::default());
        let authenticator = Authenticator::open(store.clone(), ApiLimits::default()).unwrap();
        let (token, secret) = create(&authenticator);
        assert_eq!(authenticator.find(token.id()).unwrap().last_used, None);
        let caller = authenticator.login(&secret, client("192.0.2.1")).unwrap();
        assert_eq!(caller.token_id(), token.id());
        assert!(authenticator.find(token.id()).unwrap().last_used.is_some());

        // A restart knows it as well.
        let again = Authenticator::open(store.clone(), ApiLimits::default()).unwrap();
        again.login(&secret, client("192.0.2.1")).unwrap();

        assert!(authenticator.revoke(token.id()).unwrap());
        assert!(!authenticator.revoke(token.id()).unwrap());
        assert_eq!(authenticator.login(&secret, client("192.0.2.1")).err(), Some(Refusal::Wrong));
        assert!(authenticator.list().is_empty() && store.load().unwrap().is_empty());
    }

    #[tokio::test]
    async fn revocation_ends_what_is_under_way() {
        let authenticator = open(ApiLimits::default());
        let (token, secret) = create(&authenticator);
        let caller = authenticator.login(&secret, client("192.0.2.1")).unwrap();
        authenticator.revoke(token.id()).unwrap();
        caller.ended().await;
    }

    #[test]
    fn unknown_tokens_and_wrong_secrets_look_alike() {
        let authenticator = open(ApiLimits::default());
        let (token, _) = create(&authenticator);
        for (network, forged) in forgeries(&token).iter().enumerate() {
            let client = client(&format!("192.0.2.{network}"));
            for _ in 0..=authenticator.limits.free_failures {
                assert_eq!(authenticator.login(forged, client).err(), Some(Refusal::Wrong));
            }
            let refusal = authenticator.login(forged, client).err();
            assert!(matches!(refusal, Some(Refusal::LockedOut { .. })), "{refusal:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn failures_lock_out_whoever_proves_nothing_and_nobody_else() {
        let authenticator = open(ApiLimits::default());
        let (token, secret) = create(&authenticator);
        let network = client("192.0.2.1");
        let [forged, _] = forgeries(&token);
        for _ in 0..=authenticator.limits.free_failures {
            assert_eq!(authenticator.login(&forged, network).err(), Some(Refusal::Wrong));
        }
        let second = Duration::from_secs(1);
        let locked_out = Some(Refusal::LockedOut { wait: second });
        assert_eq!(authenticator.login("nonsense", network).err(), locked_out);
        // It was never used before, neither here nor elsewhere.
        authenticator.login(&secret, network).unwrap();
        assert_eq!(authenticator.login(&forged, network).err(), locked_out);
        authenticator.revoke(token.id()).unwrap();
        assert_eq!(authenticator.login(&secret, network).err(), locked_out);
        tokio::time::advance(second).await;
        assert_eq!(authenticator.login(&forged, network).err(), Some(Refusal::Wrong));
    }

    #[tokio::test(start_paused = true)]
    async fn rates_hold_for_each_token_and_each_stranger() {
        let rate = |per_second: u32, burst: u32| Rate {
            per_second: per_second.try_into().unwrap(),
            burst: burst.try_into().unwrap(),
        };
        let limits = ApiLimits { token: rate(10, 2), stranger: rate(1, 1), ..ApiLimits::default() };
        let authenticator = open(limits);
        let ((_, first), (_, second)) = (create(&authenticator), create(&authenticator));
        let here = client("192.0.2.1");
        authenticator.login(&first, here).unwrap();
        authenticator.login(&first, client("192.0.2.2")).unwrap();
        let refusal = authenticator.login(&first, here).err();
        assert_eq!(refusal, Some(Refusal::TooMany { wait: Duration::from_millis(100) }));
        authenticator.login(&second, here).unwrap();
        authenticator.take_as_stranger(here).unwrap();
        assert!(authenticator.take_as_stranger(here).is_err());
        tokio::time::advance(Duration::from_secs(1)).await;
        authenticator.take_as_stranger(here).unwrap();
        authenticator.login(&first, here).unwrap();
    }

    #[test]
    fn expired_tokens_say_so_to_their_owners_only() {
        let store = Arc::new(MemoryTokens::default());
        let (hour, now) = (Duration::from_hours(1), SystemTime::now());
        let grants = vec![Grant::unlimited(Access::Read)];
        let (token, secret) = Token::make("old", grants, now - 2 * hour, Some(now - hour)).unwrap();
        store.put(&token).unwrap();
        let authenticator = Authenticator::open(store, ApiLimits::default()).unwrap();
        let here = client("192.0.2.1");
        assert_eq!(authenticator.login(secret.reveal(), here).err(), Some(Refusal::Expired));
        assert_eq!(authenticator.login(&forgeries(&token)[0], here).err(), Some(Refusal::Wrong));
    }

    /// Identities are random: an order by them would be another one every time.
    #[test]
    fn tokens_are_listed_by_age_and_then_by_name() {
        let authenticator = open(ApiLimits::default());
        let now = SystemTime::now();
        let older = ["zeta", "alpha", "mu", "kappa"].map(|name| (name, now - Duration::from_mins(1)));
        for (name, made) in [("first", now)].into_iter().chain(older) {
            let (token, _) = Token::make(name, vec![Grant::unlimited(Access::Read)], made, None).unwrap();
            authenticator.keep(Arc::new(token)).unwrap();
        }
        let list = authenticator.list();
        let names: Vec<_> = list.iter().map(|listed| &**listed.token.name()).collect();
        assert_eq!(names, ["alpha", "kappa", "mu", "zeta", "first"]);
    }

    #[test]
    fn expired_tokens_are_forgotten_after_a_while() {
        let store = Arc::new(MemoryTokens::default());
        let (hour, now) = (Duration::from_hours(1), SystemTime::now());
        let put = |age| {
            let grants = vec![Grant::unlimited(Access::Read)];
            let (token, _) = Token::make("old", grants, now - 2 * age, Some(now - age)).unwrap();
            store.put(&token).unwrap();
            token.id()
        };
        let (recent, old) = (put(hour), put(Authenticator::REMEMBERED + hour));
        let authenticator = Authenticator::open(store.clone(), ApiLimits::default()).unwrap();
        assert!(authenticator.find(recent).is_some() && authenticator.find(old).is_none());
        assert_eq!(store.load().unwrap().len(), 1);
        // Their time passes while the server runs, too.
        let grants = vec![Grant::unlimited(Access::Read)];
        let age = Authenticator::REMEMBERED + hour;
        let (token, _) = Token::make("old", grants, now - 2 * age, Some(now - age)).unwrap();
        authenticator.keep(Arc::new(token)).unwrap();
        let (made, _) = create(&authenticator);
        let left: Vec<_> = authenticator.list().iter().map(|listed| listed.token.id()).collect();
        assert_eq!(left, [recent, made.id()]);
        assert_eq!(store.load().unwrap().len(), 2);
    }

    /// Keeps tokens while it can.
    #[derive(Default)]
    struct Failing {
        tokens: MemoryTokens,
        fails: AtomicBool,
    }

    impl Failing {
        fn check(&self) -> Result<(), TokenStoreError> {
            let fails = self.fails.load(Ordering::Relaxed);
            if fails { Err(TokenStoreError("disk full".to_owned())) } else { Ok(()) }
        }
    }

    impl TokenStore for Failing {
        fn load(&self) -> Result<Vec<Token>, TokenStoreError> {
            self.check().and_then(|()| self.tokens.load())
        }

        fn put(&self, token: &Token) -> Result<(), TokenStoreError> {
            self.check().and_then(|()| self.tokens.put(token))
        }

        fn remove(&self, id: TokenId) -> Result<(), TokenStoreError> {
            self.check().and_then(|()| self.tokens.remove(id))
        }
    }

    #[test]
    fn a_disk_that_fails_makes_no_token_and_lets_none_live() {
        let store = Arc::new(Failing::default());
        let authenticator = Authenticator::open(store.clone(), ApiLimits::default()).unwrap();
        let (token, secret) = create(&authenticator);
        store.fails.store(true, Ordering::Relaxed);
        let grants = vec![Grant::unlimited(Access::Read)];
        let error = authenticator.create("b", grants, None).unwrap_err();
        assert_eq!(error.to_string(), "the token cannot be kept: disk full");
        assert_eq!(authenticator.list().len(), 1);
        let error = authenticator.revoke(token.id()).unwrap_err();
        assert!(matches!(error, TokensError::NotForgotten(_)), "{error}");
        assert_eq!(authenticator.login(&secret, client("192.0.2.1")).err(), Some(Refusal::Wrong));
        assert!(Authenticator::open(store.clone(), ApiLimits::default()).is_err());
        store.fails.store(false, Ordering::Relaxed);
        assert!(authenticator.revoke(token.id()).unwrap());
        assert!(store.load().unwrap().is_empty());
    }
}
