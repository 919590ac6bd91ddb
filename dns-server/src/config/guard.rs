//! Who may ask, what the server keeps to itself, and what it writes down of queries.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use dns_core::Network;

use super::Config;

/// Who may ask at a listener.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Access {
    /// The listener, as [`Listen::dns`](super::Listen::dns) has it; `None` for all that have no entry of their own.
    pub listener: Option<SocketAddr>,
    /// Who is let in; everybody if empty. See [`dns_core::Access::new`].
    pub allow: Vec<Network>,
    /// Who is kept out.
    pub deny: Vec<Network>,
}

impl Config {
    /// What counts at a listener: its own entry, else the one for all listeners; `None` where everybody may ask.
    pub fn access_at(&self, listener: SocketAddr) -> Option<&Access> {
        let own = self.access.iter().find(|access| access.listener == Some(listener));
        own.or_else(|| self.access.iter().find(|access| access.listener.is_none()))
    }

    /// Listeners that [`access`](Self::access) and [`views`](Self::views) name and that there are not, each once. A file that
    /// names such is refused; this is for those who change [`listen`](Self::listen) afterwards.
    pub fn absent_listeners(&self) -> Vec<SocketAddr> {
        let named = self.access.iter().filter_map(|access| access.listener);
        let named = named.chain(self.views.iter().flat_map(|view| view.listeners.iter().copied()));
        let is_absent = |address: &SocketAddr| !self.listen.dns.iter().any(|known| known.address == *address);
        named.filter(is_absent).collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// DNS cookies ([RFC 7873](https://www.rfc-editor.org/rfc/rfc7873)).
#[derive(Clone, Eq, PartialEq)]
pub struct Cookies {
    /// Give and check them; on by default.
    pub enabled: bool,
    /// The first one signs, all of them verify. With none, the server draws one at each start and each day.
    pub secrets: Vec<[u8; 16]>,
}

impl Cookies {
    /// Most secrets that are verified: one in use, those before and after it, and some to spare.
    pub const SECRETS_MAX: usize = 8;
}

impl Default for Cookies {
    fn default() -> Self {
        Self { enabled: true, secrets: Vec::new() }
    }
}

impl fmt::Debug for Cookies {
    /// Leaves the secrets out: configurations end up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secrets = format_args!("{} secrets", self.secrets.len());
        f.debug_struct("Cookies").field("enabled", &self.enabled).field("secrets", &secrets).finish()
    }
}

/// What is written down of queries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct QueryLog {
    /// Every so many queries are written.
    pub sample: NonZeroU32,
    /// How they are written.
    pub format: QueryLogFormat,
    /// Where they go; a socket for dnstap, one of the others for the other formats.
    pub target: QueryLogTarget,
}

/// Form of the query log.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum QueryLogFormat {
    /// A JSON object per line.
    #[default]
    Json,
    /// A line per query, for people.
    Text,
    /// [dnstap](https://dnstap.info) in Frame Streams.
    Dnstap,
}

/// Where the query log goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum QueryLogTarget {
    /// Standard output.
    Stdout,
    /// A file, which is appended to.
    File(PathBuf),
    /// A Unix socket on which somebody reads.
    Socket(PathBuf),
}

#[cfg(test)]
mod tests {
    use super::super::Listener;
    use super::*;

    #[test]
    fn a_listener_has_its_own_access_or_the_common_one() {
        let deny = |text: &str| vec![text.parse().unwrap()];
        let [own, other]: [SocketAddr; 2] =
            ["192.0.2.1:53", "192.0.2.2:53"].map(|text| text.parse().unwrap());
        let mut config = Config::default();
        assert_eq!(config.access_at(own), None);
        config.access = vec![
            Access { deny: deny("198.51.100.0/24"), ..Access::default() },
            Access { listener: Some(own), deny: deny("203.0.113.0/24"), ..Access::default() },
        ];
        assert_eq!(config.access_at(own), Some(&config.access[1]));
        assert_eq!(config.access_at(other), Some(&config.access[0]));

        assert_eq!(config.absent_listeners(), [own]);
        config.listen.dns.push(Listener::required(own));
        assert_eq!(config.absent_listeners(), []);
    }

    #[test]
    fn secrets_are_not_shown() {
        let cookies = Cookies { secrets: vec![[7; 16]; 2], ..Cookies::default() };
        assert_eq!(format!("{cookies:?}"), "Cookies { enabled: true, secrets: 2 secrets }");
    }
}
