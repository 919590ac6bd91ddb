//! `cargo xtask count`: how many instructions an answer takes, under valgrind, and whether any case takes too many.
//!
//! What is counted and the limits stand in `benches/benches/answers_count.rs`. Here its tools are provided, and what it
//! found is shown per query.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;

use crate::{peers, shell, text};

/// Has to be that of the library in the root `Cargo.toml`.
const RUNNER_VERSION: &str = "0.20.0";
/// The benchmark, and where its source says what is counted and how much is too much.
const BENCHMARK: &str = "answers_count";
const SOURCE: &str = "benches/benches/answers_count.rs";
/// Where the source says which release of Rust its limits are for.
const COMPILER: &str = "const COMPILER: &str = \"";
/// Queries per count: the batches of the source, of 64 queries each.
const QUERIES: u64 = 100 * 64;
/// Where less than this part of a limit is used, what was gained could be lost unnoticed.
const SLACK_PERCENT: u64 = 90;

/// How far above what was counted a limit is set: counts wander by one or two percent.
const MARGIN_PERCENT: u64 = 3;

/// What `cargo xtask count` takes.
#[derive(clap::Args)]
pub struct Args {
    /// Sets all limits anew, 3 % above what is counted now.
    #[arg(long)]
    set: bool,
}

/// A case with its limit, in instructions per query.
#[derive(Debug, Eq, PartialEq)]
struct Limit {
    case: String,
    instructions: u64,
}

impl Limit {
    /// Whether so many instructions for [`QUERIES`] are more than it allows.
    fn is_exceeded_by(&self, counted: u64) -> bool {
        counted > self.instructions * QUERIES
    }
}

/// Provides the tools, counts, and shows what was counted; fails if a limit is exceeded.
pub fn run(args: &Args) -> Result<()> {
    if !peers::VALGRIND.missing().is_empty() && peers::can_install() {
        peers::install(&[peers::VALGRIND])?;
    }
    let runner = provide_runner(true)?;
    let elsewhere = elsewhere()?;
    if !args.set && elsewhere.is_none() {
        return count(&runner);
    }
    // Limits that are exceeded are the reason for setting them, or not for this machine; every other failure leaves nothing
    // counted.
    let source = read_source()?;
    let limits = limits(&source);
    let outcome = run_benchmark(&runner, &limits);
    if limits.iter().any(|limit| counted(&limit.case).is_none()) {
        return outcome.and(Err(anyhow!("not every case was counted")));
    }
    if !args.set {
        println!("SKIP the limits: {}", elsewhere.unwrap_or_default());
        return Ok(());
    }
    ensure!(has_avx2(), "limits are only set on a processor with AVX2");
    let source = with_compiler(&with_limits(&source, counted), &release(&rustc_version()?)?);
    fs::write(shell::root().join(SOURCE), source).with_context(|| format!("cannot write {SOURCE}"))
}

/// Why the limits say nothing about this machine; `None` where they hold.
///
/// # Errors
/// The compiler or the limits cannot be asked.
pub fn elsewhere() -> Result<Option<String>> {
    let source = read_source()?;
    let limits = compiler(&source).with_context(|| format!("{SOURCE} names no compiler"))?;
    Ok(difference(limits, &release(&rustc_version()?)?, has_avx2()))
}

fn difference(limits: &str, compiler: &str, avx2: bool) -> Option<String> {
    if limits != compiler {
        return Some(format!("they are for Rust {limits}, and this is {compiler}"));
    }
    (!avx2).then(|| "they are for processors with AVX2, which this one has not".to_owned())
}

/// Counts with tools that were provided; fails if a limit is exceeded.
///
/// What exceeds its limit is counted once more: each process draws other keys for the hashes of names, and a case that had bad
/// luck with them is not to be taken for one that has become dearer.
pub fn count(runner: &Path) -> Result<()> {
    let limits = limits(&read_source()?);
    let first = run_benchmark(runner, &limits);
    let is_dear = |limit: &&Limit| counted(&limit.case).is_some_and(|counted| limit.is_exceeded_by(counted));
    let dear: Vec<_> = limits.iter().filter(is_dear).collect();
    ensure!(
        limits.iter().all(|limit| counted(&limit.case).is_some()),
        "not every case was counted: {first:?}"
    );
    if dear.is_empty() {
        return first;
    }
    println!("counting once more, with other keys of hashes");
    // Told by the counts of these cases: the outcome is about the others as well.
    let second = run_benchmark(runner, &limits);
    for limit in dear {
        let counted = counted(&limit.case);
        let counted = counted.with_context(|| format!("{} was not counted again: {second:?}", limit.case))?;
        ensure!(
            !limit.is_exceeded_by(counted),
            "{} takes too many instructions: limits stand in {SOURCE}, which also says when to move them",
            limit.case
        );
    }
    Ok(())
}

