//! Commands for working on jw238dns.

fn main() {}
