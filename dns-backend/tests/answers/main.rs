//! Whole answers, through the responder, against the RFCs: by table, and against the oracle.

mod additional;
mod alias;
mod any;
mod batch;
mod delegation;
mod denial;
mod edns;
mod guard;
mod oracle;
mod random;
mod request;
mod rules;
mod server;
mod signing;
mod size;
mod views;
mod wildcard;
mod zones;
