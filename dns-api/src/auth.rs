//! Who may do what: tokens, their grants, and the callers they make of clients.

mod caller;
mod grant;
mod pattern;
mod token;

pub use self::caller::Caller;
pub use self::grant::{Access, Grant, GrantError, GrantSpec};
pub use self::pattern::{NamePattern, PatternError};
pub use self::token::{Malformed, Presented, Secret, Token, TokenError, TokenId};
