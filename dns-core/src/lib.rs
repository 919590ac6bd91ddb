//! DNS names, records, zone files and zones: the pure core of jw238dns.
//!
//! Meet [`Name`], a domain name in canonical form; [`Rrset`](crate::Rrset), the unit in which records are kept; and
//! [`Zone`](crate::zone::Zone), an immutable zone that answers a look-up in one probe.
//!
//! No sockets, no clock, no locks, no files: bytes come in, values go out.

pub mod name;
pub mod rdata;
mod rrset;
mod rtype;
mod text;

pub use self::{
    name::{Name, NameError},
    rrset::{Rdatas, Rrset, RrsetError, TTL_MAX},
    rtype::{Class, Opcode, RecordType, ResponseCode},
    text::{Position, Token},
};
