//! Tokens: made, listed and revoked by admins.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::auth::{Authenticator, Caller, Grant, GrantSpec, ListedToken, Token, TokenId, TokensError};
use crate::extract::{Json, Path};
use crate::faults::Faults;
use crate::model::{Problem, ProblemKind, Timestamp, TokenInfo, TokenMade, TokenSpec, Tokens};
use crate::problem::RETRY_AFTER;
use crate::uri;
use crate::v1::write::blocking;

pub(crate) fn routes() -> OpenApiRouter<Arc<Api>> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(own)).routes(routes!(show, revoke))
}

/// List tokens
///
/// The oldest first, then by name; those that have expired are included. Needs admin access.
#[utoipa::path(
    get,
    path = "/tokens",
    tag = "tokens",
    operation_id = "listTokens",
    responses((status = 200, description = "All tokens", body = Tokens)),
)]
async fn list(State(api): State<Arc<Api>>, caller: Caller) -> Result<Answer<Tokens>, Problem> {
    admin(&caller)?;
    let tokens = api.authenticator().list().iter().map(TokenInfo::from).collect();
    Ok(Answer(Tokens { tokens }))
}

/// Make a token
///
/// The answer has its secret, which is shown this once. Needs admin access.
#[utoipa::path(
    post,
    path = "/tokens",
    tag = "tokens",
    operation_id = "createToken",
    request_body = TokenSpec,
    responses(
        (status = 201, description = "It is valid from now on", body = TokenMade, headers(("Location" = String, description = "Where it can be shown and revoked"))),
        (status = 409, description = "There are too many tokens", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Such a token cannot be; all reasons are listed", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It cannot be kept, so it was not made", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn create(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Json(spec, _room): Json<TokenSpec>,
) -> Result<(StatusCode, [(HeaderName, String); 1], Answer<TokenMade>), Problem> {
    admin(&caller)?;
    let TokenSpec { name, grants, expires } = spec;
    let expires = expires.map(Timestamp::to_system_time);
    let mut faults = Faults::default();
    for fault in Token::faults(&name, grants.len(), SystemTime::now(), expires) {
        faults.add("", fault);
    }
    let grants = readable(grants, &mut faults);
    if !faults.is_empty() {
        return Err(faults.into_problem());
    }
    let (token, secret) =
        change(&api, move |authenticator| authenticator.create(&name, grants, expires)).await?;
    tracing::info!(
        target: "audit", author = %caller.author(), token = %token.id(), name = %token.name(), "token made"
    );
    let location = format!("{}/tokens/{}", uri::BASE, token.id());
    let made = TokenMade { token: TokenInfo::new(&token, None), secret: secret.reveal().to_owned() };
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Answer(made)))
}

/// Show the token that is asked with
#[utoipa::path(
    get,
    path = "/tokens/self",
    tag = "tokens",
    operation_id = "readOwnToken",
    responses((status = 200, description = "The token, and what it allows", body = TokenInfo)),
)]
async fn own(State(api): State<Arc<Api>>, caller: Caller) -> Answer<TokenInfo> {
    let listed = api.authenticator().find(caller.token_id());
    Answer(listed.as_ref().map_or_else(|| TokenInfo::new(caller.token(), None), TokenInfo::from))
}

/// Show a token
///
/// Needs admin access.
#[utoipa::path(
    get,
    path = "/tokens/{id}",
    tag = "tokens",
    operation_id = "readToken",
    params(("id" = String, Path, description = "The public part of the token", example = "4f2a0q1e")),
    responses(
        (status = 200, description = "The token", body = TokenInfo),
        (status = 404, description = "There is no such token", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn show(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Answer<TokenInfo>, Problem> {
    admin(&caller)?;
    let listed = identity(&id).and_then(|id| api.authenticator().find(id));
    listed.as_ref().map(|listed| Answer(TokenInfo::from(listed))).ok_or_else(|| unknown(&id))
}

/// Revoke a token
///
/// It is refused from now on, and what is under way with it ends: streams of events, above all. Needs admin access. The last
/// token with admin access stays, since nobody could make another one.
#[utoipa::path(
    delete,
    path = "/tokens/{id}",
    tag = "tokens",
    operation_id = "revokeToken",
    params(("id" = String, Path, description = "The public part of the token", example = "4f2a0q1e")),
    responses(
        (status = 204, description = "It is revoked for good"),
        (status = 404, description = "There is no such token", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is the last one with admin access", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It is revoked for as long as the server runs, and this has to be done again to be kept", body = Problem, content_type = "application/problem+json"),
    ),
)]
async fn revoke(
    State(api): State<Arc<Api>>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    admin(&caller)?;
    let known = identity(&id).ok_or_else(|| unknown(&id))?;
    let was_there = change(&api, move |authenticator| authenticator.revoke_but_the_last(known)).await?;
    if was_there { Ok(StatusCode::NO_CONTENT) } else { Err(unknown(&id)) }
}

fn admin(caller: &Caller) -> Result<(), Problem> {
    if caller.is_admin() {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::Forbidden, "tokens are shown to and made by tokens with admin access"))
}

/// Runs what waits for a disk where waiting is allowed. It is done even if the client leaves meanwhile.
async fn change<T: Send + 'static>(
    api: &Api,
    change: impl FnOnce(&Authenticator) -> Result<T, TokensError> + Send + 'static,
) -> Result<T, Problem> {
    let authenticator = api.authenticator().clone();
    blocking(move || change(&authenticator)).await?.map_err(Problem::from)
}

/// Reads the grants, or notes all that is wrong with them.
fn readable(specs: Vec<GrantSpec>, faults: &mut Faults) -> Vec<Grant> {
    let mut grants = Vec::new();
    for (at, spec) in specs.into_iter().enumerate() {
        match Grant::read(spec) {
            Ok(grant) => grants.push(grant),
            Err((first, others)) => {
                for fault in std::iter::once(first).chain(others) {
                    faults.add("", format_args!("grants[{at}].{fault}"));
                }
            }
        }
    }
    grants
}

fn identity(text: &str) -> Option<TokenId> {
    text.parse().ok()
}

fn unknown(id: &str) -> Problem {
    Problem::new(ProblemKind::NotFound, format!("there is no token {id}"))
}

impl From<TokensError> for Problem {
    fn from(error: TokensError) -> Self {
        let kind = match &error {
            TokensError::Token(_) => ProblemKind::Invalid,
            TokensError::TooMany => ProblemKind::Exists,
            TokensError::LastAdmin => ProblemKind::Needed,
            TokensError::NotKept(_) | TokensError::NotForgotten(_) => ProblemKind::NotDurable,
        };
        let text = error.to_string();
        let problem = Self::new(kind, text.clone()).because([text]);
        if kind == ProblemKind::NotDurable { problem.retry_after(RETRY_AFTER) } else { problem }
    }
}

impl TokenInfo {
    fn new(token: &Token, last_used: Option<std::time::SystemTime>) -> Self {
        Self {
            id: token.id().to_string(),
            name: token.name().to_string(),
            grants: token.grants().iter().cloned().map(GrantSpec::from).collect(),
            created: token.created().into(),
            expires: token.expires().map(Timestamp::from),
            last_used: last_used.map(Timestamp::from),
        }
    }
}

impl From<&ListedToken> for TokenInfo {
    fn from(listed: &ListedToken) -> Self {
        Self::new(&listed.token, listed.last_used)
    }
}
