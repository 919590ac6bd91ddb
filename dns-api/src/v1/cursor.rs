//! Where the next page begins, in a form that nobody is to read anything into.

use data_encoding::BASE64URL_NOPAD;
use dns_core::{Name, RecordType};

use crate::faults::{self, Faults};
use crate::model::{Problem, ProblemKind};

/// Names and types, or zones, on a page, unless the client asks for another number.
const PAGE: usize = 100;
/// Most of them.
pub(crate) const PAGE_MAX: usize = 10_000;
/// Longer than the cursor of the longest name; what is longer is not even looked at.
const LENGTH_MAX: usize = 400;

/// Writes the first name and type of a page.
pub(crate) fn write((owner, rtype): &(Name, RecordType)) -> String {
    let octets = [&rtype.0.to_be_bytes()[..], owner.as_wire()].concat();
    BASE64URL_NOPAD.encode(&octets)
}

/// Reads what [`write`] has written.
pub(crate) fn read(text: &str) -> Result<(Name, RecordType), Problem> {
    let decode = || {
        let octets = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
        let (rtype, owner) = octets.split_first_chunk::<2>()?;
        let owner = Name::from_wire(owner).ok()?;
        Some((owner, RecordType(u16::from_be_bytes(*rtype))))
    };
    let read = if text.len() <= LENGTH_MAX { decode() } else { None };
    let detail = "cursor: it is none that a page has ended with";
    read.ok_or_else(|| Problem::new(ProblemKind::Malformed, detail))
}

/// How much a page is to have at most, and where it begins: `?limit=` and `?cursor=`.
pub(crate) fn parameters(
    limit: Option<&str>,
    cursor: Option<&str>,
    faults: &mut Faults,
) -> (usize, Option<(Name, RecordType)>) {
    let limit = faults::limit(limit, PAGE, 1..=PAGE_MAX, faults);
    let from = cursor.map(read).transpose().unwrap_or_else(|problem| {
        faults.add("", problem.detail);
        None
    });
    (limit, from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_back() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "b".repeat(61));
        for name in [".", "example.org", r"a\.b.*.example", &longest] {
            let key = (name.parse().unwrap(), RecordType::TXT);
            assert_eq!(read(&write(&key)), Ok(key));
        }
        let first = write(&(Name::root(), RecordType::A));
        for wrong in ["", "AA", "!", &format!("{first}A"), &first[1..], &"A".repeat(2000)] {
            assert_eq!(read(wrong).unwrap_err().status, 400, "{wrong}");
        }
    }
}
