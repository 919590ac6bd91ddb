//! `jw238dns backup` and `jw238dns restore`.

use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use dns_server::journal::{Folder, FolderError, restore_backup};
use tokio::runtime;

use crate::args::{ReachArgs, RestoreArgs};
use crate::{exit, process, reach};

/// Writes a consistent copy of all that is kept: from the data folder, or through the server that has it in use.
pub fn backup(file: &Path, args: &ReachArgs) -> ExitCode {
    if file == Path::new("-") {
        return exit::usage(&"a backup is a file that is synced to its disk: name one, instead of '-'");
    }
    // A link that leads nowhere would not be written over either.
    if fs::symlink_metadata(file).is_ok() {
        let told =
            format!("{} is there already, and no backup is written over: name a new file", file.display());
        return exit::failure(&told);
    }
    let config = match reach::config(args) {
        Ok(config) => config,
        Err(error) => return exit::usage(&error),
    };
    let folder = config.store.data_dir.as_deref().filter(|_| args.url.is_none());
    let done = match folder {
        // It would be made if it were not there; an empty copy of a mistyped place is none.
        Some(folder) if !Folder::is_missing(folder) => match Folder::open(folder) {
            Ok(folder) => folder.backup_to(file).map_err(|error| error.to_string()),
            Err(FolderError::Locked { .. }) => {
                reach::Server::find(args, &config).and_then(|server| download(file, &server))
            }
            Err(error) => Err(reach::tell_folder(&error)),
        },
        Some(folder) => Err(format!(
            "there is nothing to copy: {} has no journal; name the configuration of the server by --config, or say by --url \
             where it is",
            folder.display()
        )),
        None => reach::Server::find(args, &config).and_then(|server| download(file, &server)),
    };
    match done {
        Ok(()) => {
            let octets = fs::metadata(file).map_or(0, |metadata| metadata.len());
            eprintln!(
                "{} has all zones, records, tokens and their history in {octets} octets",
                file.display()
            );
            ExitCode::SUCCESS
        }
        Err(error) => exit::failure(&error),
    }
}

fn download(file: &Path, server: &reach::Server) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot write {}: {error}", file.display());
    // It has what is needed to know tokens.
    let to = File::options().write(true).create_new(true).mode(0o600).open(file).map_err(failed)?;
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let copied = runtime.block_on(server.client.backup(&to)).map_err(|error| server.tell(&error));
    let copied = copied.and_then(|_| to.sync_all().map_err(failed));
    if copied.is_err() {
        // A part of a backup is none.
        let _ = fs::remove_file(file);
    }
    copied
}

/// Puts a copy into the data folder of a server that does not run.
pub fn restore(args: &RestoreArgs) -> ExitCode {
    let reach = ReachArgs { config: args.config.clone(), ..ReachArgs::default() };
    let config = match reach::config(&reach) {
        Ok(config) => config,
        Err(error) => return exit::usage(&error),
    };
    let Some(folder) = config.store.data_dir else {
        return exit::usage(&"there is nowhere to restore to: the configuration has no store.data_dir");
    };
    let made = match process::provide_folder(&folder, config.user.as_deref()) {
        Ok(made) => made,
        Err(error) => return exit::failure(&error),
    };
    let restored = restore_backup(&args.file, &folder, args.replace);
    if restored.is_err() {
        // Empty folders are nothing to leave behind.
        made.iter().rev().for_each(|folder| drop(fs::remove_dir(folder)));
    }
    match restored {
        Ok(()) => {
            eprintln!(
                "{} is in {} and will be served from the next start on",
                args.file.display(),
                folder.display()
            );
            ExitCode::SUCCESS
        }
        Err(FolderError::Occupied { path }) => exit::failure(&format!(
            "{} has a journal already: --replace keeps it beside the restored one",
            path.display()
        )),
        Err(FolderError::Io { path, source }) if path == args.file => {
            exit::failure(&format!("cannot read {}: {source}", path.display()))
        }
        // It is about the copy, of which nothing is lost by taking another one.
        Err(FolderError::Damaged { path, detail }) if path == args.file => exit::failure(&format!(
            "{} is damaged: {detail}; nothing was restored, take another copy",
            path.display()
        )),
        Err(FolderError::Foreign { path, detail }) if path == args.file => exit::failure(&format!(
            "{} is no journal of this server: {detail}; name a file that 'jw238dns backup' has written",
            path.display()
        )),
        Err(error) => exit::failure(&reach::tell_folder(&error)),
    }
}
