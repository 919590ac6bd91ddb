//! `jw238dns serve`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;

use dns_server::config::{Zone, ZoneContent};
use dns_server::dns_core::{self, ZoneEntry};
use dns_server::store::Store;
use dns_server::{Config, Loaded, Running, Server, Update};
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::ServeArgs;
use crate::{exit, progress, settings, telemetry, watch};

/// Serves until a signal says to stop.
pub fn run(args: &ServeArgs) -> ExitCode {
    let mut args = args.clone();
    settings::choose_file(&mut args.source);
    let loaded = match settings::load_to_serve(&args) {
        Ok(loaded) => loaded,
        Err(errors) => return exit::usage(&errors), // before any port is bound
    };
    telemetry::init(loaded.config.log);
    warn(&loaded);
    let runtime = match runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit::failure(&error),
    };
    let code = runtime.block_on(serve(&args, loaded.config));
    // Whoever stops us while zones load need not wait for them.
    runtime.shutdown_background();
    code
}

async fn serve(args: &ServeArgs, config: Config) -> ExitCode {
    // Installed first: whoever starts us may signal at any moment.
    let (mut hangup, mut terminate, mut interrupt) = match signals() {
        Ok(signals) => signals,
        Err(error) => return exit::failure(&error),
    };
    // Watched before they are read, so that no change is missed.
    let mut files = watch::Files::new(args, &config);
    let question = question(&config);
    tracing::info!("loading");
    let build = progress::shown("loading zones", Server::build(config));
    let server = tokio::select! {
        built = build => match built {
            Ok(server) => server,
            Err(error) => return exit::failure(&error),
        },
        _ = terminate.recv() => return ExitCode::SUCCESS,
        _ = interrupt.recv() => return ExitCode::SUCCESS,
    };
    let loaded = server.loaded().clone();
    let running = match server.start() {
        Ok(running) => running,
        Err(error) => return exit::failure(&error),
    };
    log_update("loaded", &loaded, running.store());
    announce(&running, question(&loaded));
    files.watch(args, &running);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => {}
            () = files.changed() => {}
        }
        tokio::select! {
            () = reload(args, &running, &mut files) => {}
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    tracing::info!("stopping");
    running.shutdown().await;
    tracing::info!("stopped");
    ExitCode::SUCCESS
}

async fn reload(args: &ServeArgs, running: &Running, files: &mut watch::Files) {
    match settings::load_to_serve(args) {
        Ok(loaded) => {
            warn(&loaded);
            files.watch_as_well(&loaded.config);
            log_update("reloaded", &running.reload(loaded.config).await, running.store());
            files.watch(args, running);
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

fn log_update(what: &str, update: &Update, store: &Store) {
    for warning in &update.warnings {
        tracing::warn!("{warning}");
    }
    for problem in update.problems.iter().flat_map(|problem| problem.lines()) {
        tracing::error!("{problem}");
    }
    for key in &update.restart_keys {
        tracing::warn!(key, "has changed, which takes effect with the next start");
    }
    let catalog = store.snapshot();
    let zones = || catalog.views().iter().flat_map(|view| view.zones());
    let records: usize = zones().filter_map(ZoneEntry::zone).map(dns_core::zone::Zone::record_count).sum();
    tracing::info!(
        zones_loaded = update.loaded.len(),
        zones_dropped = update.dropped.len(),
        zones_unchanged = update.unchanged,
        problems = update.problems.len(),
        "{what}"
    );
    let (all, served) = (zones().count(), zones().filter(|zone| zone.zone().is_some()).count());
    tracing::info!(zones = served, zones_failed = all - served, records, "serving");
    if all == 0 {
        tracing::warn!("there are neither zones nor records: every question will be refused");
    }
}

/// Says where answers are to be had, and how to try one.
fn announce(running: &Running, question: Option<String>) {
    for address in running.dns_addresses() {
        tracing::info!(%address, "answering DNS over UDP and TCP");
    }
    for address in running.http_addresses() {
        tracing::info!(%address, "answering HTTP: /metrics /health /ready");
    }
    if let (Some(address), Some(question)) = (running.dns_addresses().first(), question) {
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

/// A question that has an answer, from what the configuration says and what has come of it.
fn question(config: &Config) -> impl FnOnce(&Update) -> Option<String> + use<> {
    let is_text = |zone: &&Zone| matches!(zone.content, ZoneContent::Text(_));
    let sample = config.zones.iter().find(is_text).map(|zone| format!("www.{}", zone.name));
    let record = config.records.first().map(|rrset| format!("{} {}", rrset.owner(), rrset.rtype()));
    move |loaded| {
        let zone = || loaded.loaded.first().map(|apex| format!("{apex} SOA"));
        sample.or_else(zone).or(record)
    }
}
