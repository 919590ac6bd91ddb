//! A DNS server for people who run platforms.

fn main() {}
