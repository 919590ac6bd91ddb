//! Zone files and folders: reading, watching, reloading.
//!
//! Meet [`load_zone`], which makes a zone of a file and tells everything that is wrong with it; [`ZoneFiles`], which keeps
//! a store in step with a set of files; and [`Watcher`], which tells when files may have changed.
//!
//! What a file holds replaces what it held before, all of it or, if anything is wrong, nothing.

mod disk;
mod folder;
mod load;
mod place;
mod set;
mod spread;
mod touched;
mod trail;
mod watch;

pub use self::{
    folder::{FolderReport, ZoneFolder, find_apex},
    load::{LoadError, Loaded, load_text, load_zone},
    place::place_findings,
    set::{SyncError, SyncReport, ZoneFile, ZoneFiles},
    touched::Touched,
    watch::{WatchError, Watcher},
};
