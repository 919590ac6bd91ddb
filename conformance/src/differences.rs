//! Where peers differ from the oracle, and why that is all right: `DIFFERENCES.md`, entry by entry, as code.

use crate::cases::Case;
use crate::oracle::expected::Mismatch;
use crate::peer::Kind;
use crate::zone::ZoneData;

/// One known difference.
pub struct Rule {
    /// Its heading in `DIFFERENCES.md`.
    pub id: &'static str,
    /// The servers that differ.
    pub who: &'static [Kind],
    /// The mismatch is of this sort.
    applies: fn(&Case, &[ZoneData], &Mismatch) -> bool,
}

/// The rule that knows of this mismatch.
pub fn explain(kind: Kind, case: &Case, zones: &[ZoneData], mismatch: &Mismatch) -> Option<&'static Rule> {
    RULES
        .iter()
        .find(|rule| rule.who.contains(&kind) && (rule.applies)(case, zones, mismatch))
}

/// All rules, in the order of `DIFFERENCES.md`.
pub const RULES: &[Rule] = &[];
