//! How soon a change over HTTP is seen in DNS.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::http::Connection;
use super::server::Server;
use crate::ask::Asker;
use crate::changes::{Hosts, Latency};
use crate::zone::ZonePlan;

/// A change that takes longer fails the run.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to leave the cores to the server before the next question. It is also about how exact the times are.
const PAUSE: Duration = Duration::from_micros(50);

/// Changes one host after another until the time is over; times are from sending a change to the first answer over UDP that
/// has it. Questions are asked by the same thread, one after another with a short pause between them, from when the change
/// was sent on: without one, client and server would leave no core to what makes the change safe.
///
/// # Errors
///
/// If the server refuses a change, or does not answer it.
pub async fn seen(server: &Server, dns: SocketAddr, zone: ZonePlan, time: Duration) -> Result<Latency> {
    let hosts = Hosts::new(zone);
    let mut connection = Connection::open(server.http).await?;
    let mut asker = Asker::new(dns, PATIENCE)?;
    let (start, mut times) = (Instant::now(), Vec::new());
    while times.is_empty() || start.elapsed() < time {
        let (owner, address) = hosts.change(times.len() as u64)?;
        let request = server.put(&owner, address);
        let begin = Instant::now();
        connection.send(&request).await?;
        while asker.address(&owner, begin)? != Some(address) {
            ensure!(begin.elapsed() < PATIENCE, "{owner} has not changed within {} s", PATIENCE.as_secs());
            thread::sleep(PAUSE);
        }
        times.push(begin.elapsed());
        let response = connection.receive().await.with_context(|| format!("changing {owner}"))?;
        let status = response.status;
        ensure!((200..300).contains(&status), "changing {owner}: status {status}");
    }
    let per_second = times.len() as f64 / start.elapsed().as_secs_f64();
    Latency::of(times, per_second).context("there were no changes")
}
