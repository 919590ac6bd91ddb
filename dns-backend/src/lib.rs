//! Authoritative answers, computed from immutable zones.
//!
//! Meet [`lookup`], which says what a zone knows about a name; [`Authoritative`], which answers batches of packets from
//! a catalog; and [`Packets`], by which whoever has the packets lends them.
//!
//! No sockets, no clock, no locks on the way of a query: a request and a catalog come in, a reply goes out.

mod additional;
mod answer;
mod counters;
mod denial;
mod desk;
mod explain;
pub mod guard;
pub mod log;
mod lookup;
mod packets;
mod query;
mod reply;
mod responder;
mod worker;

pub use self::{
    counters::{Counters, ReplyCount},
    explain::{ExplainedVerdict, ExplainedZone, Explanation, Question, RuleEffect, explain},
    lookup::{Lookup, Outcome, lookup},
    packets::{Packets, Respond, Responder, Transport},
    query::{Edns, Query, RequestError},
    responder::{Authoritative, CatalogReader, Catalogs},
    worker::Worker,
};
