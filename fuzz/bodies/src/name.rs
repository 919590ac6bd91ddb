//! Domain names, from the wire and from text.

use dns_core::Name;

/// Reads the octets as a name in both forms; whatever is accepted survives the way to the other form and back.
pub fn run(data: &[u8]) {
    if let Ok((name, rest)) = Name::split_from_wire(data) {
        let taken = &data[..data.len() - rest.len()];
        assert!(name.as_wire().eq_ignore_ascii_case(taken));
        round_trip(&name);
    }
    if let Ok(name) = Name::from_text(data, None) {
        round_trip(&name);
    }
    let origin = Name::root();
    if let Ok(name) = Name::from_text(data, Some(&origin)) {
        assert!(name.is_at_or_below(&origin));
        round_trip(&name);
    }
}

fn round_trip(name: &Name) {
    let text = name.to_string();
    let from_text = Name::from_text(text.as_bytes(), None);
    assert_eq!(from_text.as_ref(), Ok(name), "{text}");
    let from_wire = Name::from_wire(name.as_wire());
    assert_eq!(from_wire.as_ref(), Ok(name), "{text}");
    assert_eq!(from_wire.map(|again| again.hash64()), Ok(name.hash64()), "{text}");
    assert_eq!(name.labels().count(), name.label_count(), "{text}");
    assert_eq!(name.parent().map_or(0, |parent| parent.label_count() + 1), name.label_count(), "{text}");
}
