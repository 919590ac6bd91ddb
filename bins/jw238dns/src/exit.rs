//! What the exit code says: 0 all went well, 1 something failed, 2 the flags or the configuration are wrong.

use std::fmt::Display;
use std::process::ExitCode;

/// The configuration is wrong; `error` may have several lines, one per mistake.
pub fn usage(error: &impl Display) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(2)
}

/// Something that should have worked did not.
pub fn failure(error: &impl Display) -> ExitCode {
    eprintln!("jw238dns: {error}");
    ExitCode::FAILURE
}
