//! Who may do what: tokens, their grants, and the callers they make of clients.

mod audit;
mod authenticator;
mod caller;
mod first;
mod grant;
mod guard;
mod origin;
mod pattern;
mod store;
mod token;

pub use self::authenticator::{Authenticator, ListedToken, Refusal, TokensError};
pub use self::caller::Caller;
pub use self::first::{AdminToken, AdminTokenError, admin_token_file};
pub use self::grant::{Access, Grant, GrantError, GrantSpec};
pub use self::guard::Guard;
pub(crate) use self::guard::guard;
pub use self::pattern::{NamePattern, PatternError};
pub use self::store::{MemoryTokens, TokenStore, TokenStoreError};
pub use self::token::{Malformed, Presented, Secret, Token, TokenError, TokenId};
