//! Entries of the journal: any octets, as a damaged disk or backup may have them.

use dns_journal::codec;

/// Octets that are read as an entry are written as the same octets again, and are none when they are cut short.
pub fn run(data: &[u8]) {
    let Ok(entry) = codec::decode(data) else { return };
    let written = codec::encode(&entry).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(written, data, "{entry:?}");
    for end in [0, data.len() / 2, data.len() - 1] {
        assert!(codec::decode(&data[..end]).is_err(), "{end} of {} octets", data.len());
    }
}
