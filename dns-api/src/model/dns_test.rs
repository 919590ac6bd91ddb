//! What a listener has answered.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::RecordSpec;

/// What a listener of this server has answered to a question over DNS.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
pub struct DnsTest {
    /// The listener that was asked.
    #[schema(example = "127.0.0.1:53")]
    pub server: String,
    /// `udp`, or `tcp` where the answer did not fit into a datagram.
    pub transport: String,
    /// The response code.
    #[schema(example = "NOERROR")]
    pub rcode: String,
    /// Flags that are set in the answer: `aa`, `tc`, `rd`, `ra`, `ad`, `cd`.
    pub flags: Vec<String>,
    /// Records of the answer section, those of one name and type together.
    pub answer: Vec<RecordSpec>,
    /// Records of the authority section.
    pub authority: Vec<RecordSpec>,
    /// Records of the additional section, OPT left out.
    pub additional: Vec<RecordSpec>,
    /// Octets of the answer.
    pub octets: usize,
    /// From the question to the last octet of the answer, in microseconds.
    pub microseconds: u64,
}
