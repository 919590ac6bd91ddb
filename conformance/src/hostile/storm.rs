//! Reload storms: the zone file changes and SIGHUP follows, far more often than anybody means to.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::zone::{self, Question};
use crate::client::{Client, Transport};
use crate::peer::Server;

/// How long the last generation may take until it is served.
const SETTLE_PATIENCE: Duration = Duration::from_secs(30);
/// How long one probe waits.
const PROBE_PATIENCE: Duration = Duration::from_millis(200);

/// What came of a storm.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct StormReport {
    /// Times that the file was replaced and the signal sent.
    pub reloads: u32,
    /// From the last signal until the last generation was served.
    pub settled_millis: f64,
}

/// Reloads again and again, and returns the last generation.
///
/// # Errors
/// The file cannot be written, or the server is gone.
pub fn storm(server: &Server, zone_file: &Path, pause: Duration, time: Duration) -> Result<StormReport> {
    let begin = Instant::now();
    let mut report = StormReport::default();
    while begin.elapsed() < time {
        let round = Instant::now();
        report.reloads += 1;
        replace(zone_file, report.reloads + 1)?;
        let id = server.id().to_string();
        let signalled = Command::new("kill").args(["-HUP", &id]).stdin(Stdio::null()).status()?;
        ensure!(signalled.success(), "{} is gone: {}", server.kind.label(), server.last_words());
        thread::sleep(pause.saturating_sub(round.elapsed()));
    }
    Ok(report)
}

/// Waits until the last generation of a storm is served.
///
/// # Errors
/// It is not.
pub fn settle(server: &Server, report: &mut StormReport) -> Result<()> {
    let begin = Instant::now();
    let question = Question::generation(report.reloads + 1);
    let mut client = Client::new(server.address)?;
    loop {
        let answer =
            client.ask_once(&question.qname, question.qtype, Transport::UdpEdns, false, PROBE_PATIENCE);
        let checked = answer.and_then(|answer| question.check(&answer));
        if checked.is_ok() {
            report.settled_millis = begin.elapsed().as_secs_f64() * 1000.0;
            return Ok(());
        }
        if begin.elapsed() > SETTLE_PATIENCE {
            return checked.with_context(|| format!("the last zone is not served: {}", server.last_words()));
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Puts another generation in the file's place, whole at any time.
fn replace(zone_file: &Path, generation: u32) -> Result<()> {
    let new = zone_file.with_extension("new");
    fs::write(&new, zone::text(generation)).with_context(|| format!("writing {}", new.display()))?;
    fs::rename(&new, zone_file).with_context(|| format!("replacing {}", zone_file.display()))
}
