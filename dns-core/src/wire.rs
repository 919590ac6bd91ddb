//! The one door to `hickory-proto`: typed messages where speed does not matter.
//!
//! Test clients, tools and forwarding build and read whole messages with these types. Queries are answered without
//! them: the query view and the reply writer are ours, and so are names, RRsets and RDATA everywhere else. The names
//! are hickory's own, so import the module rather than its items where they meet ours:
//!
//! ```
//! use dns_core::wire::{self, op::Message};
//!
//! let name: wire::rr::Name = "www.example.org.".parse()?;
//! let mut query = Message::query();
//! query.add_query(wire::op::Query::query(name, wire::rr::RecordType::A));
//! let octets = query.to_vec()?;
//! assert_eq!(Message::from_vec(&octets)?, query);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use hickory_proto::ProtoError;

/// Messages, their headers and questions, and EDNS.
pub mod op {
    pub use hickory_proto::op::{
        Edns, EdnsFlags, Header, Message, MessageType, Metadata, OpCode, Query, ResponseCode,
    };
}

/// Records: names, classes, types and data.
pub mod rr {
    pub use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType, rdata};
}

/// Encoding and decoding of parts of messages.
pub mod binary {
    pub use hickory_proto::serialize::binary::{
        BinDecodable, BinDecoder, BinEncodable, BinEncoder, DecodeError, NameEncoding,
    };
}
