//! Logs go to the standard error.

use std::io::{IsTerminal, stderr};
use std::panic;
use std::path::Path;

use dns_server::config::{Log, LogFormat, LogLevel};
use tracing::dispatcher;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging; the first call counts.
pub fn init(log: Log) {
    let level = match log.level {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let builder =
        tracing_subscriber::fmt().with_max_level(level).with_writer(stderr).with_ansi(stderr().is_terminal());
    // It fails only where a logger is there already, which then goes on.
    let _ = match log.format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}

/// Tells panics of the database in a line each. It panics over pages that are damaged; whoever reads them catches that, and says
/// what to do. All other panics are told as ever.
pub fn shorten_database_panics() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |panic| match panic.location() {
        Some(place) if is_of_database(place.file()) => {
            let why = panic.payload_as_str().unwrap_or("no reason given");
            if dispatcher::has_been_set() {
                tracing::warn!(%place, why, "the database cannot make sense of its file");
            } else {
                eprintln!("jw238dns: the database cannot make sense of its file: {why} ({place})");
            }
        }
        _ => usual(panic),
    }));
}

/// A source file of the database: folders of packages have the name of the package and its version.
fn is_of_database(file: &str) -> bool {
    let mut folders = Path::new(file).iter().filter_map(|folder| folder.to_str());
    folders.any(|folder| folder == "redb" || folder.starts_with("redb-"))
}
