//! From packets and a catalog of zones to replies, without sockets or clocks.

mod packets;

pub use self::packets::{Packets, Respond, Responder, Transport};
