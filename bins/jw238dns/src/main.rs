//! A DNS server for people who run platforms.

mod args;
mod check;
mod completions;
mod exit;
mod format;
mod settings;
mod telemetry;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command, ServeArgs};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Args::parse().into_command() {
        Command::Serve(args) => serve(&args),
        Command::Check(args) => check::run(&args),
        Command::Format { file, origin } => format::run(&file, origin),
        Command::Completions { shell } => completions::run(shell),
    }
}

fn serve(args: &ServeArgs) -> ExitCode {
    let loaded = match settings::load_to_serve(args) {
        Ok(loaded) => loaded,
        Err(errors) => return exit::usage(&errors), // before any port is bound
    };
    telemetry::init(loaded.config.log);
    for warning in &loaded.warnings {
        tracing::warn!(place = %warning.place, key = warning.key, "{}", warning.message);
    }
    exit::failure(&"this build has no listeners")
}
