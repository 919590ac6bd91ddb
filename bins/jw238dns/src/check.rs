//! `jw238dns check`.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use dns_server::check;
use dns_server::config::View;

use crate::args::{ServeArgs, SourceArgs};
use crate::{exit, process, settings};

/// Lists everything that is wrong with the configuration and its zones on the standard error, and what was checked on the
/// standard output.
pub fn run(args: &SourceArgs) -> ExitCode {
    let mut args = args.clone();
    settings::choose_file(&mut args);
    let serve = ServeArgs { source: args.clone(), ..ServeArgs::default() };
    let loaded = match settings::load_to_serve(&serve) {
        Ok(loaded) => loaded,
        // Without a valid configuration nobody knows what the zones are.
        Err(errors) => {
            let code = exit::usage(&errors);
            return print(&closing_line(errors.iter().len(), 0), code);
        }
    };
    let exposed = process::check_config(settings::files_read(&args, &loaded.config));
    // Before a file is read, as at a start: what only root may read or write is of no use to the server.
    let user = process::try_user(loaded.config.user.as_deref());
    let mut checked = check(&loaded.config);
    checked.errors.extend(exposed.err().map(|error| error.to_string()));
    // Of this machine, not of the configuration: it may be checked elsewhere, before it is brought to where it is for.
    let mut cannot_start = Vec::new();
    let is_user = user.unwrap_or_else(|error| {
        cannot_start.push(error.to_string());
        false
    });
    if let Some(path) = &loaded.config.store.data_dir {
        // Without a user in the configuration, somebody else may start the server: a service manager, say.
        if is_user && (loaded.config.user.is_some() || !process::is_of_another(path)) {
            let unusable = process::check_data_dir(path).err();
            cannot_start.extend(unusable.map(|error| format!("store.data_dir: {error}")));
        } else {
            let note = "store.data_dir was not looked at: that is for root, or the user of the server";
            checked.notes.push(note.to_owned());
        }
    }
    let cannot_start = cannot_start.into_iter().map(|reason| format!("{NO_START}{reason}"));
    let warnings: Vec<String> =
        loaded.warnings.iter().map(ToString::to_string).chain(checked.warnings).chain(cannot_start).collect();
    for error in checked.errors.iter().flat_map(|error| error.lines()) {
        eprintln!("error: {error}");
    }
    for warning in &warnings {
        eprintln!("warning: {warning}");
    }
    for note in &checked.notes {
        eprintln!("note: {note}");
    }
    let mut text = String::new();
    for zone in &checked.zones {
        let records = counted(zone.records, "record");
        // Writing to a string cannot fail. The serial of a derived zone is made up when it is served.
        let place = if zone.view == View::DEFAULT { String::new() } else { format!("view {}: ", zone.view) };
        let _ = if zone.derived {
            writeln!(text, "{place}zone {}: derived, {records}", zone.apex)
        } else {
            writeln!(text, "{place}zone {}: serial {}, {records}", zone.apex, zone.serial)
        };
    }
    let errors = checked.errors.iter().map(|error| error.lines().count()).sum();
    text.push_str(&closing_line(errors, warnings.len()));
    print(&text, if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What stands before the reason.
const NO_START: &str = "a server could not start on this machine: ";

fn closing_line(errors: usize, warnings: usize) -> String {
    format!("{}, {}\n", counted(errors, "error"), counted(warnings, "warning"))
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Writes to the standard output.
pub fn print(text: &str, code: ExitCode) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => code,
        Err(error) => exit::failure(&format!("cannot write what was checked: {error}")),
    }
}
