//! Zone files ([RFC 1035, section 5]): read, every mistake named with its place, and written.
//!
//! [`read`] hands each record to a function as it comes by, and returns a [`Report`]; [`write`](fn@write) makes a tidy file of
//! records, and what it writes reads back equal; [`format`](fn@format) does both.
//! [`read_in_parts`] reads large files with several threads.
//! No file is opened here: whoever reads decides what `$INCLUDE` may reach.
//!
//! Read are `$ORIGIN`, `$INCLUDE`, `$TTL` ([RFC 2308, section 4]), BIND's `$GENERATE`, TTLs with units, and unknown types
//! and their data ([RFC 3597, section 5]). Whether the records make a zone is not asked here.
//!
//! ```
//! use dns_core::zonefile::{self, Options};
//!
//! let text = b"$TTL 1h\n@ SOA ns hostmaster 1 2h 1h 2w 5m\n  NS ns\nns A 192.0.2.1\nwww A 192.0.2.256\n";
//! let options = Options { origin: Some("example.org".parse()?), ..Options::default() };
//! let mut records = 0;
//! let report = zonefile::read("example.zone", text, &options, &mut zonefile::no_includes, |_record| records += 1);
//! assert_eq!(records, 3);
//! assert!(report.errors[0].to_string().starts_with("example.zone:5:7: A: "));
//! # Ok::<(), dns_core::NameError>(())
//! ```
//!
//! [RFC 1035, section 5]: https://www.rfc-editor.org/rfc/rfc1035#section-5
//! [RFC 2308, section 4]: https://www.rfc-editor.org/rfc/rfc2308#section-4
//! [RFC 3597, section 5]: https://www.rfc-editor.org/rfc/rfc3597#section-5

mod directive;
mod error;
mod generate;
mod parts;
mod read;
mod scan;
mod ttl;
mod write;

pub use self::{
    error::{Cause, Doubt, Report, Word, ZoneFileError, ZoneFileWarning},
    generate::GENERATED_MAX,
    parts::read_in_parts,
    read::{INCLUDE_DEPTH_MAX, INCLUDES_MAX, Include, Options, ZoneRecord, no_includes, read},
    scan::ENTRY_OCTETS_MAX,
    write::{FormatError, Record, format, write},
};
