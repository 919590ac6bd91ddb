//! `cargo xtask shuttle`: publication and folding under every turn that threads may take.

use anyhow::Result;

use crate::shell;

/// Builds the store with what threads share replaced by shuttle's, and runs its test.
pub fn run() -> Result<()> {
    let mut tests = shell::cargo();
    // The flag changes every crate's fingerprint, so it has a folder of its own beside the usual one.
    tests
        .args(["test", "-p", "jw238dns-store", "--test", "shuttle"])
        .arg("--target-dir")
        .arg(shell::root().join("target/shuttle"))
        .env("RUSTFLAGS", "--cfg shuttle");
    shell::run(&mut tests)
}
