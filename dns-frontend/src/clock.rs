//! The time of day, as packets are asked for it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Zero for a clock that stands before 1970.
pub(crate) fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
