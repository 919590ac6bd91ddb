//! Managing records over HTTP: the same changes by our API and by that of PowerDNS, and what becomes of them in DNS.
//!
//! Clients wait for one answer at a time. They keep their connections where the server does.

mod fill;
mod http;
mod load;
mod seen;
mod server;

pub use self::fill::{Filled, How, fill};
pub use self::load::{Load, Report, Work, load};
pub use self::seen::seen;
pub use self::server::{Dialect, Server};

#[cfg(test)]
mod tests;
