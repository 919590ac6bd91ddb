//! The API over real sockets, asked by its client.

mod dns;
mod events;
mod host;
mod routes;
mod server;
mod tls;
