//! What every request passes before a handler sees it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::audit::Attempt;
use super::authenticator::{Authenticator, Refusal};
use super::caller::Caller;
use super::origin;
use crate::listener::Ends;
use crate::model::{Problem, ProblemKind};

/// Paths that tell nothing about records, and are asked by those who have no token: probes, scrapers, generators of clients.
const OPEN: &[&str] = &["/health", "/ready", "/metrics", "/api/v1/openapi.json"];

/// Those of them that are asked by whatever stands before the server.
const PROBES: &[&str] = &["/health", "/ready"];

/// Who gets in.
#[derive(Clone, Debug)]
pub struct Guard {
    /// The tokens.
    pub authenticator: Arc<Authenticator>,
    /// Names, besides loopback ones, under which listeners on loopback addresses may be asked: those of a proxy, say.
    pub hosts: Vec<String>,
}

/// Lets a request through that may be answered, with its [`Caller`]; in this order: is it meant for this host and not made by
/// a page elsewhere, does its path need a token, is the token valid, is it not asked too often.
pub(crate) async fn guard(State(guard): State<Arc<Guard>>, mut request: Request, next: Next) -> Response {
    let mut response = match guard.admit(&request) {
        Ok(None) => next.run(request).await,
        Ok(Some(caller)) => {
            let attempt = Attempt::new(&caller, &request);
            request.extensions_mut().insert(caller);
            let response = next.run(request).await;
            attempt.done(&response);
            response
        }
        Err(refused) => refused,
    };
    let headers = response.headers_mut();
    // Answers hold records and even secrets, and are never what another client should be given; nor is JSON ever a page.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

impl Guard {
    /// The caller, if the path needs one; else the answer.
    #[expect(clippy::result_large_err, reason = "moved once, into the answer that is sent")]
    fn admit(&self, request: &Request) -> Result<Option<Caller>, Response> {
        let ends = request.extensions().get::<Ends>();
        // Without a listener, as in tests, the client is nobody in particular and meets the stricter rule.
        let address = ends.map_or(IpAddr::from([0, 0, 0, 0]), |ends| ends.address.ip());
        let is_loopback = ends.is_none_or(|ends| ends.local.ip().to_canonical().is_loopback());
        let is_open = OPEN.contains(&request.uri().path()) && request.method().is_safe();
        // Probes come by whatever name a balancer gives them, and tell a page nothing of worth.
        if !PROBES.contains(&request.uri().path()) {
            origin::check(request, is_loopback, &self.hosts).map_err(IntoResponse::into_response)?;
        }
        let refused = |refusal| refuse(refusal, address, request);
        if is_open {
            return self.authenticator.take_as_stranger(address).map(|()| None).map_err(refused);
        }
        let Some(token) = bearer(request.headers()) else {
            let taken = self.authenticator.take_as_stranger(address);
            return Err(refused(taken.err().unwrap_or(Refusal::Missing)));
        };
        self.authenticator.login(token, address).map(Some).map_err(refused)
    }
}

/// The answer to who is not let in.
fn refuse(refusal: Refusal, client: IpAddr, request: &Request) -> Response {
    let kind = match refusal {
        Refusal::Missing | Refusal::Wrong | Refusal::Expired => ProblemKind::Unauthorized,
        Refusal::TooMany { .. } | Refusal::LockedOut { .. } => ProblemKind::TooManyRequests,
    };
    if matches!(refusal, Refusal::Wrong | Refusal::Expired) {
        // Their number is bounded by the waits that come of them.
        tracing::warn!(
            target: "audit", %client, method = %request.method(), path = request.uri().path(), reason = %refusal,
            "login failed"
        );
    }
    let mut problem = Problem::new(kind, refusal.to_string());
    if let Refusal::TooMany { wait } | Refusal::LockedOut { wait } = refusal {
        problem = problem.retry_after(whole_seconds(wait));
    }
    let mut response = problem.into_response();
    if matches!(refusal, Refusal::Wrong | Refusal::Expired) {
        // RFC 6750, section 3.1: a token was shown, and it is this that is wrong.
        let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// What stands behind `Bearer` ([RFC 6750, section 2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1)); empty, and so
/// never valid, if there is something else or more than one.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next()?;
    let token = match (value.to_str().unwrap_or_default().split_once(' '), values.next()) {
        (Some((scheme, token)), None) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => "",
    };
    Some(token)
}

/// Rounded up: who comes back then will be let in.
fn whole_seconds(wait: Duration) -> u32 {
    u32::try_from(wait.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_scheme_is_known() {
        for (values, expected) in [
            (&[][..], None),
            (&["Bearer abc"], Some("abc")),
            (&["bearer  abc "], Some("abc")),
            (&["Basic abc"], Some("")),
            (&["Bearer"], Some("")),
            (&["abc"], Some("")),
            (&["Bearer abc", "Bearer abc"], Some("")),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            assert_eq!(bearer(&headers), expected, "{values:?}");
        }
    }

    #[test]
    fn waits_are_rounded_up() {
        for (millis, expected) in [(0, 0), (1, 1), (1000, 1), (1001, 2)] {
            assert_eq!(whole_seconds(Duration::from_millis(millis)), expected);
        }
    }
}
