//! The API over real sockets, asked by clients that should not get far.

mod audit;
mod backup;
mod guard;
#[path = "../support/host.rs"]
mod host;
mod limits;
mod scopes;
mod server;
mod tls;
mod tokens;
