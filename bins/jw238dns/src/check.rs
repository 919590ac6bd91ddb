//! `jw238dns check`.

use std::process::ExitCode;

use crate::args::SourceArgs;
use crate::{exit, settings};

/// Lists mistakes and warnings of the configuration.
pub fn run(args: &SourceArgs) -> ExitCode {
    let loaded = match settings::load(args) {
        Ok(loaded) => loaded,
        Err(errors) => return exit::usage(&errors),
    };
    for warning in &loaded.warnings {
        eprintln!("warning: {warning}");
    }
    ExitCode::SUCCESS
}
