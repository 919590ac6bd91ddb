//! DNS names, records, zone files and zones: the pure core of jw238dns.
//!
//! Meet [`Name`], a domain name in canonical form; [`Rrset`], the unit in which records are kept; and
//! [`Zone`](crate::zone::Zone), an immutable zone that answers a look-up in one probe.
//!
//! No sockets, no clock, no files: bytes come in, values go out. No locks either, but for the queue from which the threads
//! that make one zone take their work.

mod catalog;
mod change;
pub mod name;
pub mod network;
pub mod rdata;
pub mod record;
mod rrset;
mod rtype;
mod share;
mod sys;
mod text;
pub mod trie;
pub mod wire;
pub mod zone;
pub mod zonecheck;
pub mod zonefile;

pub use self::{
    catalog::{AnswerPolicy, AnyPolicy, Catalog, Scope, View, ViewSpec, ZoneEntry, ZoneState, Zones},
    change::{Change, ChangeSet, Precondition, plan},
    name::{Name, NameError},
    network::{Access, Network, NetworkError, NetworkMap},
    record::{Record, RecordError},
    rrset::{Rdatas, Rrset, RrsetError, TTL_MAX},
    rtype::{Class, Opcode, RecordType, ResponseCode},
    sys::give_back_memory,
    text::{Position, Token},
};
