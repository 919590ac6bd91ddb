//! Where records come from.

use std::fmt;

/// Who wrote an RRset; every write names its source, and no source touches what another has written.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Source {
    /// An ACME challenge: its values are added to whatever TXT records others have there.
    Acme,
    /// The HTTP API.
    Api,
    /// A dynamic update, by the name of the key that signed it.
    Update(String),
    /// A zone file, by its path.
    File(String),
    /// A transfer from a primary server, by its name.
    Transfer(String),
    /// The `records:` of the configuration file.
    Config,
    /// A ConfigMap, as `namespace/name`.
    ConfigMap(String),
    /// Kubernetes objects.
    Kubernetes,
}

/// Kinds of sources, as precedence is given by.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum SourceKind {
    /// See [`Source::Acme`].
    Acme,
    /// See [`Source::Api`].
    Api,
    /// See [`Source::Update`].
    Update,
    /// See [`Source::File`].
    File,
    /// See [`Source::Transfer`].
    Transfer,
    /// See [`Source::Config`].
    Config,
    /// See [`Source::ConfigMap`].
    ConfigMap,
    /// See [`Source::Kubernetes`].
    Kubernetes,
}

impl Source {
    /// What kind of source it is.
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::Acme => SourceKind::Acme,
            Self::Api => SourceKind::Api,
            Self::Update(_) => SourceKind::Update,
            Self::File(_) => SourceKind::File,
            Self::Transfer(_) => SourceKind::Transfer,
            Self::Config => SourceKind::Config,
            Self::ConfigMap(_) => SourceKind::ConfigMap,
            Self::Kubernetes => SourceKind::Kubernetes,
        }
    }
}

impl SourceKind {
    /// All kinds, by default precedence.
    pub const ALL: [Self; 8] = [
        Self::Acme,
        Self::Api,
        Self::Update,
        Self::File,
        Self::Transfer,
        Self::Config,
        Self::ConfigMap,
        Self::Kubernetes,
    ];

    /// The word for it in configuration, metrics and messages.
    pub fn label(self) -> &'static str {
        match self {
            Self::Acme => "acme",
            Self::Api => "api",
            Self::Update => "update",
            Self::File => "file",
            Self::Transfer => "transfer",
            Self::Config => "config",
            Self::ConfigMap => "configmap",
            Self::Kubernetes => "kubernetes",
        }
    }

    /// The kind that a word stands for.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.label() == label)
    }

    /// A journal keeps what these have written, as nobody else does.
    pub fn is_durable(self) -> bool {
        matches!(self, Self::Acme | Self::Api | Self::Update)
    }

    /// Zone files and transfers come with whatever TTLs others have chosen.
    pub(crate) fn takes_any_ttl(self) -> bool {
        matches!(self, Self::File | Self::Transfer | Self::Update)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = self.kind().label();
        match self {
            Self::Update(name) | Self::File(name) | Self::Transfer(name) | Self::ConfigMap(name) => {
                write!(f, "{label}:{name}")
            }
            _ => f.write_str(label),
        }
    }
}
