//! What stands between queries and zones: who may ask, how much, and what becomes of some questions.
//!
//! Meet [`GuardSpec`], plain data as an operator writes it; what workers use is compiled from it once: a [`RuleSet`](rules::RuleSet)
//! from its rules.

pub mod rules;
mod spec;

pub use self::spec::{
    Action, AddressOrder, Condition, CookieSpec, GuardSpec, Identity, ListenerSpec, NamePattern,
    RateLimitSpec, Replacement, Rule,
};
