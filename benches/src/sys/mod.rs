//! Many datagrams per system call.
#![allow(unsafe_code, reason = "std offers neither recvmmsg nor sendmmsg")]

mod batch;

pub use self::batch::{BATCH_PACKETS, Batch, PACKET_OCTETS_MAX};