/// Has every case counted, and shows the counts beside the limits.
///
/// What an earlier run has left goes first: it must not be taken for what this one counts.
///
/// # Errors
/// A limit is exceeded, or something else is wrong; then the case has no count.
fn run_benchmark(runner: &Path, limits: &[Limit]) -> Result<()> {
    let folder = results();
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let mut command = shell::cargo();
    command.args(["bench", "--package", "jw238dns-benches", "--bench", BENCHMARK]);
    command.args(["--", "--save-summary=json"]).env("GUNGRAUN_RUNNER", runner);
    let outcome = shell::run(&mut command);
    println!("{:<24} {:>12} {:>10}", "instructions per query", "counted", "limit");
    for limit in limits {
        if let Some(counted) = counted(&limit.case) {
            println!("{}", row(limit, counted));
        }
    }
    outcome
}

/// Tells where the program is that runs benchmarks under valgrind. It is installed if it has to be and may be.
///
/// # Errors
/// Why there can be no counting on this machine.
pub fn provide_runner(may_install: bool) -> Result<PathBuf> {
    ensure!(cfg!(target_arch = "x86_64"), "the limits are for x86-64");
    ensure!(peers::VALGRIND.missing().is_empty(), "valgrind not found (Debian package valgrind)");
    let root = shell::target_folder().join("tools");
    let runner = root.join("bin/gungraun-runner");
    if !is_right_version(&runner) {
        ensure!(may_install, "gungraun-runner {RUNNER_VERSION} not found in {}", root.display());
        eprintln!("installing gungraun-runner {RUNNER_VERSION}, which takes a minute or two");
        let mut command = shell::cargo();
        // Built without optimisation: it starts valgrind and reads what that has written.
        command.args(["install", "gungraun-runner", "--version", RUNNER_VERSION, "--locked", "--debug"]);
        shell::run(command.arg("--force").arg("--root").arg(&root))?;
    }
    Ok(runner)
}

fn is_right_version(runner: &Path) -> bool {
    let output = Command::new(runner).arg("--version").output();
    output.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout).split_whitespace().last() == Some(RUNNER_VERSION)
    })
}

/// What the compiler that cargo uses says of itself.
fn rustc_version() -> Result<String> {
    let program = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(program).arg("--version").current_dir(shell::root()).output();
    let output = output.context("cannot ask rustc for its version")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `1.95` of `rustc 1.95.0 (59807616e 2026-04-14)`.
fn release(version: &str) -> Result<String> {
    let mut numbers = version.split_whitespace().nth(1).unwrap_or_default().split('.');
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) => Ok(format!("{major}.{minor}")),
        _ => Err(anyhow!("rustc's version is {version:?}")),
    }
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

/// The release of Rust that the source's limits are for.
fn compiler(source: &str) -> Option<&str> {
    source.lines().find_map(|line| line.strip_prefix(COMPILER)?.strip_suffix("\";"))
}

/// The source with its limits for this release.
fn with_compiler(source: &str, release: &str) -> String {
    let line = |line: &str| match compiler(line.trim_end()) {
        Some(old) => line.replace(old, release),
        None => line.to_owned(),
    };
    source.split_inclusive('\n').map(line).collect()
}

fn read_source() -> Result<String> {
    fs::read_to_string(shell::root().join(SOURCE)).with_context(|| format!("cannot read {SOURCE}"))
}

/// The cases of the benchmark's source.
fn limits(source: &str) -> Vec<Limit> {
    let limit = |line| {
        let (case, limit) = case_and_limit(line)?;
        Some(Limit { case: case.to_owned(), instructions: limit.replace('_', "").parse().ok()? })
    };
    source.lines().filter_map(limit).collect()
}

/// What a line such as `#[bench::hit(..., config = at_most(1_763))]` says: `hit` and `1_763`.
fn case_and_limit(line: &str) -> Option<(&str, &str)> {
    let (case, rest) = line.trim().strip_prefix("#[bench::")?.split_once('(')?;
    let (_, limit) = rest.split_once("at_most(")?;
    Some((case, limit.split_once(')')?.0))
}

/// The source with limits a margin above these counts; where there is no count, the limit stays.
fn with_limits(source: &str, counted: impl Fn(&str) -> Option<u64>) -> String {
    let changed = |line: &str| {
        let (case, old) = case_and_limit(line)?;
        let limit = (counted(case)? * (100 + MARGIN_PERCENT)).div_ceil(100 * QUERIES);
        Some(line.replace(
            &format!("at_most({old})"),
            &format!("at_most({})", text::grouped(&limit.to_string(), '_')),
        ))
    };
    source.split_inclusive('\n').map(|line| changed(line).unwrap_or_else(|| line.to_owned())).collect()
}

