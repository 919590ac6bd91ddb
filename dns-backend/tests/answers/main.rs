//! Whole answers, through the responder, against the RFCs: by table, and against the oracle.

mod delegation;
mod oracle;
mod random;
mod server;
mod signing;
