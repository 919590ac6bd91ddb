//! `cargo xtask fuzz`: cargo-fuzz on the stable compiler, for a bounded time.

use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result, bail, ensure};

use crate::shell;

/// Above every corpus entry that matters, and small enough that libFuzzer stays quick.
const INPUT_OCTETS_MAX: u32 = 65_536;

/// What `cargo xtask fuzz` takes.
#[derive(clap::Args)]
pub struct Args {
    /// Time for each target.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// The target; all of them without it.
    target: Option<String>,
}

/// Fuzzes each target in turn and fails at the first crash, which cargo-fuzz keeps under `fuzz/artifacts`.
pub fn run(args: &Args) -> Result<()> {
    let all = targets()?;
    let chosen = match &args.target {
        Some(target) if all.contains(target) => vec![target.clone()],
        Some(target) => bail!("no fuzz target {target:?}; there are {}", all.join(", ")),
        None => all,
    };
    ensure!(shell::find_program("c++").is_some(), "libFuzzer needs a C++ compiler (Debian package g++)");
    if !shell::succeeds(shell::cargo().args(["fuzz", "--version"])) {
        eprintln!("cargo-fuzz is not installed: installing it, which takes a minute or two");
        shell::run(shell::cargo().args(["install", "cargo-fuzz", "--locked"]))?;
    }
    for target in &chosen {
        // Found inputs grow under target/, so that the committed seeds stay few and small.
        let folder = shell::root().join("fuzz");
        let found = folder.join("target/corpus").join(target);
        fs::create_dir_all(&found).with_context(|| format!("cannot create {}", found.display()))?;
        let mut command = fuzz_command();
        command.args(["fuzz", "run", target.as_str()]).arg(&found);
        let seeds = folder.join("corpus").join(target);
        if seeds.is_dir() {
            command.arg(seeds);
        }
        command.arg("--").arg(format!("-max_total_time={}", args.seconds)).arg("-timeout=10");
        command.arg(format!("-max_len={INPUT_OCTETS_MAX}")).arg("-rss_limit_mb=2048");
        shell::run(&mut command).with_context(|| format!("fuzz target {target} found something"))?;
    }
    println!("fuzzed {} for {} s each: no crash", chosen.join(", "), args.seconds);
    Ok(())
}

/// The targets: the files of `fuzz/fuzz_targets`.
fn targets() -> Result<Vec<String>> {
    let folder = shell::root().join("fuzz/fuzz_targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut targets = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            targets.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    targets.sort();
    Ok(targets)
}

/// Cargo with the sanitizer flags of nightly allowed on stable.
fn fuzz_command() -> Command {
    let mut command = shell::cargo();
    command.env("RUSTC_BOOTSTRAP", "1");
    // Its build is the fuzz workspace's own: another target folder would be shared with other flags.
    if env::var_os("CARGO_TARGET_DIR").is_some() {
        command.env_remove("CARGO_TARGET_DIR");
    }
    command
}
