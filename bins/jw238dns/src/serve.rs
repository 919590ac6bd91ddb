//! `jw238dns serve`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;

use dns_server::config::{Zone, ZoneContent};
use dns_server::{Config, Loaded, Running, Server, Update};
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::ServeArgs;
use crate::{exit, settings, telemetry, watch};

/// Serves until a signal says to stop.
pub fn run(args: &ServeArgs) -> ExitCode {
    let loaded = match settings::load_to_serve(args) {
        Ok(loaded) => loaded,
        Err(errors) => return exit::usage(&errors), // before any port is bound
    };
    telemetry::init(loaded.config.log);
    warn(&loaded);
    let runtime = match runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::failure(&error),
    };
    runtime.block_on(serve(args, loaded.config))
}

async fn serve(args: &ServeArgs, config: Config) -> ExitCode {
    // Installed first: whoever starts us may signal at any moment.
    let (mut hangup, mut terminate, mut interrupt) = match signals() {
        Ok(signals) => signals,
        Err(error) => return exit::failure(&error),
    };
    let question = question(&config);
    let server = match Server::build(config).await {
        Ok(server) => server,
        Err(error) => return exit::failure(&error),
    };
    log_update("loaded", server.loaded());
    announce(server.dns_addresses(), &server.http_addresses(), &question);
    let running = match server.start() {
        Ok(running) => running,
        Err(error) => return exit::failure(&error),
    };
    let mut files = watch::Files::new(args, &running);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {}
            () = files.changed() => {}
        }
        reload(args, &running).await;
        files.watch(args, &running);
    }
    tracing::info!("stopping");
    running.shutdown().await;
    ExitCode::SUCCESS
}

async fn reload(args: &ServeArgs, running: &Running) {
    match settings::load_to_serve(args) {
        Ok(loaded) => {
            warn(&loaded);
            log_update("reloaded", &running.reload(loaded.config).await);
        }
        Err(errors) => {
            running.count_failed_reload();
            for error in errors.to_string().lines() {
                tracing::error!("{error}");
            }
            tracing::error!("the configuration was not reloaded: what was served before is still served");
        }
    }
}

fn signals() -> std::io::Result<(Signal, Signal, Signal)> {
    Ok((signal(SignalKind::hangup())?, signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?))
}

fn warn(loaded: &Loaded) {
    for warning in &loaded.warnings {
        tracing::warn!(place = %warning.place, key = warning.key, "{}", warning.message);
    }
}

fn log_update(what: &str, update: &Update) {
    for warning in &update.warnings {
        tracing::warn!("{warning}");
    }
    for problem in update.problems.iter().flat_map(|problem| problem.lines()) {
        tracing::error!("{problem}");
    }
    for key in &update.restart_keys {
        tracing::warn!(key, "has changed, which takes effect with the next start");
    }
    let (loaded, dropped, unchanged) = (update.loaded.len(), update.dropped.len(), update.unchanged);
    tracing::info!(
        zones_loaded = loaded,
        zones_dropped = dropped,
        zones_unchanged = unchanged,
        problems = update.problems.len(),
        "{what}"
    );
}

/// Says where answers are to be had, and how to try one.
fn announce(dns: &[SocketAddr], http: &[SocketAddr], question: &str) {
    for address in dns {
        tracing::info!(%address, "answering DNS over UDP and TCP");
    }
    for address in http {
        tracing::info!(%address, "answering HTTP: /metrics /health /ready");
    }
    if let Some(address) = dns.first() {
        tracing::info!("try: dig @{} -p {} {question}", reachable(address.ip()), address.port());
    }
}

/// An address that a client on this machine can ask.
fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    }
}

/// A question that the configuration has an answer to.
fn question(config: &Config) -> String {
    let is_sample = |zone: &Zone| matches!(zone.content, ZoneContent::Text(_));
    match (config.zones.first(), config.records.first()) {
        (Some(zone), _) if is_sample(zone) => format!("www.{}", zone.name),
        (Some(zone), _) => format!("{} SOA", zone.name),
        (None, Some(rrset)) => format!("{} {}", rrset.owner(), rrset.rtype()),
        (None, None) => "example.org. SOA".to_owned(),
    }
}
