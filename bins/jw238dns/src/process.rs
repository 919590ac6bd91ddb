//! The process and the system around it: whose rights it has, how many descriptors, and who waits for it to be ready.
//!
//! In the order of a start: [`check_config`] refuses a configuration that anybody may rewrite; [`become_user`] gives up
//! root's rights while there is one thread only; sockets are bound; [`drop_capabilities`] gives up what binding took; and
//! [`check_threads`] makes sure that no thread has kept anything. Zones are read, and packets, by a user who may do nothing else.

mod descriptors;
mod exposure;
mod place;
#[cfg(target_os = "linux")]
mod privileges;
#[cfg(not(target_os = "linux"))]
#[path = "process/no_privileges.rs"]
mod privileges;
pub mod service;
#[cfg(target_os = "linux")]
mod user;
mod watchdog;

use nix::sys::stat::{Mode, umask};

pub use self::descriptors::provide_descriptors;
pub use self::exposure::check_config;
pub use self::place::{check_data_dir, is_of_another};
pub use self::privileges::{become_user, check_threads, drop_capabilities, provide_folder, try_user};
pub use self::watchdog::{reachable, watch_over};

/// What is written here is for this user, and for its group to read.
pub fn restrict_new_files() {
    umask(Mode::S_IWGRP | Mode::S_IRWXO);
}
