//! The cases: one way to attack each, the same for every server.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use benches::random::Random;
use clap::ValueEnum;
use dns_core::RecordType;
use serde::Serialize;

use super::flood::{Flood, FloodReport, SOURCES_MAX, flood};
use super::legitimate::{self, TCP_TAIL, Tally, UDP_TAIL};
use super::server::{self, Protection};
use super::siege::{Manner, Siege, SiegeReport, besiege, raise_descriptor_limit};
use super::storm::{StormReport, settle, storm};
use super::usage::{Usage, dropped_datagrams, tcp_buffers_kib};
use super::{packets, zone};
use crate::peer::{Kind, Server};

/// Legitimate clients ask alone for so long before the attack begins.
const LEAD: Duration = Duration::from_millis(300);
/// How often socket buffers are looked at.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(50);
/// Descriptors that a process keeps for other things than attacking.
const DESCRIPTORS_KEPT: u64 = 500;
/// Where the connections of a siege come from.
const BESIEGERS: Ipv4Addr = Ipv4Addr::new(127, 16, 0, 1);
/// Connections per address: below the usual limits per client.
const PER_SOURCE: u32 = 32;
/// Resolvers through which a random-subdomain attack comes.
const RESOLVERS: u32 = 200;

/// A way to attack.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Case {
    /// Good questions, all from one address.
    FloodOneSource,
    /// Good questions, from very many addresses.
    FloodManySources,
    /// Names that do not exist, never the same twice, through some hundred resolvers.
    RandomSubdomains,
    /// Questions for ANY at the apex, from one victim's address.
    AmplifyAny,
    /// Questions for a large TXT RRset, from one victim's address.
    AmplifyTxt,
    /// Packets that are no proper queries.
    Malformed,
    /// Connections that say nothing.
    TcpIdle,
    /// Connections that send one octet at a time.
    TcpDrip,
    /// Connections that ask for large answers and never read them.
    TcpDeaf,
    /// A zone that is replaced and reloaded over and over.
    ReloadStorm,
}

impl Case {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::FloodOneSource,
        Self::FloodManySources,
        Self::RandomSubdomains,
        Self::AmplifyAny,
        Self::AmplifyTxt,
        Self::Malformed,
        Self::TcpIdle,
        Self::TcpDrip,
        Self::TcpDeaf,
        Self::ReloadStorm,
    ];

    /// What reports call it.
    pub fn label(self) -> &'static str {
        match self {
            Self::FloodOneSource => "flood, one source",
            Self::FloodManySources => "flood, many sources",
            Self::RandomSubdomains => "random subdomains",
            Self::AmplifyAny => "amplification, ANY",
            Self::AmplifyTxt => "amplification, large TXT",
            Self::Malformed => "malformed packets",
            Self::TcpIdle => "idle TCP connections",
            Self::TcpDrip => "TCP, one octet at a time",
            Self::TcpDeaf => "TCP, never reading",
            Self::ReloadStorm => "reload storm",
        }
    }

    /// Whether the attack comes over TCP, so that clients over TCP are counted as well.
    fn is_siege(self) -> bool {
        matches!(self, Self::TcpIdle | Self::TcpDrip | Self::TcpDeaf)
    }
}

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How long legitimate clients ask under an attack, which goes on until the last of them has its answer or gives up.
    pub time: Duration,
    /// Questions of the legitimate clients over UDP per second, all together.
    pub legitimate_rate: u32,
    /// Packets of a flood per second; `None` for as many as one thread can send.
    pub flood_rate: Option<u32>,
    /// Packets of an amplification attack per second: bounded, so that every reply can be counted.
    pub amplifier_rate: u32,
    /// Addresses of the flood from many.
    pub sources: u32,
    /// Idle connections.
    pub idle_connections: u32,
    /// Connections that drip.
    pub drip_connections: u32,
    /// Connections that never read.
    pub deaf_connections: u32,
    /// Connections opened per second, at most.
    pub opens_per_second: u32,
    /// Between two reloads.
    pub reload_pause: Duration,
}

impl Size {
    /// For every test run: far below what the machine can do, so that the server alone decides who is answered.
    pub const SMALL: Self = Self {
        time: Duration::from_millis(1500),
        legitimate_rate: 500,
        flood_rate: Some(10_000),
        amplifier_rate: 10_000,
        sources: 20_000,
        idle_connections: 3000,
        drip_connections: 400,
        deaf_connections: 200,
        opens_per_second: 3000,
        reload_pause: Duration::from_millis(100),
    };
    /// For figures: floods as fast as one thread can send.
    pub const FULL: Self = Self {
        time: Duration::from_secs(8),
        legitimate_rate: 800,
        flood_rate: None,
        amplifier_rate: 20_000,
        sources: SOURCES_MAX,
        idle_connections: 20_000,
        drip_connections: 4000,
        deaf_connections: 2000,
        opens_per_second: 4000,
        reload_pause: Duration::from_millis(20),
    };
    /// The same in less time.
    pub const QUICK: Self = Self { time: Duration::from_secs(3), ..Self::FULL };
}

