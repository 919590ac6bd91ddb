//! Who takes part: a program, how it is set up, and how it is asked.

use clap::ValueEnum;

/// A program to measure.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, ValueEnum)]
pub enum Kind {
    /// Flips the QR bit: the floor.
    Echo,
    /// `jw238dns`, as a program and as a library.
    Ours,
    /// gdnsd.
    Gdnsd,
    /// YADIFA.
    Yadifa,
    /// NSD.
    Nsd,
    /// Knot DNS.
    Knot,
    /// BIND 9.
    Bind,
    /// PowerDNS with the bind backend.
    Pdns,
    /// Ours as a library, in a program that changes records. Whoever chooses [`Ours`](Self::Ours) gets both.
    #[value(skip)]
    Changes,
}

impl Kind {
    /// Those that take part where nothing else is said, in the order of the table.
    pub const ALL: [Self; 8] =
        [Self::Echo, Self::Ours, Self::Gdnsd, Self::Yadifa, Self::Nsd, Self::Knot, Self::Bind, Self::Pdns];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo floor",
            Self::Ours => "jw238dns",
            Self::Gdnsd => "gdnsd",
            Self::Yadifa => "YADIFA",
            Self::Nsd => "NSD",
            Self::Knot => "Knot",
            Self::Bind => "BIND",
            Self::Pdns => "PowerDNS",
            Self::Changes => "jw238dns in process",
        }
    }

    /// A word for file names and options.
    pub fn word(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Ours => "ours",
            Self::Gdnsd => "gdnsd",
            Self::Yadifa => "yadifa",
            Self::Nsd => "nsd",
            Self::Knot => "knot",
            Self::Bind => "bind",
            Self::Pdns => "pdns",
            Self::Changes => "changes",
        }
    }

    /// Whether others wrote it.
    pub fn is_peer(self) -> bool {
        !matches!(self, Self::Echo | Self::Ours | Self::Changes)
    }

    /// How much its answers can be checked, as `load --check` takes it.
    pub fn check(self) -> &'static str {
        match self {
            Self::Echo => "question",
            _ => "full",
        }
    }
}

/// How a program is set up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Setup {
    /// Worker threads for UDP.
    pub workers: u8,
    /// Cores that it may use, as `taskset --cpu-list` takes them.
    pub cores: &'static str,
    /// Ours: responses are weighed against limits that loopback is not exempt from.
    pub limits: Limits,
    /// Ours: settings of `backend`, as its configuration has them.
    pub backend: &'static str,
    /// Peers: dynamic updates from loopback are taken, and kept on disk as each does by default.
    pub updates: bool,
    /// The program of [`Kind::Changes`]: so many changes of one record per second.
    pub changes_per_second: u32,
}

/// Rate limits of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Limits {
    /// The default: loopback is exempt.
    Exempt,
    /// In force, and never reached: ten million per second.
    Unreached,
    /// In force with the default rates.
    Default,
}

impl Setup {
    /// One worker on the servers' core.
    pub const ONE: Self = Self {
        workers: 1,
        cores: super::SERVER_CORE,
        limits: Limits::Exempt,
        backend: "",
        updates: false,
        changes_per_second: 0,
    };
}

/// What is asked, and how.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Asking {
    /// Mixture of questions, as `load --mixture` takes it.
    pub mixture: &'static str,
    /// Over TCP instead of UDP.
    pub tcp: bool,
    /// Client sockets or connections.
    pub sockets: u16,
    /// Questions on their way at any time, in all.
    pub outstanding: u16,
    /// EDNS, as `load --edns` takes it.
    pub edns: &'static str,
    /// Questions per second of another client that does not wait for answers.
    pub flood: u32,
    /// Cores of the load, as `taskset --cpu-list` takes them.
    pub cores: &'static str,
}

impl Asking {
    /// Over UDP: 128 questions outstanding from 4 sockets, without EDNS.
    pub const fn udp(mixture: &'static str) -> Self {
        let cores = super::LOAD_CORE;
        Self { mixture, tcp: false, sockets: 4, outstanding: 128, edns: "none", flood: 0, cores }
    }

    /// Over TCP: 200 questions outstanding on 10 connections.
    pub const fn tcp(mixture: &'static str) -> Self {
        Self { tcp: true, sockets: 10, outstanding: 200, ..Self::udp(mixture) }
    }

    /// With EDNS.
    pub const fn edns(self, edns: &'static str) -> Self {
        Self { edns, ..self }
    }
}

/// One row of a table.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entrant {
    pub kind: Kind,
    /// Its name in the table.
    pub label: &'static str,
    pub setup: Setup,
    pub asking: Asking,
}

impl Entrant {
    /// A program as it is everywhere else.
    pub fn plain(kind: Kind, asking: Asking) -> Self {
        Self { kind, label: kind.name(), setup: Setup::ONE, asking }
    }
}
