//! The values of the SOA record.

use super::Finding;
use crate::Name;
use crate::name::{Labels, wire_octets};

/// Seconds; negative answers should not be remembered for longer.
const MINIMUM_MAX: u32 = 86_400;

/// Hands over what is out of common sense in the RDATA of the SOA record.
pub(super) fn check(owner: &Name, rdata: &[u8], mut found: impl FnMut(Finding)) {
    let Some((names, numbers)) = rdata.split_last_chunk::<20>() else { return };
    let number =
        |at: usize| u32::from_be_bytes([numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3]]);
    let (serial, refresh, retry, expire, minimum) = (number(0), number(4), number(8), number(12), number(16));
    let mailbox = wire_octets(names).ok().and_then(|octets| Name::from_wire(names.get(octets..)?).ok());
    if let Some(mailbox) = mailbox
        && Labels::of_wire(mailbox.as_wire()).any(|label| label.contains(&b'@'))
    {
        found(Finding::MailboxWithAt { owner: owner.clone(), mailbox });
    }
    if serial == 0 {
        found(Finding::SerialZero { owner: owner.clone() });
    }
    let times = [("refresh", refresh), ("retry", retry), ("expire", expire)];
    for (field, _) in times.into_iter().filter(|(_, seconds)| *seconds == 0) {
        found(Finding::SoaTimeZero { owner: owner.clone(), field });
    }
    // What compares with a time of 0 has nothing to add to that.
    if times.iter().all(|(_, seconds)| *seconds > 0) {
        if retry >= refresh {
            found(Finding::RetryNotBelowRefresh { owner: owner.clone(), retry, refresh });
        }
        if expire <= refresh.saturating_add(retry) {
            found(Finding::ExpireTooShort { owner: owner.clone(), expire, refresh, retry });
        }
    }
    if minimum > MINIMUM_MAX {
        found(Finding::MinimumTooLong { owner: owner.clone(), minimum });
    }
}
