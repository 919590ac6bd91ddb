//! Many datagrams per system call.
#![allow(
    unsafe_code,
    reason = "std offers neither recvmmsg nor sendmmsg, and no choice of the source address"
)]

mod batch;
mod spread;

pub use self::batch::{BATCH_PACKETS, Batch, PACKET_OCTETS_MAX};
pub use self::spread::SpreadBatch;