/// Where the connections of a siege live.
#[derive(Clone, Debug)]
pub enum Holders {
    /// In this process, as many as its descriptors allow.
    Thread,
    /// In as many processes of this program as their descriptors ask for. It is called with `hold` and the fields of [`Siege`]
    /// as flags, and prints its [`SiegeReport`] as JSON.
    Processes(PathBuf),
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// How much of everything.
    pub size: Size,
    /// Rate limits for clients on loopback as well.
    pub rate_limit: bool,
    /// The servers offer cookies, and the legitimate clients use them.
    pub cookies: bool,
    /// Where the connections of a siege live.
    pub holders: Holders,
}

/// Everything that was counted in one case against one server.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// What was done.
    pub case: Case,
    /// To whom.
    pub server: &'static str,
    /// Seconds of attack.
    pub seconds: f64,
    /// Legitimate clients over UDP.
    pub udp: Tally,
    /// Legitimate clients over TCP, where the attack came that way.
    pub tcp: Option<Tally>,
    /// The attack, if it was a flood.
    pub flood: Option<FloodReport>,
    /// The attack, if it came over TCP.
    pub siege: Option<SiegeReport>,
    /// The attack, if it was a storm of reloads.
    pub storm: Option<StormReport>,
    /// Datagrams that found the server's socket buffers full.
    pub dropped: u64,
    /// What the attack added to the buffers of TCP sockets, at most, in KiB. They belong to the kernel and to no process, and are
    /// those of the whole machine.
    pub socket_kib: u64,
    /// Before the attack.
    pub before: Usage,
    /// Behind it. Its peak is that of the whole run.
    pub after: Usage,
    /// Octets logged during the attack.
    pub log_octets: u64,
}

impl Outcome {
    /// CPU seconds of the server per second of the run.
    pub fn cpu_share(&self) -> f64 {
        (self.after.cpu_seconds - self.before.cpu_seconds) / self.seconds.max(0.001)
    }
}

/// The attack alone.
#[derive(Default)]
struct Attack {
    flood: Option<FloodReport>,
    siege: Option<SiegeReport>,
    storm: Option<StormReport>,
}

/// Runs one case against a fresh server.
///
/// # Errors
/// The server does not start or has ended in the course of it, or the attack cannot be made.
pub fn run(case: Case, kind: Kind, options: &Options) -> Result<Outcome> {
    let context = || format!("{}, {}", case.label(), kind.label());
    let folder = tempfile::tempdir()?;
    let zone_file = folder.path().join("hostile.zone");
    fs::write(&zone_file, zone::text(1))?;
    let protection = Protection {
        rate_limit: options.rate_limit,
        cookies: options.cookies,
        rules: case == Case::ReloadStorm,
    };
    let mut server = server::start(kind, &zone_file, protection).with_context(context)?;
    let SocketAddr::V4(address) = server.address else { anyhow::bail!("an IPv4 address is expected") };

    let size = &options.size;
    let tail = if case.is_siege() { TCP_TAIL } else { UDP_TAIL };
    let until = Instant::now() + LEAD + size.time;
    let outcome = thread::scope(|scope| {
        let udp = scope.spawn(|| legitimate::over_udp(address, size.legitimate_rate, options.cookies, until));
        let tcp = case.is_siege().then(|| scope.spawn(|| legitimate::clients_over_tcp(address, until)));
        thread::sleep(LEAD);
        let sampler = scope.spawn(|| sample_buffers(until));
        let (before, log_before) = (Usage::of(server.id()), server.log_octets());
        let dropped_before = dropped_datagrams(address.port());
        let begin = Instant::now();
        let attack = attack(case, &server, address, &zone_file, options, size.time + tail);
        let seconds = begin.elapsed().as_secs_f64();
        let gone = || anyhow::anyhow!("a thread panicked");
        let udp = udp.join().map_err(|_| gone())??;
        let tcp = tcp.map(|tcp| tcp.join().map_err(|_| gone())).transpose()?;
        let socket_kib = sampler.join().map_err(|_| gone())?;
        let mut attack = attack?;
        if let Some(storm) = &mut attack.storm {
            settle(&server, storm)?;
        }
        anyhow::Ok(Outcome {
            case,
            server: kind.label(),
            seconds,
            udp,
            tcp,
            flood: attack.flood,
            siege: attack.siege,
            storm: attack.storm,
            dropped: dropped_datagrams(address.port()).saturating_sub(dropped_before),
            socket_kib,
            before,
            after: Usage::of(server.id()),
            log_octets: server.log_octets() - log_before,
        })
    })
    .with_context(context)?;
    server.check_running().with_context(context)?;
    Ok(outcome)
}