/// Instructions that were counted in a case the last time it ran; `None` if it never did.
fn counted(case: &str) -> Option<u64> {
    let summary = results().join(format!("answers/answer.{case}/summary.json"));
    instructions(&fs::read_to_string(summary).ok()?).ok()
}

/// Where gungraun puts what it found.
fn results() -> PathBuf {
    shell::target_folder().join("gungraun/jw238dns-benches").join(BENCHMARK)
}

/// The number of instructions in a summary as gungraun writes it.
fn instructions(summary: &str) -> Result<u64> {
    let summary: Value = serde_json::from_str(summary)?;
    // The value of the run before may stand beside it.
    let counted = summary.pointer("/profiles/0/data/total/metrics/Ir/values/new").and_then(Value::as_u64);
    counted.ok_or_else(|| anyhow!("the summary has no number of instructions"))
}

fn row(limit: &Limit, counted: u64) -> String {
    let per_query = counted / QUERIES;
    let remark = if limit.is_exceeded_by(counted) {
        "  too many"
    } else if counted * 100 < limit.instructions * QUERIES * SLACK_PERCENT {
        "  the limit can be lowered"
    } else {
        ""
    };
    format!("{:<24} {per_query:>12} {:>10}{remark}", limit.case, limit.instructions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_from_the_source() {
        let source = "#[library_benchmark(setup = x)]\n#[bench::hit(args = (Case::Hit(10_000)), config = at_most(1_763))]\n\
                      #[bench::chain(args = (Case::Chain), config = at_most(18_578))]\nfn at_most(i: u64) {}\n";
        let limit = |case: &str, instructions| Limit { case: case.to_owned(), instructions };
        assert_eq!(limits(source), [limit("hit", 1_763), limit("chain", 18_578)]);
    }

    #[test]
    fn limits_are_set_a_margin_above_what_was_counted() {
        let source =
            "//! at_most\n#[bench::hit(config = at_most(9))]\n#[bench::any(config = at_most(7))]\nrest";
        let set = with_limits(source, |case| (case == "hit").then_some(1_000 * QUERIES + 1));
        assert_eq!(set, source.replace("at_most(9)", "at_most(1_031)"));
        assert_eq!(limits(&set)[0].instructions, 1_031);
    }

    #[test]
    fn limits_are_for_one_compiler_and_processor() {
        let source = "//! COMPILER\nconst COMPILER: &str = \"1.95\";\nconst BATCHES: usize = 1;\n";
        assert_eq!(compiler(source), Some("1.95"));
        assert_eq!(with_compiler(source, "2.0"), source.replace("1.95", "2.0"));
        assert_eq!(release("rustc 1.95.0 (59807616e 2026-04-14)\n").unwrap(), "1.95");
        assert_eq!(release("rustc 1.100.0-nightly (0 2027-01-01)").unwrap(), "1.100");
        assert!(release("").is_err() && release("rustc unknown").is_err());
        assert_eq!(difference("1.95", "1.95", true), None);
        assert_eq!(difference("1.95", "1.96", true).unwrap(), "they are for Rust 1.95, and this is 1.96");
        assert!(difference("1.95", "1.95", false).unwrap().contains("AVX2"));
    }

    #[test]
    fn what_is_said_twice_is_said_alike() {
        let source = include_str!("../../benches/benches/answers_count.rs");
        assert!(compiler(source).is_some());
        assert_eq!(limits(source).len(), source.matches("\n#[bench::").count());
        assert!(source.contains(&format!("const BATCHES: usize = {};", QUERIES / 64)));
        let manifest = include_str!("../../Cargo.toml");
        assert!(manifest.contains(&format!("\ngungraun = \"={RUNNER_VERSION}\"\n")));
    }

    #[test]
    fn the_newest_count_is_read() {
        let summary = |values: &str| {
            format!(
                r#"{{"profiles": [{{"data": {{"total": {{"metrics": {{"Ir": {{"values": {values}}}}}}}}}}}]}}"#
            )
        };
        assert_eq!(instructions(&summary(r#"{"new": 640, "old": 6400}"#)).unwrap(), 640);
        assert_eq!(instructions(&summary(r#"{"new": 640}"#)).unwrap(), 640);
        assert!(instructions(&summary(r#"{"old": 640}"#)).is_err());
        assert!(instructions("{}").is_err());
    }

    #[test]
    fn rows_tell_which_limits_to_move() {
        let limit = Limit { case: "hit".to_owned(), instructions: 1_000 };
        assert!(row(&limit, 1_000 * QUERIES).ends_with(" 1000"));
        assert!(row(&limit, 1_000 * QUERIES + 1).ends_with("too many"));
        assert!(row(&limit, 899 * QUERIES).ends_with("can be lowered"));
    }
}
