//! The judges of jw238dns: a slow oracle, and real name servers asked the same questions.
//!
//! [`oracle`] says what the RFCs ask for, [`peer`] starts BIND, NSD, Knot and our own binary as black boxes,
//! [`compare`] asks them all the same and sorts the differences by the rules that `DIFFERENCES.md` explains.
//! [`hostile`] floods them and counts what their legitimate clients still get.
//! Nothing here shares code with the server beyond names and type numbers.

pub mod cases;
pub mod client;
pub mod compare;
pub mod differences;
pub mod hostile;
pub mod message;
pub mod oracle;
pub mod peer;
pub mod record;
pub mod scenario;
pub mod signing;
pub mod validator;
pub mod zone;
