//! `jw238dns format`.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use dns_server::dns_core::Name;
use dns_server::dns_core::zonefile::{self, Options};

use crate::exit;

/// Writes the zone file anew; nothing is written when it has mistakes.
///
/// `$INCLUDE` is refused: the result is one file, and pulling others into it would lose how the zone was laid out.
pub fn run(file: &Path, origin: Option<Name>) -> ExitCode {
    let name = file.display().to_string();
    let octets = match std::fs::read(file) {
        Ok(octets) => octets,
        Err(error) => return exit::failure(&format!("cannot read {name}: {error}")),
    };
    let options = Options { origin, ..Options::default() };
    match zonefile::format(&name, &octets, &options, &mut zonefile::no_includes) {
        Ok((text, report)) => {
            for warning in &report.warnings {
                eprintln!("warning: {warning}");
            }
            match io::stdout().write_all(text.as_bytes()) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => exit::failure(&format!("cannot write the zone file: {error}")),
            }
        }
        Err(error) => exit::failure(&format!("{name} is left as it is:\n{error}")),
    }
}
