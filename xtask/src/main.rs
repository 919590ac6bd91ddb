//! Commands for working on jw238dns: `cargo xtask <command>`.

mod bench;
mod count;
mod fuzz;
mod hostile;
mod peers;
mod schemathesis;
mod shell;
mod shuttle;
mod test;
mod text;
mod tidy;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Commands for working on jw238dns.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs every test; as root with apt, installs the name servers that serve as peers first.
    Test(test::Args),
    /// Checks what the compiler cannot: crate arrows, file sizes, where unsafe code may stand.
    Tidy(tidy::Args),
    /// Fuzzes the parsers of untrusted bytes, for a bounded time.
    Fuzz(fuzz::Args),
    /// Tests the store's threads under every turn they may take; builds it anew in a folder of its own.
    Shuttle,
    /// Measures ours against the echo floor and other servers, side by side.
    Bench(bench::Args),
    /// Counts the instructions of answers under valgrind; fails if any kind of answer takes more than its limit.
    Count(count::Args),
    /// Asks the API everything its description allows, and much that it does not.
    ConformApi(schemathesis::Args),
    /// Attacks ours, Knot and NSD on loopback, and writes down what legitimate clients still get.
    Hostile(hostile::Args),
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Command::Test(args) => test::run(&args),
        Command::Tidy(args) => tidy::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Shuttle => shuttle::run(),
        Command::Bench(args) => bench::run(&args),
        Command::Count(args) => count::run(&args),
        Command::ConformApi(args) => schemathesis::run(&args),
        Command::Hostile(args) => hostile::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
