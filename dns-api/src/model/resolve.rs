//! What would be answered, and why.

use std::net::{IpAddr, SocketAddr};

use dns_core::{Name, RecordType};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::RecordSpec;

/// A question that nobody has asked over DNS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ask {
    /// The name in question.
    pub qname: Name,
    /// The type in question.
    pub qtype: RecordType,
    /// Address of the client that would ask; one on this machine if it does not matter.
    pub client: Option<IpAddr>,
    /// The listener that it would ask; any if it does not matter.
    pub listener: Option<SocketAddr>,
}

/// What would be answered, and why.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct Resolution {
    /// The view that the client gets to see.
    pub view: String,
    /// The zone that has the name; null if none has.
    pub zone: Option<String>,
    /// Rules that the question meets, in the order in which they count.
    pub rules: Vec<String>,
    /// What is known about the name: `answer`, `alias`, `referral`, `nodata`, `nxdomain`, `refused` and so on.
    pub outcome: String,
    /// The response code.
    pub rcode: String,
    /// Whose records they are; null if there are none, or they were made up.
    pub source: Option<String>,
    /// The wildcard that stands for the name; null if none does.
    pub wildcard: Option<String>,
    /// What stands at the name, or at its wildcard, and answers the question. Of an alias, that is its CNAME or DNAME alone,
    /// without what the answer section has of the names that it leads to; of a referral, the NS records of the zone that is
    /// referred to.
    pub records: Vec<RecordSpec>,
}
