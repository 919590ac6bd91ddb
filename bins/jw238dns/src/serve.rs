//! `jw238dns serve`.

use std::fs::File;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::ExitCode;

use dns_server::config::{Zone, ZoneContent};
use dns_server::dns_core::{self, ZoneEntry};
use dns_server::files::Touched;
use dns_server::store::Store;
use dns_server::{Config, Loaded, Running, Server, Update};
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::ServeArgs;
use crate::{exit, process, progress, settings, telemetry, watch};

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
    if let Err(error) = process::check_config(settings::files_read(&args.source, &loaded.config)) {
        return exit::usage(&error);
    }
    process::restrict_new_files();
    process::provide_descriptors(&loaded.config);
    // Before there is any other thread, and before a zone is read.
    if let Err(error) = process::become_user(loaded.config.user.as_deref()) {
        return exit::usage(&error);
    }
    check_readable(&args, &loaded.config);
    let mut builder = runtime::Builder::new_multi_thread();
    // A thread that keeps what it should not is found once everything is bound.
    builder.worker_threads(2).enable_all().on_thread_start(|| drop(process::drop_capabilities()));
    let runtime = match builder.build() {
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
    let mut files = watch::Files::new(args, &config).await;
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
    if let Err(error) = process::drop_capabilities().and_then(|()| process::check_threads()) {
        return exit::failure(&error);
    }
    let loaded = server.loaded().clone();
    let running = match server.start() {
        Ok(running) => running,
        Err(error) => return exit::failure(&error),
    };
    let status = log_update("loaded", &loaded, running.store());
    announce(&running, question(&loaded));
    files.watch(args, &running);
    process::service::ready(&status);
    let mut requests = running.reload_requests();
    let reloads = async {
        loop {
            let mut request = None;
            tokio::select! {
                asked = requests.recv() => request = asked,
                // Whoever moves log files away counts on this, also while the configuration has a mistake.
                _ = hangup.recv() => running.reopen_query_log(),
                () = files.changed() => {
                    if reload_files(args, &running, &mut files).await {
                        continue;
                    }
                }
            }
            // What was touched is about to be read.
            files.take_touched();
            let update = reload(args, &running, &mut files).await;
            if let Some(request) = request {
                request.answer(update);
            }
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = reloads => {}
        () = process::watch_over(&running) => {}
    }
    tracing::info!("stopping");
    process::service::stopping();
    running.shutdown().await;
    tracing::info!("stopped");
    ExitCode::SUCCESS
}

/// Reads only what was touched; returns whether that is enough. With very many zones, looking at all of them takes seconds.
async fn reload_files(args: &ServeArgs, running: &Running, files: &mut watch::Files) -> bool {
    let Touched::Files(paths) = files.take_touched() else { return false };
    let Some(update) = running.reload_files(paths).await else { return false };
    log_changes("reloaded", &update);
    if update.other_files {
        files.watch(args, running);
    }
    true
}

async fn reload(args: &ServeArgs, running: &Running, files: &mut watch::Files) -> Update {
    process::service::reloading();
    let loaded = settings::load_to_serve(args).map_err(|errors| errors.to_string()).and_then(|loaded| {
        process::check_config(settings::files_read(&args.source, &loaded.config))
            .map_err(|error| error.to_string())?;
        Ok(loaded)
    });
    let (status, update) = match loaded {
        Ok(loaded) => {
            warn(&loaded);
            files.watch_as_well(&loaded.config);
            let mut update = running.reload(loaded.config).await;
            let status = log_update("reloaded", &update, running.store());
            // Logged already: whoever has asked for the reload is told of it as well.
            update.warnings.extend(loaded.warnings.iter().map(ToString::to_string));
            update.warnings.extend(files.watch(args, running));
            (status, update)
        }
        Err(errors) => {
            running.count_failed_reload();
            for error in errors.lines() {
                tracing::error!("{error}");
            }
            tracing::error!("the configuration was not reloaded: what was served before is still served");
            let status = "serving what was there before: the configuration was not reloaded".to_owned();
            let problems = errors.lines().map(str::to_owned).collect();
            (status, Update { problems, ..Update::default() })
        }
    };
    process::service::ready(&status);
    update
}

/// Warns of files that were read by another user than the one who will have to read them again.
fn check_readable(args: &ServeArgs, config: &Config) {
    for path in settings::files_read(&args.source, config) {
        if let Err(error) = File::open(path)
            && error.kind() == ErrorKind::PermissionDenied
        {
            tracing::warn!(
                "{}: the user whom the server runs as may not read it: reloading will fail",
                path.display()
            );
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

/// Tells what has changed.
fn log_changes(what: &str, update: &Update) {
    for warning in &update.warnings {
        tracing::warn!("{warning}");
    }
    for problem in update.problems.iter().flat_map(|problem| problem.lines()) {
        tracing::error!("{problem}");
    }
    for key in &update.restart_keys {
        tracing::warn!(key, "has changed, which takes effect with the next start");
    }
    tracing::info!(
        zones_loaded = update.loaded.len(),
        zones_dropped = update.dropped.len(),
        zones_unchanged = update.unchanged,
        problems = update.problems.len(),
        "{what}"
    );
}

/// Tells what has come of loading; returns it in a few words.
fn log_update(what: &str, update: &Update, store: &Store) -> String {
    log_changes(what, update);
    let catalog = store.snapshot();
    let zones = || catalog.views().iter().flat_map(|view| view.zones());
    let records: usize = zones().filter_map(ZoneEntry::zone).map(dns_core::zone::Zone::record_count).sum();
    let (all, served) = (zones().count(), zones().filter(|zone| zone.zone().is_some()).count());
    tracing::info!(zones = served, zones_failed = all - served, records, "serving");
    if all == 0 {
        tracing::warn!("there are neither zones nor records: every question will be refused");
    }
    let status = format!("serving {served} zones with {records} records");
    match update.problems.len() {
        0 => status,
        problems => format!("{status}, {problems} problems"),
    }
}

/// Says where answers are to be had, and how to try one.
fn announce(running: &Running, question: Option<String>) {
    for address in running.dns_addresses() {
        tracing::info!(%address, "answering DNS over UDP and TCP");
    }
    for address in running.http_addresses() {
        let api = if running.has_api() { " /api/v1" } else { "" };
        tracing::info!(%address, "answering HTTP: /metrics /health /ready{api}");
        if running.has_api() && !running.has_tls() && !address.ip().is_loopback() {
            tracing::warn!(%address, "tokens travel unprotected, as api.tls is not set");
        }
    }
    if let (Some(address), Some(question)) = (running.dns_addresses().first(), question) {
        tracing::info!("try: dig @{} -p {} {question}", process::reachable(address.ip()), address.port());
    }
    if let (Some(address), Some(token)) = (running.http_addresses().first(), running.new_admin_token()) {
        let (token, scheme) = (token.display(), if running.has_tls() { "https" } else { "http" });
        let host = SocketAddr::new(process::reachable(address.ip()), address.port());
        // Told once, so whatever the log leaves out: it is found nowhere else.
        if tracing::enabled!(tracing::Level::INFO) {
            tracing::info!("the token for the API is in {token}");
        } else {
            eprintln!("the token for the API is in {token}");
        }
        tracing::info!(
            "try: curl -H \"Authorization: Bearer $(cat {token})\" {scheme}://{host}/api/v1/records"
        );
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
