//! The query log's outer end: takes what workers tell of their queries, and writes it where operators want it.
//!
//! Meet [`QueryLogConfig`], which says what is written and where; and [`QueryLog`], the thread that does it. The forms
//! themselves are [`write_json`], [`write_text`] and [`dnstap`]; [`frames`] carries dnstap over a socket.
//!
//! The rings it reads belong to [`dns_backend::log`]. Nothing here ever makes a worker wait: what cannot be written in time is
//! dropped and counted. Entries of one worker keep their order; those of several are not sorted.
//!
//! ```no_run
//! # fn main() -> std::io::Result<()> {
//! use dns_querylog::{Format, QueryLog, QueryLogConfig, Target};
//!
//! let file = Target::File("queries.json".into());
//! let config = QueryLogConfig { format: Format::Json, target: file, ..QueryLogConfig::default() };
//! let hub = config.hub();
//! let log = QueryLog::start(config, hub.clone())?;
//! // Each worker records into its own `hub.writer()`. Once they have stopped:
//! log.stop()?;
//! # Ok(())
//! # }
//! ```

mod asked;
mod batch;
mod config;
pub mod dnstap;
pub mod frames;
mod json;
mod lines;
mod seldom;
mod service;
mod tap;
mod text;
mod time;

pub use self::{
    config::{Format, QueryLogConfig, Target},
    json::write_json,
    service::QueryLog,
    text::write_text,
};
