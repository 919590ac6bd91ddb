//! What looks wrong with a zone that can be served all the same.
//!
//! What keeps a zone from being served is told when it is built ([`ZoneFault`](crate::zone::ZoneFault)). Here are the
//! mistakes that names and servers elsewhere suffer from: forgotten dots, targets that do not exist, records that nobody
//! will ever get. [`check`] looks at each record once or twice, so that its time grows with the size of the zone and no
//! faster; signatures and the chains of NSEC and NSEC3 records are not verified.
//!
//! ```
//! use dns_core::zone::{Place, SourceTag, ZoneBuilder};
//! use dns_core::{zonecheck, zonefile};
//!
//! let text = b"$TTL 1h\n@ SOA ns hostmaster 1 2h 1h 2w 5m\n  NS ns\n  NS ns.example.net.\n  MX 10 mail.example.org\nns A 192.0.2.1\n";
//! let apex: dns_core::Name = "example.org".parse()?;
//! let options = zonefile::Options { origin: Some(apex.clone()), ..zonefile::Options::default() };
//! let mut builder = ZoneBuilder::new(apex);
//! zonefile::read("example.org.zone", text, &options, &mut zonefile::no_includes, |record| {
//!     builder.add(record.owner, record.rtype, record.ttl, record.rdata, SourceTag::default(), Place::default());
//! });
//! let built = builder.finish().map_err(|faults| faults[0].clone())?;
//! let report = zonecheck::check(&built.zone);
//! assert_eq!(
//!     report.findings[0].to_string(),
//!     "example.org. MX names mail.example.org.example.org., which has the name of the zone twice: a dot may be missing at its end"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod checker;
mod finding;
mod lookup;
mod soa;
mod syntax;
#[cfg(test)]
mod tests;

use crate::Name;
use crate::zone::Zone;

pub use self::finding::{Finding, Severity};

/// Findings that are listed; a zone with more has made its point.
pub const FINDINGS_MAX: usize = 1_000;

/// What [`check`] has found.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Report {
    /// The findings in canonical order of their owners. If there are more than [`FINDINGS_MAX`], notes are left out before
    /// warnings, and the last owners before the first.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub omitted: usize,
}

/// Looks for what somebody should look at.
pub fn check(zone: &Zone) -> Report {
    checker::Checker::new(zone).run()
}

/// Looks at a few names of a zone, as those that have just changed; those that it does not have are passed over. Finds what
/// [`check`] finds there, but takes any address for glue where glue may stand: which is of use, only a look at the whole zone
/// can tell. Takes time in proportion to what the names have, however large the zone is.
pub fn check_names<'n>(zone: &Zone, names: impl IntoIterator<Item = &'n Name>) -> Report {
    checker::Checker::new(zone).run_at(names)
}
