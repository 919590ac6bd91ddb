//! `cargo xtask hostile`: attacks on our server, Knot and NSD, and what their legitimate clients still get.

use anyhow::{Result, ensure};

use crate::{peers, shell};

/// What `cargo xtask hostile` takes.
#[derive(clap::Args)]
pub struct Args {
    /// Shorter attacks: about four minutes instead of seven.
    #[arg(long)]
    quick: bool,
    /// Passed on to the suite, as in `-- --ours-only --case tcp-idle`; with any of these, nothing is written.
    #[arg(last = true)]
    rest: Vec<String>,
}

/// Builds what users get, installs the peers, runs every case, and writes the figures into the `conformance` folder.
pub fn run(args: &Args) -> Result<()> {
    if !peers::can_install() {
        let missing: Vec<_> = peers::HOSTILE_PEERS.iter().flat_map(peers::Peer::missing).collect();
        ensure!(missing.is_empty(), "{} not installed, and apt needs root", missing.join(" and "));
    }
    peers::install(peers::HOSTILE_PEERS)?;
    let mut build = shell::cargo();
    build.args([
        "build",
        "--release",
        "--package",
        "jw238dns",
        "--package",
        "jw238dns-conformance",
        "--bins",
    ]);
    shell::run(&mut build)?;

    let programs = shell::target_folder().join("release");
    let mut suite = std::process::Command::new(programs.join("hostile"));
    suite.arg("run").args(&args.rest).env("TEST_SUBJECT", programs.join("jw238dns"));
    if args.quick {
        suite.arg("--quick");
    }
    if args.rest.is_empty() {
        let folder = shell::root().join("conformance");
        suite.arg("--markdown").arg(folder.join("HOSTILE.md"));
        suite.arg("--json").arg(folder.join("hostile.json"));
    }
    shell::run(&mut suite)
}
