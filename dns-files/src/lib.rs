//! Zone files and folders: reading, watching, reloading.
//!
//! Meet [`load_zone`], which makes a zone of a file and tells everything that is wrong with it; [`ZoneFiles`], which keeps
//! a store in step with a set of files; and [`Watcher`], which tells when files may have changed.
//!
//! What a file holds replaces what it held before, all of it or, if anything is wrong, nothing.

mod load;
mod set;
mod watch;

pub use self::{
    load::{LoadError, Loaded, find_apex, load_text, load_zone},
    set::{SyncReport, ZoneFile, ZoneFiles, zones_in_folder},
    watch::{WatchError, Watcher},
};
