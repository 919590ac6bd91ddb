//! Clients that make one request after another, and look afterwards whether what was acknowledged is answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dns_core::Name;
use serde::{Deserialize, Serialize};
use tokio::sync::{Barrier, Semaphore};

use super::http::Connection;
use super::server::Server;
use crate::ask::Asker;
use crate::changes::{Hosts, Latency};
use crate::zone::{APEX, ZonePlan};

/// An answer to a question about DNS that takes longer is missing.
const PATIENCE: Duration = Duration::from_secs(5);

/// What clients do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// One name that is there gets another address, then one that is not there gets one, and so on.
    Changes,
    /// A name is read, then one gets another address, and so on.
    Mixed,
}

/// What to do, and for how long.
#[derive(Clone, Debug)]
pub struct Load {
    /// Whose API.
    pub server: Server,
    /// Where it answers, over UDP.
    pub dns: SocketAddr,
    /// Connections.
    pub clients: u16,
    /// How long.
    pub time: Duration,
    /// What the clients do.
    pub work: Work,
    /// What the server has.
    pub zone: ZonePlan,
    /// How many of the clients may wait for an answer at a time; the times of others go on meanwhile.
    pub at_once: u16,
    /// Number of each client's first request: what was done with smaller numbers is not done again.
    pub first: u64,
}

/// What came of it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Report {
    /// Requests that were answered as they should, whatever they were, and the rate of all clients together.
    pub latency: Latency,
    /// Requests that were not.
    pub errors: u64,
    /// The first of these, in words.
    pub error: Option<String>,
    /// Names whose addresses were asked for afterwards: all that were changed.
    pub checked: u64,
}

/// What a client has to say.
#[derive(Default)]
struct Done {
    requests: u64,
    times: Vec<Duration>,
    errors: u64,
    error: Option<String>,
    /// Numbers of changes that were not acknowledged: these may be there or not.
    doubtful: Vec<u64>,
}

/// Lets all clients work until the time is over, and checks by DNS what has become of it.
///
/// # Errors
///
/// If not all clients can connect, or a change was acknowledged and is not answered.
pub async fn load(load: Load) -> Result<Report> {
    let load = Arc::new(load);
    let hosts = Arc::new(Hosts::new(load.zone));
    ensure!(hosts.len() >= usize::from(load.clients), "{} clients for {} hosts", load.clients, hosts.len());
    let start = Arc::new(Barrier::new(usize::from(load.clients) + 1));
    let turns = Arc::new(Semaphore::new(usize::from(load.at_once)));
    let mut clients = Vec::new();
    for client in 0..load.clients {
        let connection = Connection::open(load.server.http).await?;
        let (load, hosts, start, turns) = (load.clone(), hosts.clone(), start.clone(), turns.clone());
        clients.push(tokio::spawn(async move {
            start.wait().await;
            run(&load, &hosts, &turns, client, connection).await
        }));
    }
    start.wait().await;
    let begin = Instant::now();
    let mut all = Vec::new();
    for client in clients {
        all.push(client.await.context("a client panicked")??);
    }
    let seconds = begin.elapsed().as_secs_f64();
    let checked = check(&load, &hosts, &all)?;
    let times: Vec<_> = all.iter().flat_map(|done| done.times.iter().copied()).collect();
    let per_second = times.len() as f64 / seconds;
    let first_error = all.iter().find_map(|done| done.error.clone());
    let latency = Latency::of(times, per_second);
    let latency =
        latency.with_context(|| format!("nothing worked: {}", first_error.clone().unwrap_or_default()))?;
    let errors = all.iter().map(|done| done.errors).sum();
    Ok(Report { latency, errors, error: first_error, checked })
}

async fn run(
    load: &Load,
    hosts: &Hosts,
    turns: &Semaphore,
    client: u16,
    mut connection: Connection,
) -> Result<Done> {
    let mut done = Done::default();
    let begin = Instant::now();
    let mut last = begin;
    while last.duration_since(begin) < load.time {
        let number = load.first + done.requests;
        let request = match step(load, hosts, client, number)? {
            Step::Get(owner) => load.server.get(&owner),
            Step::Put(owner, address) => load.server.put(&owner, address),
            Step::Create(owner, address) => load.server.create(&owner, address),
        };
        done.requests += 1;
        let turn = turns.acquire().await.context("waiting for the client's turn")?;
        let failure = match connection.exchange(&request).await {
            Ok(response) if (200..300).contains(&response.status) => None,
            Ok(response) => {
                Some(format!("status {}: {}", response.status, String::from_utf8_lossy(response.body).trim()))
            }
            Err(error) => Some(format!("{error:#}")),
        };
        drop(turn);
        let now = Instant::now();
        match failure {
            None => done.times.push(now.duration_since(last)),
            Some(failure) => {
                done.errors += 1;
                done.error.get_or_insert(failure);
                done.doubtful.push(number);
                connection = Connection::open(load.server.http).await?;
            }
        }
        last = now;
    }
    Ok(done)
}

enum Step {
    Get(Name),
    Put(Name, [u8; 4]),
    Create(Name, [u8; 4]),
}

/// What request `number` of a client is. Its names are its own.
fn step(load: &Load, hosts: &Hosts, client: u16, number: u64) -> Result<Step> {
    let own = (hosts.len() - usize::from(client)).div_ceil(usize::from(load.clients));
    // Every other request is of this kind.
    let place = (number / 2) as usize % own;
    let host = || hosts.owner(place * usize::from(load.clients) + usize::from(client));
    // Not the one that the zone had in the beginning, whose first octet is 10, nor that of one of the millions before.
    let address = (number as u32 & 0x00FF_FFFF | 0x0B00_0000).to_be_bytes();
    Ok(match (load.work, number % 2) {
        (Work::Mixed, 0) => Step::Get(host()?),
        (Work::Mixed, _) | (Work::Changes, 0) => Step::Put(host()?, address),
        (Work::Changes, _) => Step::Create(format!("n{number}-{client}.{APEX}").parse()?, address),
    })
}

/// Asks for every name that was changed; returns how many there were.
fn check(load: &Load, hosts: &Hosts, all: &[Done]) -> Result<u64> {
    let mut asker = Asker::new(load.dns, PATIENCE)?;
    let mut checked = 0;
    for (client, done) in all.iter().enumerate() {
        let client = client as u16;
        let mut seen = std::collections::HashSet::new();
        // The last change of a name counts.
        for number in (load.first..load.first + done.requests).rev() {
            let (owner, address) = match step(load, hosts, client, number)? {
                Step::Get(_) => continue,
                Step::Put(owner, address) | Step::Create(owner, address) => (owner, address),
            };
            if !seen.insert(owner.clone()) || done.doubtful.contains(&number) {
                continue;
            }
            let found = asker.address(&owner, Instant::now())?;
            ensure!(
                found == Some(address),
                "request {number} of client {client} for {owner} was acknowledged, and {found:?} is answered"
            );
            checked += 1;
        }
    }
    Ok(checked)
}
