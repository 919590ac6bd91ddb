//! What stands between queries and zones: who may ask, how much, and what becomes of some questions.
//!
//! Meet [`GuardSpec`], plain data as an operator writes it; what workers use is compiled from it once: a [`RuleSet`](rules::RuleSet)
//! from its rules.

mod compiled;
mod cookies;
mod hits;
mod identity;
mod limits;
pub mod rules;
mod spec;

pub use self::compiled::Guard;
pub use self::cookies::{ClientCookie, CookieState, Cookies, ServerCookie};
pub(crate) use self::hits::{AllRuleHits, RuleHits};
pub use self::limits::{Decision, Limiter, ResponseKind};
pub use self::spec::{
    Action, AddressOrder, Condition, CookieSpec, GuardSpec, Identity, ListenerSpec, NamePattern,
    RateLimitSpec, Replacement, Rule,
};
