//! UDP and TCP listeners that put queries before a [`Respond`](dns_backend::Respond) and send its replies.
//!
//! Meet [`Config`], what to listen on and how; [`Frontend`], which binds every socket; [`Running`], the threads
//! at work. Binding and serving are two steps, so that a program can give up its privileges in between.
//!
//! ```text
//!   recvmmsg ─> Packets ─┐                ┌─> sendmmsg        one UDP worker thread per core
//!                        ├─> Responder ───┤
//!   read ─────> Packets ─┘                └─> one write       one TCP worker thread per core, tokio inside
//! ```
//!
//! This crate knows no records and reads nothing of a message but the two octets of its length over TCP: what a
//! query means, how large a reply may be and which queries deserve silence is the responder's business. It may be
//! asked the same query twice: replies that a TCP client has no room for are forgotten and made anew later.
//!
//! Works on Linux. Other Unix systems get [`UdpEngine::Single`]; macOS is unverified.

mod answering;
mod bind;
mod clock;
mod config;
mod counters;
mod running;
mod stop;
#[allow(unsafe_code, reason = "system calls that neither std nor socket2 offer")]
mod sys;
mod tcp;
mod udp;

pub use self::{
    bind::{BindError, Bound, Frontend},
    config::{Config, Limit, TcpConfig, UdpConfig, UdpEngine},
    counters::{AnswerTimes, Counters, TcpTotals, Totals, UdpTotals},
    running::{Running, Unfinished},
};
