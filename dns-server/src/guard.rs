//! The guard that a configuration asks for.

use std::{fs, io};

use dns_backend::guard::{CookieSpec, Guard, GuardSpec, ListenerSpec};

use crate::config::Config;

/// Secrets for cookies that this process has drawn itself. The first one signs.
pub(crate) struct Secrets(Vec<[u8; 16]>);

impl Secrets {
    /// None, for who answers nobody.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Draws the first one.
    pub fn draw() -> io::Result<Self> {
        Ok(Self(vec![draw()?]))
    }

    /// These with one that signs from now on; cookies of the one before are still good.
    pub fn rolled_over(&self) -> io::Result<Self> {
        Ok(Self([draw()?].into_iter().chain(self.0.first().copied()).collect()))
    }
}

fn draw() -> io::Result<[u8; 16]> {
    let mut secret = [0; 16];
    getrandom::fill(&mut secret).map_err(io::Error::from)?;
    Ok(secret)
}

/// Compiles the guard of a configuration. `drawn` are the secrets of this process, for where none are configured.
///
/// Reads the databases that rules name. The errors are sentences.
pub(crate) fn compile(config: &Config, drawn: &Secrets) -> Result<Guard, Vec<String>> {
    let secrets = if config.cookies.secrets.is_empty() { &drawn.0 } else { &config.cookies.secrets };
    let listener = |address| {
        let access = config.access_at(address).cloned().unwrap_or_default();
        ListenerSpec { allow: access.allow, deny: access.deny }
    };
    let spec = GuardSpec {
        listeners: config.listen.dns.iter().map(|known| listener(known.address)).collect(),
        rules: config.rules.clone(),
        rate_limit: config.rate_limit.clone(),
        cookies: config.cookies.enabled.then(|| CookieSpec { secrets: secrets.clone() }),
        identity: config.identity.clone(),
    };
    let compiled = Guard::new(&spec, &mut |path| fs::read(path));
    compiled.map_err(|errors| errors.iter().map(ToString::to_string).collect())
}