/// How much the buffers of TCP sockets grow until the end, at most.
fn sample_buffers(until: Instant) -> u64 {
    let before = tcp_buffers_kib();
    let mut peak = before;
    while Instant::now() < until {
        thread::sleep(SAMPLE_INTERVAL);
        peak = peak.max(tcp_buffers_kib());
    }
    peak - before
}

fn attack(
    case: Case,
    server: &Server,
    target: SocketAddrV4,
    zone_file: &std::path::Path,
    options: &Options,
    time: Duration,
) -> Result<Attack> {
    let size = &options.size;
    let plan = |sources, rate| Flood { target, sources, rate, time };
    let repeated = |plan: Flood, packets: Vec<Vec<u8>>| {
        flood(&plan, |number, packet| packet.extend(&packets[number as usize % packets.len()]))
    };
    let siege = |manner, connections| {
        let plan = Siege {
            target,
            manner,
            connections,
            first_source: BESIEGERS,
            per_source: PER_SOURCE,
            opens_per_second: size.opens_per_second,
            time,
        };
        hold(&plan, &options.holders).map(|siege| Attack { siege: Some(siege), ..Attack::default() })
    };
    let flood = match case {
        Case::FloodOneSource => repeated(plan(1, size.flood_rate), packets::questions())?,
        Case::FloodManySources => repeated(plan(size.sources, size.flood_rate), packets::questions())?,
        Case::RandomSubdomains => {
            let mut random = Random::new(0x7261_6e64);
            flood(&plan(RESOLVERS, size.flood_rate), |number, packet| {
                packets::random_subdomain(&mut random, number, packet);
            })?
        }
        Case::AmplifyAny => {
            repeated(plan(1, Some(size.amplifier_rate)), vec![packets::amplifier(None, RecordType::ANY)])?
        }
        Case::AmplifyTxt => {
            let question = packets::amplifier(Some("large"), RecordType::TXT);
            repeated(plan(1, Some(size.amplifier_rate)), vec![question])?
        }
        // From many addresses, so that limits for one do not hide what a packet costs.
        Case::Malformed => repeated(plan(RESOLVERS, size.flood_rate), packets::malformed())?,
        Case::TcpIdle => return siege(Manner::Idle, size.idle_connections),
        Case::TcpDrip => return siege(Manner::Drip, size.drip_connections),
        Case::TcpDeaf => return siege(Manner::Deaf, size.deaf_connections),
        Case::ReloadStorm => {
            let storm = storm(server, zone_file, size.reload_pause, time)?;
            return Ok(Attack { storm: Some(storm), ..Attack::default() });
        }
    };
    Ok(Attack { flood: Some(flood), ..Attack::default() })
}

/// Runs a siege in this process or, where it has too many connections for one, in several.
fn hold(plan: &Siege, holders: &Holders) -> Result<SiegeReport> {
    let allowed = raise_descriptor_limit().saturating_sub(DESCRIPTORS_KEPT).max(1) as u32;
    let Holders::Processes(program) = holders else {
        return besiege(&Siege { connections: plan.connections.min(allowed), ..*plan });
    };
    let parts = plan.connections.div_ceil(allowed);
    let share = plan.connections.div_ceil(parts);
    let children = (0..parts).map(|part| {
        let first = BESIEGERS.to_bits() + part * share.div_ceil(plan.per_source);
        let manner = plan.manner.to_possible_value().context("every manner has a name")?;
        let mut command = Command::new(program);
        command.args(["hold", "--target", &plan.target.to_string(), "--manner", manner.get_name()]);
        command.args(["--connections", &share.to_string(), "--per-source", &plan.per_source.to_string()]);
        command.args(["--first-source", &Ipv4Addr::from_bits(first).to_string()]);
        command.args(["--opens-per-second", &(plan.opens_per_second / parts).to_string()]);
        command.args(["--millis", &plan.time.as_millis().to_string()]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        child.with_context(|| format!("starting {}", program.display()))
    });
    let children = children.collect::<Result<Vec<_>>>()?;
    let mut report = SiegeReport::default();
    for child in children {
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "a part of the siege: {}", output.status);
        report.add(&serde_json::from_slice(&output.stdout).context("what a part of the siege said")?);
    }
    Ok(report)
}
