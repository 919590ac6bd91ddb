//! Who a request comes from, and what they may do.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use dns_core::{Name, RecordType};
use tokio::sync::watch;

use super::grant::{Access, Grant};
use super::token::{Token, TokenId};
use crate::model::{Problem, ProblemKind};

/// A client that has shown a valid token.
///
/// The middleware puts it into the request's extensions; handlers take it as an argument and ask it before they tell or change
/// anything. A handler that does not stand behind the middleware never runs: the request is refused.
#[derive(Clone, Debug)]
pub struct Caller {
    token: Arc<Token>,
    client: IpAddr,
    /// Becomes true when the token is revoked.
    revoked: Option<watch::Receiver<bool>>,
}

impl Caller {
    /// A caller with a token that nobody can revoke, as tests need it.
    pub fn new(token: Arc<Token>, client: IpAddr) -> Self {
        Self { token, client: client.to_canonical(), revoked: None }
    }

    /// A caller with a token that can be revoked while the request lasts.
    pub fn revocable(token: Arc<Token>, client: IpAddr, revoked: watch::Receiver<bool>) -> Self {
        Self { revoked: Some(revoked), ..Self::new(token, client) }
    }

    /// Who it is in the history and in the audit log: `token ci (4f2a0q1e) from 192.0.2.1`.
    pub fn author(&self) -> Arc<str> {
        format!("token {} ({}) from {}", self.token.name(), self.token.id(), self.client).into()
    }

    /// The token that was shown.
    pub fn token(&self) -> &Token {
        &self.token
    }

    /// The public part of the token.
    pub fn token_id(&self) -> TokenId {
        self.token.id()
    }

    /// Tokens, backups, reloads, the status of everything.
    pub fn is_admin(&self) -> bool {
        self.token.is_admin()
    }

    /// Records of this name and type may be shown; with ANY for a type, those of all types.
    pub fn may_read(&self, owner: &Name, rtype: RecordType) -> bool {
        self.any(|grant| grant.allows(Access::Read, owner, rtype))
    }

    /// Records of this name may be shown, if only of some types.
    pub fn may_read_at(&self, owner: &Name) -> bool {
        self.any(|grant| grant.allows_some_at(Access::Read, owner))
    }

    /// Records of this name and type may be made, changed and deleted; with ANY for a type, those of all types.
    pub fn may_write(&self, owner: &Name, rtype: RecordType) -> bool {
        self.any(|grant| grant.allows(Access::Write, owner, rtype))
    }

    /// There is something that may be changed.
    pub fn may_write_something(&self) -> bool {
        self.any(|grant| grant.access() >= Access::Write)
    }

    /// The zone may be shown: something in it may be read.
    pub fn may_read_zone(&self, apex: &Name) -> bool {
        self.any(|grant| grant.allows_some_below(Access::Read, apex))
    }

    /// The zone may be made, deleted and imported: one grant lets everything in it be written.
    pub fn may_write_zone(&self, apex: &Name) -> bool {
        self.any(|grant| grant.allows_all_below(Access::Write, apex))
    }

    /// Everything may be read, so that nothing needs to be asked record by record.
    pub fn may_read_all(&self) -> bool {
        self.any(Grant::is_unlimited)
    }

