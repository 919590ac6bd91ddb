//! Servers without load: how soon they answer, what memory they take, what they do when they have nothing to do.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::entrant::Entrant;
use super::process::Memory;
use super::server::Server;
use super::stats::median;
use super::zones::Zones;

/// How long a server may tidy up after it has loaded, before its memory is looked at.
const SETTLE: Duration = Duration::from_secs(2);
/// How long a server without load is watched.
const REST: Duration = Duration::from_secs(10);

/// One start.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Start {
    /// From the start of the process to the first right answer.
    pub seconds: f64,
    /// CPU seconds until then and while settling.
    pub cpu_seconds: f64,
    pub memory: Memory,
    /// Share of a core that is used without load; not looked at while only loading is measured.
    pub rest: Option<f64>,
}

/// A server with its starts.
pub struct Starts {
    pub entrant: Entrant,
    pub starts: Vec<Start>,
}

impl Starts {
    /// Median over the starts.
    pub fn median(&self, value: impl Fn(&Start) -> f64) -> Option<f64> {
        median(self.starts.iter().map(value))
    }
}

/// Starts the server once, alone on the machine, and ends it. With `rest` it is watched for a while.
pub fn start(
    entrant: Entrant,
    programs: &Path,
    folder: &Path,
    zones: Option<&Zones>,
    rest: bool,
) -> Result<Start> {
    let server = Server::start(entrant, programs, folder, zones)?;
    // The memory is what is left when allocators have given back what they meant to.
    thread::sleep(SETTLE);
    let (times, memory) = (server.times()?, server.memory()?);
    let rest = if rest {
        thread::sleep(REST);
        Some(server.times()?.since(times).total() / REST.as_secs_f64())
    } else {
        None
    };
    Ok(Start { seconds: server.started_in.as_secs_f64(), cpu_seconds: times.total(), memory, rest })
}
