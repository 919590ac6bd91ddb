//! The whole of jw238dns as a library: configuration, assembly, running.
//!
//! Meet [`Config`], which says what to serve and where, filled by hand or read from a file by [`Config::load`];
//! and [`ConfigErrors`], which lists everything that is wrong with such a file.
//!
//! Nothing here reads the environment, installs a logger or exits the process: that is for programs.

mod check;
pub mod config;
mod content;
mod explain;
mod guard;
mod manage;
mod metrics;
mod query_log;
mod running;
mod server;
mod spec;

pub use self::{
    check::{Checked, CheckedZone, check},
    config::Config,
    content::{Update, WatchedPaths},
    explain::{Explained, explain},
    manage::{ADMIN_TOKEN, FolderTokens, ReloadRequest},
    running::Running,
    server::{BuildError, Server, ServerBuilder},
    spec::{ConfigErrors, Finding, Loaded, Place, duration, json_schema, key_table},
};
/// Managing records over HTTP: what travels as JSON, and a client.
pub use dns_api as api;
/// Answering, and what stands before it: rules, limits, explanations.
pub use dns_backend as backend;
/// Names, records and zone files, as a [`Config`] holds them.
pub use dns_core;
/// Reading and watching zone files.
pub use dns_files as files;
/// Keeping changes on disk.
pub use dns_journal as journal;
/// Sources, changes and events of the records that a [`Server`] serves.
pub use dns_store as store;
