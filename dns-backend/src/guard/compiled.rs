//! The guard as workers use it.

use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use dns_core::Access;

use super::identity::Identities;
use super::rules::{RuleError, RuleSet};
use super::{Cookies, GuardSpec, RateLimitSpec};

/// What stands between queries and zones, ready for use. Immutable: another one is put in its place.
#[derive(Debug, Default)]
pub struct Guard {
    /// By the number of the listener; none where everybody may ask everywhere.
    access: Vec<Access>,
    rules: RuleSet,
    rule_names: Arc<[Box<str>]>,
    pub(crate) rate_limit: Option<RateLimitSpec>,
    pub(crate) cookies: Option<Cookies>,
    pub(crate) identities: Identities,
}

impl Guard {
    /// Lets everybody ask everything, and tells nothing of the server.
    pub fn open() -> Self {
        Self::default()
    }

    /// Compiles the guard; `load` reads the databases that rules name.
    ///
    /// # Errors
    /// Everything that is wrong with any of the rules.
    pub fn new(
        spec: &GuardSpec,
        load: &mut dyn FnMut(&Path) -> io::Result<Vec<u8>>,
    ) -> Result<Self, Vec<RuleError>> {
        let mut access: Vec<Access> =
            spec.listeners.iter().map(|listener| Access::new(&listener.allow, &listener.deny)).collect();
        if access.iter().all(Access::is_open) {
            access.clear();
        }
        Ok(Self {
            access,
            rules: RuleSet::compile(&spec.rules, load)?,
            rule_names: spec.rules.iter().map(|rule| rule.name.as_str().into()).collect(),
            rate_limit: spec.rate_limit.clone(),
            cookies: spec.cookies.as_ref().and_then(Cookies::new),
            identities: Identities::new(&spec.identity),
        })
    }

    /// Its rules.
    #[inline]
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// The client may ask at this listener.
    #[inline]
    pub fn admits(&self, listener: usize, client: IpAddr) -> bool {
        self.access.get(listener).is_none_or(|access| access.admits(client))
    }

    /// Names of its rules, by number.
    pub(crate) fn rule_names(&self) -> Arc<[Box<str>]> {
        self.rule_names.clone()
    }

    /// Some packets have to be told the time.
    #[inline]
    pub(crate) fn needs_time(&self) -> bool {
        self.rate_limit.is_some() || self.cookies.is_some()
    }
}
