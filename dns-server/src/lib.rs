//! The whole of jw238dns as a library: configuration, assembly, running.
//!
//! Meet [`Config`], which says what to serve and where, filled by hand or read from a file by [`Config::load`];
//! and [`ConfigErrors`], which lists everything that is wrong with such a file.
//!
//! Nothing here reads the environment, installs a logger or exits the process: that is for programs.

pub mod config;
mod spec;

pub use self::{
    config::Config,
    spec::{ConfigErrors, Finding, Loaded, Place, json_schema, key_table},
};
/// Names, records and zone files, as a [`Config`] holds them.
pub use dns_core;