    /// Ready once the token is revoked or has expired: what is still under way for this caller must end then.
    pub async fn ended(&self) {
        let revoked = async {
            match self.revoked.clone() {
                // An error means that the tokens are gone altogether, and with them whoever could answer.
                Some(mut revoked) => drop(revoked.wait_for(|revoked| *revoked).await),
                None => std::future::pending().await,
            }
        };
        let expired = async {
            match self.token.expires() {
                Some(expires) => {
                    let left = expires.duration_since(SystemTime::now()).unwrap_or_default();
                    tokio::time::sleep(left).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = revoked => {}
            () = expired => {}
        }
    }

    fn any(&self, test: impl Fn(&Grant) -> bool) -> bool {
        self.token.grants().iter().any(test)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let nobody = || Problem::new(ProblemKind::Unauthorized, "there is no token");
        parts.extensions.get::<Self>().cloned().ok_or_else(nobody)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(grants: &str) -> Caller {
        let grants = serde_json::from_str(grants).unwrap();
        let (token, _) = Token::make("ci", grants, SystemTime::now(), None).unwrap();
        Caller::new(Arc::new(token), "::ffff:192.0.2.1".parse().unwrap())
    }

    /// Name, type, and what is allowed: `w` to write, `r` to read only, `-` for nothing.
    type Decision = (&'static str, &'static str, char);

    /// By grants.
    const DECISIONS: &[(&str, &[Decision])] = &[
        (r#"[{"access":"admin"}]"#, &[("example.org", "A", 'w'), (".", "SOA", 'w')]),
        (r#"[{"access":"write"}]"#, &[("example.org", "A", 'w'), (".", "SOA", 'w')]),
        (r#"[{"access":"read"}]"#, &[("example.org", "A", 'r'), (".", "SOA", 'r'), (".", "ANY", 'r')]),
        // Each type by itself is not all of them.
        (
            r#"[{"access":"write","types":["A","AAAA"]}]"#,
            &[("example.org", "A", 'w'), ("example.org", "ANY", '-')],
        ),
        (
            r#"[{"access":"write","zones":["example.org","example.net"]}]"#,
            &[
                ("example.org", "A", 'w'),
                ("a.b.EXAMPLE.org", "TXT", 'w'),
                ("example.net", "NS", 'w'),
                ("org", "A", '-'),
                ("badexample.org", "A", '-'),
                ("example.org.example.com", "A", '-'),
            ],
        ),
        (
            r#"[{"access":"write","names":["_acme-challenge.*"],"types":["TXT"]}]"#,
            &[
                ("_acme-challenge.example.org", "TXT", 'w'),
                ("_acme-challenge.www.example.org", "TXT", 'w'),
                ("_acme-challenge.example.org", "CNAME", '-'),
                ("example.org", "TXT", '-'),
                ("a._acme-challenge.example.org", "TXT", '-'),
            ],
        ),
        (
            r#"[{"access":"write","zones":["example.org"],"names":["*.example.com"]}]"#,
            &[("a.example.com", "A", '-'), ("a.example.org", "A", '-')],
        ),
        (
            r#"[{"access":"read"},{"access":"write","zones":["dev.example.org"],"types":["A","AAAA"]}]"#,
            &[
                ("example.org", "A", 'r'),
                ("dev.example.org", "A", 'w'),
                ("a.dev.example.org", "AAAA", 'w'),
                ("a.dev.example.org", "TXT", 'r'),
            ],
        ),
        (
            // Limits of two grants are never mixed.
            r#"[{"access":"write","zones":["example.org"],"types":["A"]},{"access":"read","zones":["example.com"]}]"#,
            &[
                ("a.example.org", "A", 'w'),
                ("a.example.org", "TXT", '-'),
                ("a.example.com", "TXT", 'r'),
                ("a.example.com", "A", 'r'),
            ],
        ),
    ];

    #[test]
    fn grants_decide_by_name_and_type() {
        for (grants, decisions) in DECISIONS {
            let caller = caller(grants);
            for (owner, rtype, expected) in *decisions {
                let (name, rtype) = (owner.parse().unwrap(), rtype.parse().unwrap());
                let decision = match (caller.may_read(&name, rtype), caller.may_write(&name, rtype)) {
                    (true, true) => 'w',
                    (true, false) => 'r',
                    (false, false) => '-',
                    (false, true) => '!',
                };
                assert_eq!(decision, *expected, "{owner} {rtype} by {grants}");
            }
        }
    }

    #[test]
    fn zones_are_written_as_a_whole_and_read_in_part() {
        for (grants, apex, read, write) in [
            (r#"[{"access":"write"}]"#, "example.org", true, true),
            (r#"[{"access":"read"}]"#, "example.org", true, false),
            (r#"[{"access":"write","types":["TXT"]}]"#, "example.org", true, false),
            (r#"[{"access":"write","zones":["a.example.org"]}]"#, "example.org", true, false),
            (r#"[{"access":"write","zones":["example.org"]}]"#, "a.example.org", true, true),
            (r#"[{"access":"write","zones":["example.org"]}]"#, "example.com", false, false),
        ] {
            let (caller, apex) = (caller(grants), apex.parse().unwrap());
            assert_eq!(caller.may_read_zone(&apex), read, "read {apex} by {grants}");
            assert_eq!(caller.may_write_zone(&apex), write, "write {apex} by {grants}");
        }
    }

    #[test]
    fn only_admins_are_admins() {
        for (grants, admin, all) in [
            (r#"[{"access":"admin"}]"#, true, true),
            (r#"[{"access":"write"}]"#, false, true),
            (r#"[{"access":"read"}]"#, false, true),
            (r#"[{"access":"write","types":["A"]}]"#, false, false),
        ] {
            let caller = caller(grants);
            assert_eq!((caller.is_admin(), caller.may_read_all()), (admin, all), "{grants}");
        }
    }

    #[test]
    fn authors_tell_token_and_client() {
        let caller = caller(r#"[{"access":"read"}]"#);
        assert_eq!(*caller.author(), format!("token ci ({}) from 192.0.2.1", caller.token_id()));
    }

    #[tokio::test(start_paused = true)]
    async fn revocation_and_age_end_a_caller() {
        let now = SystemTime::now();
        let token = |expires| Token::make("a", vec![Grant::unlimited(Access::Read)], now, expires).unwrap().0;
        let client = "192.0.2.1".parse().unwrap();
        let (revoke, revoked) = watch::channel(false);
        let caller = Caller::revocable(Arc::new(token(None)), client, revoked);
        let ended = tokio::spawn(async move { caller.ended().await });
        tokio::task::yield_now().await;
        assert!(!ended.is_finished());
        revoke.send(true).unwrap();
        ended.await.unwrap();

        let aged = token(Some(now + std::time::Duration::from_mins(1)));
        Caller::new(Arc::new(aged), client).ended().await;
    }
}
