//! RDATA of every type: as octets, as part of a message, and as text.

use dns_core::{Name, RecordType, rdata};

/// Two octets choose the type, the rest is tried in each form; whatever is accepted survives the way to the others.
pub fn run(data: &[u8]) {
    let Some((&[high, low], rest)) = data.split_first_chunk::<2>() else {
        return;
    };
    let rtype = RecordType(u16::from_be_bytes([high, low]));
    if rest.len() <= rdata::RDATA_OCTETS_MAX {
        from_octets(rtype, rest);
    }
    from_message(rtype, rest);
    if let Ok(text) = std::str::from_utf8(rest) {
        from_text(rtype, text);
    }
}

fn from_octets(rtype: RecordType, octets: &[u8]) {
    let valid = rdata::validate(rtype, octets).is_ok();
    let mut text = String::new();
    rdata::write_text(rtype, octets, &mut text).expect("a String takes everything");
    let back = rdata::from_text(rtype, &text, None);
    if valid {
        assert_eq!(back.as_deref(), Ok(octets), "{rtype} {text}");
    } else {
        assert!(back.is_err(), "{rtype} {text}");
    }
    let mut end = 0;
    for name in rdata::embedded_names(rtype, octets) {
        assert!(name.range.start >= end, "{rtype} {text}");
        end = name.range.end;
        assert!(Name::from_wire(&octets[name.range]).is_ok(), "{rtype} {text}");
    }
    let mut canonical = octets.to_vec();
    rdata::canonicalize(rtype, &mut canonical);
    assert!(canonical.eq_ignore_ascii_case(octets), "{rtype} {text}");
    assert_eq!(rdata::validate(rtype, &canonical).is_ok(), valid, "{rtype} {text}");
}

/// The first octet says where in the message the RDATA begins.
fn from_message(rtype: RecordType, message: &[u8]) {
    let begin = usize::from(message.first().copied().unwrap_or_default()).min(message.len());
    let mut out = Vec::new();
    if rdata::decompress(rtype, message, begin..message.len(), &mut out).is_ok() {
        assert_eq!(rdata::validate(rtype, &out), Ok(()), "{rtype} {out:02x?}");
    } else {
        assert!(out.is_empty());
    }
}

fn from_text(rtype: RecordType, text: &str) {
    if let Ok(octets) = rdata::from_text(rtype, text, Some(b"\x07example\0")) {
        assert_eq!(rdata::validate(rtype, &octets), Ok(()), "{rtype} {text}");
        from_octets(rtype, &octets);
    }
}
