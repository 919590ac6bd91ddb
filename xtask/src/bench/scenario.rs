//! What a scenario is made of. `scenarios.rs` has them all.

use super::BOTH_CORES;
use super::entrant::{Asking, Entrant, Kind, Setup};
use super::manage::Deed;
use super::zones::Shape;

/// What is measured, and what becomes of it.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// A word for `--scenario`, and for the place of its table in `benches/RESULTS.md`.
    pub id: &'static str,
    pub title: &'static str,
    pub shape: Shape,
    pub work: Work,
    /// Not part of a run that asks for no scenario by name: it takes minutes.
    pub slow: bool,
    /// What ours may cost, as the design says.
    pub budget: Option<Budget>,
    /// What has to be known to read the table.
    pub remark: &'static str,
}

/// How it is measured.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// Questions to servers that run, in rounds.
    Load {
        lineup: Lineup,
        /// What the last column compares.
        base: Base,
        metric: Metric,
    },
    /// From the start of the process to the first right answer, and the memory it then has.
    Start {
        /// Those that do not take part, and why.
        absent: &'static [(Kind, &'static str)],
    },
    /// Ours with its sample zone, without load.
    Rest,
    /// The time until a change is seen: ours changes records in process, peers by dynamic updates.
    Latency {
        /// Those that do not take part, and why.
        absent: &'static [(Kind, &'static str)],
    },
    /// Changes that are kept on disk, or come over HTTP. Who takes part goes with it.
    Manage(Deed),
}

/// Who takes part.
#[derive(Clone, Copy, Debug)]
pub enum Lineup {
    /// Everybody, asked alike.
    All {
        asking: Asking,
        /// Ours differs from the others here.
        ours: Setup,
        /// Those that do not take part, and why.
        absent: &'static [(Kind, &'static str)],
    },
    /// These.
    These(&'static [Entrant]),
}

/// The server that others are compared with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Base {
    /// The peer with the lowest CPU time per query.
    BestPeer,
    /// The first in the table.
    First,
}

/// What a ratio compares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Metric {
    /// CPU time per query.
    Cpu,
    /// Queries per second.
    Rate,
}

/// The most that a ratio may be; with [`Metric::Rate`], the least.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// CPU time per query of `jw238dns` over that of the echo.
    ToEcho(f64),
    /// CPU time per query of `jw238dns` over that of this peer.
    To(Kind, f64),
    /// The metric of the entrant with this label, over that of the first.
    ToFirst(&'static str, f64),
    /// Seconds to the first answer, and octets resident (proportionally) after that.
    Start { seconds: f64, octets: u64 },
    /// Seconds to the first answer, octets resident, and share of a core.
    Rest { seconds: f64, octets: u64, cpu: f64 },
    /// Median of ours, in microseconds.
    Latency(f64),
    /// Durable changes per second over those of a bare database, at least.
    ToDatabase(f64),
    /// Changes per second over HTTP over those of whoever else is fastest, at least.
    ToBestManager(f64),
    /// Medians from a change over HTTP until DNS answers it.
    Seen { durable_micros: f64, memory_micros: f64 },
    /// Every request is answered as it should be.
    NoErrors,
}

impl Scenario {
    /// Everybody is asked alike, and ratios are of CPU time.
    pub const fn load(id: &'static str, title: &'static str, shape: Shape, asking: Asking) -> Self {
        let lineup = Lineup::All { asking, ours: Setup::ONE, absent: &[] };
        let work = Work::Load { lineup, base: Base::BestPeer, metric: Metric::Cpu };
        Self::new(id, title, shape, work)
    }

    /// Measured in another way, and without a budget.
    pub const fn new(id: &'static str, title: &'static str, shape: Shape, work: Work) -> Self {
        Self { id, title, shape, work, slow: false, budget: None, remark: "" }
    }

    /// Only these take part, and ratios are to the first of them.
    pub const fn these(
        id: &'static str,
        title: &'static str,
        shape: Shape,
        metric: Metric,
        entrants: &'static [Entrant],
    ) -> Self {
        let work = Work::Load { lineup: Lineup::These(entrants), base: Base::First, metric };
        Self::new(id, title, shape, work)
    }

