//! Zones and views: what is served, and to whom.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use dns_core::{Name, Network, Rrset};

/// A zone that is served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Zone {
    /// Its apex.
    pub name: Name,
    /// Where its records come from.
    pub content: ZoneContent,
    /// Names that the zone does not have are asked upstream instead of denied.
    pub fallthrough: bool,
    /// Who may ask for its names; everybody if empty. See [`dns_core::Access::new`].
    ///
    /// Zones of one template share this list.
    pub allow: Arc<[Network]>,
    /// Who may not ask for its names.
    pub deny: Arc<[Network]>,
}

impl Zone {
    /// A zone for everybody, whose names are denied if it does not have them.
    pub fn new(name: Name, content: ZoneContent) -> Self {
        Self { name, content, fallthrough: false, allow: Arc::default(), deny: Arc::default() }
    }
}

/// Where the records of a zone come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ZoneContent {
    /// A zone file, read at start and again when it changes.
    File(PathBuf),
    /// The text of a zone file.
    Text(Cow<'static, str>),
}

/// What some clients get in place of, or in front of, the zones that stand outside views.
///
/// Of the views that a query fits, the one counts that names the client by the longest prefix.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct View {
    /// Unique, and not [`View::DEFAULT`].
    pub name: String,
    /// Clients that get it; all if empty.
    pub clients: Vec<Network>,
    /// Listeners at which it is given, as [`Listen::dns`](super::Listen::dns) has them; all if empty.
    pub listeners: Vec<SocketAddr>,
    /// Names that no zone of the view covers are answered from the zones outside views.
    pub shared: bool,
    /// Its zones by name.
    pub zones: Vec<Zone>,
    /// A folder of which every `*.zone` file is served.
    pub zones_dir: Option<PathBuf>,
    /// Records that need no zone.
    pub records: Vec<Rrset>,
}

impl View {
    /// What rules and explanations call everything that stands outside views.
    pub const DEFAULT: &str = "default";
}
