//! The measuring base for speed: an echo server as the floor, a load generator, and the zones and questions for both.
//!
//! Meet [`ZonePlan`](zone::ZonePlan), a made-up zone of any size that is the same on every machine;
//! [`Questions`](questions::Questions), packets to ask it with and what the answers must say; and
//! [`load::udp`] and [`load::tcp`], which ask and count. Everything stays on loopback and ends after a stated time.
//!
//! Driven by `cargo xtask bench`; the programs are `echo`, `load`, `zone`, `changes`, `update`, `durable` and
//! `manage`.

pub mod ask;
pub mod changes;
pub mod durable;
pub mod echo;
pub mod extremes;
pub mod fixture;
pub mod load;
pub mod manage;
pub mod questions;
pub mod random;
pub mod sys;
pub mod update;
pub mod zone;
