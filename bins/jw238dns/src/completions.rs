//! `jw238dns completions`.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::exit;

/// Writes completions to the standard output.
pub fn run(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "jw238dns", &mut script);
    // Written in one go, since the generator panics where its output is closed.
    match io::stdout().write_all(&script) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::failure(&format!("cannot write the completions: {error}")),
    }
}