    /// Those that do not take part, and why.
    pub const fn absent(self, absent: &'static [(Kind, &'static str)]) -> Self {
        let work = match self.work {
            Work::Load { lineup: Lineup::All { asking, ours, .. }, base, metric } => {
                Work::Load { lineup: Lineup::All { asking, ours, absent }, base, metric }
            }
            Work::Start { .. } => Work::Start { absent },
            Work::Latency { .. } => Work::Latency { absent },
            other => other,
        };
        Self { work, ..self }
    }

    /// Ours is set up in another way than elsewhere.
    pub const fn ours(self, ours: Setup) -> Self {
        let work = match self.work {
            Work::Load { lineup: Lineup::All { asking, absent, .. }, base, metric } => {
                Work::Load { lineup: Lineup::All { asking, ours, absent }, base, metric }
            }
            other => other,
        };
        Self { work, ..self }
    }

    /// What ours may cost.
    pub const fn budget(self, budget: Budget) -> Self {
        Self { budget: Some(budget), ..self }
    }

    /// Measured only where it is asked for by name.
    pub const fn slow(self) -> Self {
        Self { slow: true, ..self }
    }

    /// What has to be known to read its table.
    pub const fn remark(self, remark: &'static str) -> Self {
        Self { remark, ..self }
    }

    /// Whether somebody who gave these words means it.
    pub fn is_meant(&self, words: &[String]) -> bool {
        if words.is_empty() { !self.slow } else { words.iter().any(|word| self.id.contains(&**word)) }
    }

    /// Who takes part, of these kinds.
    pub fn entrants(&self, kinds: &[Kind]) -> Vec<Entrant> {
        let wanted =
            |kind: Kind| kinds.contains(&kind) || (kind == Kind::Changes && kinds.contains(&Kind::Ours));
        match self.work {
            Work::Load { lineup: Lineup::These(entrants), .. } => {
                entrants.iter().copied().filter(|entrant| wanted(entrant.kind)).collect()
            }
            Work::Load { lineup: Lineup::All { asking, ours, .. }, .. } => self
                .present(kinds)
                .map(|kind| {
                    let setup = if kind == Kind::Ours { ours } else { Setup::ONE };
                    Entrant { setup, ..Entrant::plain(kind, asking) }
                })
                .collect(),
            Work::Start { .. } => {
                // Nobody else has work then, so that all cores are the server's.
                let setup = Setup { cores: BOTH_CORES, ..Setup::ONE };
                let entrant = |kind| Entrant { setup, ..Entrant::plain(kind, Asking::udp("hits")) };
                self.present(kinds).map(entrant).collect()
            }
            Work::Rest => {
                let setup = Setup { cores: BOTH_CORES, ..Setup::ONE };
                vec![Entrant { setup, ..Entrant::plain(Kind::Ours, Asking::udp("hits")) }]
            }
            Work::Manage(_) => Vec::new(),
            Work::Latency { .. } => self
                .present(kinds)
                .map(|kind| match kind {
                    // It folds changes into its base in the background.
                    Kind::Ours => Entrant {
                        setup: Setup { cores: BOTH_CORES, ..Setup::ONE },
                        ..Entrant::plain(Kind::Changes, Asking::udp("hits"))
                    },
                    peer => Entrant {
                        setup: Setup { updates: true, ..Setup::ONE },
                        ..Entrant::plain(peer, Asking::udp("hits"))
                    },
                })
                .collect(),
        }
    }

    /// Those that do not take part, of these kinds, and why.
    pub fn absentees(&self, kinds: &[Kind]) -> Vec<(Kind, &'static str)> {
        let (Work::Load { lineup: Lineup::All { absent, .. }, .. }
        | Work::Start { absent }
        | Work::Latency { absent }) = self.work
        else {
            return Vec::new();
        };
        absent.iter().copied().filter(|(kind, _)| kinds.contains(kind)).collect()
    }

    fn present<'a>(&'a self, kinds: &'a [Kind]) -> impl Iterator<Item = Kind> + 'a {
        let absent = self.absentees(kinds);
        Kind::ALL
            .into_iter()
            .filter(move |kind| kinds.contains(kind) && !absent.iter().any(|(absentee, _)| absentee == kind))
    }
}
