//! A DNS server for people who run platforms.

mod args;
mod check;
mod completions;
mod exit;
mod explain;
mod format;
mod process;
mod progress;
mod serve;
mod settings;
mod telemetry;
mod watch;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match Args::parse().into_command() {
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Format { file, origin } => format::run(&file, origin),
        Command::Completions { shell } => completions::run(shell),
    }
}
