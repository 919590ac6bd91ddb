//! `cargo xtask test`: every test there is, peers included where they can be had.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::peers::{self, Peer, TEST_PEERS, VALGRIND};
use crate::{count, schemathesis, shell, shuttle};

/// Tells the tests whether a missing peer is a failure (`required`) or a named skip (`optional`).
const PEERS_VARIABLE: &str = "TEST_PEERS";
/// Tells the comparisons with other servers which program is ours.
pub const SUBJECT_VARIABLE: &str = "TEST_SUBJECT";
/// Tells the slow suites to run at their full sizes.
const HEAVY_VARIABLE: &str = "TEST_HEAVY";
/// Cases per property with `--heavy`; proptest's own default is 256.
const HEAVY_PROPTEST_CASES: &str = "4096";

/// What `cargo xtask test` takes.
#[derive(clap::Args)]
pub struct Args {
    /// Runs the slow suites at their full sizes: minutes become an hour.
    #[arg(long)]
    heavy: bool,
}

/// Installs what is missing, runs the tests of all crates, then the examples in their documentation.
pub fn run(args: &Args) -> Result<()> {
    let (peers, mut skips) = provide_peers()?;
    let runner = provide_counting(&mut skips)?;
    let schemathesis = provide_schemathesis(&mut skips)?;
    for skip in &skips {
        println!("{skip}");
    }
    let subject = shell::target_folder().join("ci").join("jw238dns");
    let environment = |command: &mut Command| {
        command.env(PEERS_VARIABLE, peers);
        // Built along with the tests, for those of the program itself; asking cargo again would build it with fewer features
        // of its dependencies, and so all of them once more.
        command.env(SUBJECT_VARIABLE, &subject);
        if args.heavy {
            command.env(HEAVY_VARIABLE, "1");
            if env::var_os("PROPTEST_CASES").is_none() {
                command.env("PROPTEST_CASES", HEAVY_PROPTEST_CASES);
            }
        }
    };

    // The replay of the fuzz corpora is a test of the workspace like any other (fuzz/bodies/tests/replay.rs).
    let mut tests = shell::cargo();
    if shell::succeeds(shell::cargo().args(["nextest", "--version"])) {
        tests.args(["nextest", "run", "--workspace", "--cargo-profile", "ci"]);
    } else {
        eprintln!("cargo-nextest is not installed: the tests run under plain cargo test");
        tests.args([
            "test",
            "--workspace",
            "--profile",
            "ci",
            "--no-fail-fast",
            "--lib",
            "--bins",
            "--tests",
        ]);
        tests.arg("--examples");
    }
    environment(&mut tests);
    let mut doc_tests = shell::cargo();
    doc_tests.args(["test", "--workspace", "--profile", "ci", "--no-fail-fast", "--doc"]);
    environment(&mut doc_tests);

    // Each once, to see that they still run; like the tests, without `--bench`, they measure nothing.
    let mut benchmarks = shell::cargo();
    benchmarks.args(["test", "--workspace", "--profile", "ci", "--bench", "speed"]);

    // All run, so that one look shows all that is broken.
    let mut outcomes = vec![shell::run(&mut tests), shell::run(&mut doc_tests), shell::run(&mut benchmarks)];
    if let Some(schemathesis) = schemathesis {
        outcomes.push(schemathesis::conform(&schemathesis, &subject, schemathesis::EXAMPLES));
    }
    if let Some(runner) = runner {
        outcomes.push(count::count(&runner));
    }
    if args.heavy {
        outcomes.push(shuttle::run());
    }
    let failures: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
    for failure in &failures {
        eprintln!("{failure:#}");
    }
    if !failures.is_empty() {
        bail!("tests failed");
    }
    for skip in &skips {
        println!("{skip}");
    }
    println!("all tests passed{}", if skips.is_empty() { "" } else { ", but for those skipped" });
    Ok(())
}

/// Installs the peers where we may. Returns the value to tell the tests, and a line for each suite that is skipped.
fn provide_peers() -> Result<(&'static str, Vec<String>)> {
    let insists = env::var(PEERS_VARIABLE).is_ok_and(|value| value == "required");
    let asked_to_skip = env::var(PEERS_VARIABLE).is_ok_and(|value| value == "optional");
    let mut refusal = None;
    if !asked_to_skip && peers::can_install() {
        refusal = peers::install(TEST_PEERS).err();
    }
    let missing: Vec<_> = TEST_PEERS.iter().filter(|peer| !peer.missing().is_empty()).collect();
    if missing.is_empty() {
        return Ok(("required", Vec::new()));
    }
    if asked_to_skip {
        eprintln!("{PEERS_VARIABLE}=optional: missing peers are not installed");
    } else if let Some(refusal) = refusal.filter(|_| !insists) {
        eprintln!("peers cannot be installed: {refusal:#}");
    } else if peers::can_install() || insists {
        bail!("still missing: {}", names(&missing));
    } else {
        eprintln!("peers can only be installed as root on a system with apt");
    }
    let skips = missing.iter().map(|peer| {
        let programs = peer.missing().join(", ");
        format!("SKIP {}: {programs} not found (Debian package {})", peer.suite, peer.package)
    });
    Ok(("optional", skips.collect()))
}

/// The program that counts instructions; without it, a line more in `skips`.
fn provide_counting(skips: &mut Vec<String>) -> Result<Option<PathBuf>> {
    if !VALGRIND.missing().is_empty() {
        return Ok(None); // which has been named with the other peers
    }
    if let Some(reason) = count::elsewhere()? {
        skips.push(format!("SKIP limits of instructions: {reason}"));
        return Ok(None);
    }
    provide(count::provide_runner, VALGRIND.suite, skips)
}

/// The program that asks the API everything; without it, a line more in `skips`.
fn provide_schemathesis(skips: &mut Vec<String>) -> Result<Option<PathBuf>> {
    provide(schemathesis::provide, "conformance: the API asked by schemathesis", skips)
}

/// A program that is installed where it is missing, unless peers are optional; without it, a line more in `skips`, unless they
/// are required.
fn provide(
    program: impl Fn(bool) -> Result<PathBuf>,
    suite: &str,
    skips: &mut Vec<String>,
) -> Result<Option<PathBuf>> {
    let is = |wanted| env::var(PEERS_VARIABLE).is_ok_and(|value| value == wanted);
    match program(!is("optional")) {
        Ok(program) => Ok(Some(program)),
        Err(error) if is("required") => Err(error),
        Err(error) => {
            skips.push(format!("SKIP {suite}: {error:#}"));
            Ok(None)
        }
    }
}

fn names(peers: &[&Peer]) -> String {
    let programs: Vec<_> = peers.iter().flat_map(|peer| peer.missing()).collect();
    programs.join(", ")
}
