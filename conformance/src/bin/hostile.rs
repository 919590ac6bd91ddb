//! The hostile-traffic suite at full size: `hostile run` attacks every server in every way and writes what came of it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{Parser, Subcommand, ValueEnum};
use conformance::hostile::{
    Case, Holders, Manner, Options, Outcome, Siege, Size, besiege, json, markdown, raise_descriptor_limit,
    run, text,
};
use conformance::peer::Kind;

/// What the legitimate clients of our server get in the end, in percent, at least.
const ANSWERED_PERCENT_MIN: f64 = 99.0;

/// Attacks name servers on loopback, and counts what their legitimate clients get.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Runs the cases against our server, Knot and NSD.
    Run(RunArgs),
    /// Holds connections open; started by `run`, since one process may not have enough descriptors.
    #[command(hide = true)]
    Hold(HoldArgs),
}

#[derive(clap::Args)]
struct RunArgs {
    /// Shorter attacks.
    #[arg(long)]
    quick: bool,
    /// Only this case; may be given several times.
    #[arg(long = "case", value_enum)]
    cases: Vec<Case>,
    /// Leaves the other servers out.
    #[arg(long)]
    ours_only: bool,
    /// Whose rate limits and cookies are switched on.
    #[arg(long, value_enum, default_value = "all")]
    protected: Protected,
    /// Writes the table as Markdown to this file.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Writes every figure as JSON to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Who has rate limits and cookies.
#[derive(Clone, Copy, Eq, PartialEq, ValueEnum)]
enum Protected {
    /// All servers.
    All,
    /// The others; ours runs without.
    Peers,
    /// Nobody.
    None,
}

impl Protected {
    fn includes(self, kind: Kind) -> bool {
        match self {
            Self::All => true,
            Self::Peers => kind != Kind::Subject,
            Self::None => false,
        }
    }
}

#[derive(clap::Args)]
struct HoldArgs {
    #[arg(long)]
    target: SocketAddrV4,
    #[arg(long, value_enum)]
    manner: Manner,
    #[arg(long)]
    connections: u32,
    #[arg(long)]
    first_source: Ipv4Addr,
    #[arg(long)]
    per_source: u32,
    #[arg(long)]
    opens_per_second: u32,
    #[arg(long)]
    millis: u64,
}

fn main() -> ExitCode {
    let result = match Args::parse().command {
        Action::Run(args) => attack_all(&args),
        Action::Hold(args) => hold(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn hold(args: &HoldArgs) -> Result<()> {
    raise_descriptor_limit();
    let report = besiege(&Siege {
        target: args.target,
        manner: args.manner,
        connections: args.connections,
        first_source: args.first_source,
        per_source: args.per_source,
        opens_per_second: args.opens_per_second,
        time: Duration::from_millis(args.millis),
    })?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

fn attack_all(args: &RunArgs) -> Result<()> {
    let options = Options {
        size: if args.quick { Size::QUICK } else { Size::FULL },
        rate_limit: true,
        cookies: true,
        holders: Holders::Processes(std::env::current_exe().context("our own program")?),
    };
    let plain = Options { rate_limit: false, cookies: false, ..options.clone() };
    let cases = if args.cases.is_empty() { Case::ALL.to_vec() } else { args.cases.clone() };
    let kinds = if args.ours_only { &[Kind::Subject][..] } else { &[Kind::Subject, Kind::Knot, Kind::Nsd] };
    let mut outcomes = Vec::new();
    let mut failures = Vec::new();
    for case in cases {
        for kind in kinds {
            match run(case, *kind, if args.protected.includes(*kind) { &options } else { &plain }) {
                Ok(outcome) => {
                    // Shown as soon as it is known: the whole run takes minutes.
                    print!("{}", text(std::slice::from_ref(&outcome)));
                    failures.extend(shortfall(&outcome));
                    outcomes.push(outcome);
                }
                Err(error) => failures.push(format!("{error:#}")),
            }
        }
    }
    println!("\n{}", text(&outcomes));
    if let Some(file) = &args.markdown {
        let page = format!("{HEAD}{}", markdown(&outcomes));
        fs::write(file, page).with_context(|| format!("writing {}", file.display()))?;
    }
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&json(&outcomes))? + "\n";
        fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// What our server owes its legitimate clients and did not give.
fn shortfall(outcome: &Outcome) -> Option<String> {
    let tallies = [("UDP", Some(&outcome.udp)), ("TCP", outcome.tcp.as_ref())];
    let short = tallies.into_iter().filter_map(|(transport, tally)| {
        let percent = tally?.answered_percent();
        (percent < ANSWERED_PERCENT_MIN).then(|| format!("{percent:.2} % over {transport}"))
    });
    let short: Vec<_> = short.collect();
    let is_ours = outcome.server == Kind::Subject.label();
    (is_ours && !short.is_empty()).then(|| format!("{}: {}", outcome.case.label(), short.join(", ")))
}

/// What stands above the table.
const HEAD: &str = include_str!("../hostile/HEAD.md");
