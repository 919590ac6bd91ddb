//! Tokens.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Timestamp, object};
use crate::auth::GrantSpec;

/// A token to be made.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenSpec {
    /// What people call it; several tokens may have one name. It stands in the history of changes.
    #[schema(min_length = 1, max_length = 64, example = "ci")]
    pub name: String,
    /// What it allows: whatever any of these does.
    #[serde(deserialize_with = "object::list")]
    #[schema(min_items = 1, max_items = 100)]
    pub grants: Vec<GrantSpec>,
    /// From when on it is refused; never if it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// A token, without its secret, which nobody knows but who has it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct TokenInfo {
    /// The public part, by which it is revoked. It stands in the text of the token, and in the history of changes.
    #[schema(example = "4f2a0q1e")]
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What it allows: whatever any of these does.
    pub grants: Vec<GrantSpec>,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is refused; null if never.
    pub expires: Option<Timestamp>,
    /// When it was used last; null if not since the server was started.
    pub last_used: Option<Timestamp>,
}

/// A token that was just made.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct TokenMade {
    /// What is kept of it.
    pub token: TokenInfo,
    /// The text to be sent behind `Authorization: Bearer`. It is shown this once.
    pub secret: String,
}

/// All tokens, the oldest first.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Tokens {
    /// The tokens, without their secrets.
    pub tokens: Vec<TokenInfo>,
}
