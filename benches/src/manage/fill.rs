//! A zone of any size, by our API.

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use super::http::Connection;
use super::server::Server;
use crate::ask::Asker;
use crate::zone::{APEX, ZonePlan};

/// Records in one set of changes.
const SET_RECORDS: u32 = 1000;
/// An answer to a question about DNS that takes longer is missing.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the records come.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// As one zone file.
    Import,
    /// As sets of 1,000 changes, one after another from one client.
    Sets,
}

/// How long it took.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Filled {
    /// Names whose records were sent: an address for each, unless a file says otherwise.
    pub names: u32,
    /// From the first request to the last answer.
    pub seconds: f64,
}

/// Makes the zone with one address for each name of the plan, or with the plan's own records from a file.
///
/// # Errors
///
/// If the server refuses anything, or does not answer one of the last names in the end.
pub async fn fill(
    server: &Server,
    dns: SocketAddr,
    zone: ZonePlan,
    how: How,
    file: Option<&Path>,
) -> Result<Filled> {
    let mut connection = Connection::open(server.http).await?;
    let begin = Instant::now();
    match how {
        How::Import => {
            let text = match file {
                Some(file) => {
                    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?
                }
                None => zone_file(zone)?,
            };
            let path = format!("/api/v1/zones/{APEX}/import");
            let head = server.head("PUT", &path, "text/dns", text.len());
            connection.send(head.as_bytes()).await?;
            done(&mut connection, text.as_bytes()).await?;
        }
        How::Sets => {
            let body = format!(r#"{{"name":"{APEX}"}}"#);
            done(&mut connection, &server.request("POST", "/api/v1/zones", &body)).await?;
            for first in (0..zone.names).step_by(SET_RECORDS as usize) {
                let body = set(zone, first);
                done(&mut connection, &server.request("POST", "/api/v1/changes", &body)).await?;
            }
        }
    }
    let seconds = begin.elapsed().as_secs_f64();
    // One that has an address in the file, too.
    let last = zone.target(zone.names - 1);
    let found = Asker::new(dns, PATIENCE)?.address(&zone.owner(last).parse()?, Instant::now())?;
    ensure!(found == Some(address(last).octets()), "for one of the last names, {found:?} is answered");
    Ok(Filled { names: zone.names, seconds })
}

async fn done(connection: &mut Connection, request: &[u8]) -> Result<()> {
    let response = connection.exchange(request).await?;
    let text = String::from_utf8_lossy(response.body);
    ensure!((200..300).contains(&response.status), "status {}: {}", response.status, text.trim());
    Ok(())
}

fn address(index: u32) -> Ipv4Addr {
    Ipv4Addr::from(index & 0x00FF_FFFF | 0x0A00_0000)
}

fn zone_file(zone: ZonePlan) -> Result<String> {
    let mut text = format!("$ORIGIN {APEX}\n$TTL 300\n");
    for index in 0..zone.names {
        writeln!(text, "{} IN A {}", zone.owner(index), address(index))?;
    }
    Ok(text)
}

/// The set of changes that begins with this name.
fn set(zone: ZonePlan, first: u32) -> String {
    let end = first.saturating_add(SET_RECORDS).min(zone.names);
    let change = |index| {
        let (owner, address) = (zone.owner(index), address(index));
        format!(r#"{{"op":"put","record":{{"name":"{owner}","type":"A","ttl":300,"value":["{address}"]}}}}"#)
    };
    let changes: Vec<String> = (first..end).map(change).collect();
    format!(r#"{{"changes":[{}]}}"#, changes.join(","))
}
