//! Proofs that something does not exist, from the NSEC and NSEC3 records of a signed zone
//! ([RFC 4035, section 3.1.3], [RFC 5155, section 7.2]).
//!
//! [RFC 4035, section 3.1.3]: https://www.rfc-editor.org/rfc/rfc4035#section-3.1.3
//! [RFC 5155, section 7.2]: https://www.rfc-editor.org/rfc/rfc5155#section-7.2

use dns_core::RecordType;
use dns_core::name::{HashedName, NAME_OCTETS_MAX};
use dns_core::zone::{NSEC3_HASH_OCTETS, Node, Nsec3Match, Signing};
use sha1::{Digest, Sha1};

use crate::answer::Place;
use crate::reply::{Full, Owner, Reply, Section};

/// No proof takes more records than this.
const RECORDS_MAX: usize = 4;

/// Writes the records of one proof into the authority section, none of them twice.
pub(crate) struct Proof<'r, 'b, 'z> {
    place: Place<'z>,
    reply: &'r mut Reply<'b>,
    written: [Option<*const u8>; RECORDS_MAX],
    /// Other proofs may stand in the section already.
    is_further: bool,
}

impl<'r, 'b, 'z> Proof<'r, 'b, 'z> {
    /// Begins a proof; `is_further` tells that there may be others in the reply.
    pub(crate) fn new(place: Place<'z>, is_further: bool, reply: &'r mut Reply<'b>) -> Self {
        Self { place, reply, written: [None; RECORDS_MAX], is_further }
    }

    /// The name does not exist, and the wildcard in its place does not either, or does not have the type.
    pub(crate) fn no_name(&mut self, name: &HashedName, encloser_labels: usize) -> Result<(), Full> {
        let encloser_labels = if self.is_nsec() {
            self.nsec(name.wire())?;
            encloser_labels
        } else {
            // What cannot be proven to exist, because it lies in an opt-out span, is no place for a wildcard either.
            self.closest_provable_encloser(name, encloser_labels)?
        };
        let mut wildcard = [0u8; NAME_OCTETS_MAX];
        match wildcard_of(name.suffix(encloser_labels), &mut wildcard) {
            Some(wildcard) if self.is_nsec() => self.nsec(wildcard),
            Some(wildcard) => self.nsec3(wildcard),
            // A wildcard that would be too long to exist needs no proof.
            None => Ok(()),
        }
    }

    /// The name exists without the type. An unsigned delegation, and an empty non-terminal that only leads to such, may
    /// lie in an opt-out span instead ([RFC 5155, section 7.2.4](https://www.rfc-editor.org/rfc/rfc5155#section-7.2.4)).
    pub(crate) fn no_type(&mut self, name: &HashedName) -> Result<(), Full> {
        if self.is_nsec() {
            return self.nsec(name.wire());
        }
        match self.nsec3_match(name.wire()) {
            Nsec3Match::Matching(node) => self.put(node, RecordType::NSEC3),
            _ => self.closest_provable_encloser(name, name.labels().saturating_sub(1)).map(drop),
        }
    }

    /// The answer comes from a wildcard: nothing that matches the name better exists.
    pub(crate) fn wildcard_answer(&mut self, name: &HashedName, encloser_labels: usize) -> Result<(), Full> {
        if self.is_nsec() {
            return self.nsec(name.wire());
        }
        self.nsec3(name.suffix(encloser_labels + 1))
    }

    fn is_nsec(&self) -> bool {
        *self.place.zone.signing() == Signing::Nsec
    }

    /// The NSEC record of a name, or the one whose span it falls into.
    fn nsec(&mut self, name: &[u8]) -> Result<(), Full> {
        match self.place.zone.nsec_at_or_before(name) {
            Some(node) => self.put(node, RecordType::NSEC),
            None => Ok(()),
        }
    }

    /// The NSEC3 record of a name, or the one whose span it falls into.
    fn nsec3(&mut self, name: &[u8]) -> Result<(), Full> {
        match self.nsec3_match(name) {
            Nsec3Match::Matching(node) | Nsec3Match::Covering(node) => self.put(node, RecordType::NSEC3),
            Nsec3Match::None => Ok(()),
        }
    }

    /// Proves the closest encloser: it exists, and the name one label longer does not ([RFC 5155, section 7.2.1]).
    ///
    /// Within an opt-out span existing names may have no NSEC3 record; then an ancestor has to do. Returns its labels.
    ///
    /// [RFC 5155, section 7.2.1]: https://www.rfc-editor.org/rfc/rfc5155#section-7.2.1
    fn closest_provable_encloser(
        &mut self,
        name: &HashedName,
        encloser_labels: usize,
    ) -> Result<usize, Full> {
        let apex_labels = self.place.zone.apex().label_count();
        for labels in (apex_labels..=encloser_labels).rev() {
            if let Nsec3Match::Matching(node) = self.nsec3_match(name.suffix(labels)) {
                self.put(node, RecordType::NSEC3)?;
                if labels < name.labels() {
                    self.nsec3(name.suffix(labels + 1))?;
                }
                return Ok(labels);
            }
        }
        Ok(apex_labels)
    }

    fn nsec3_match(&self, name: &[u8]) -> Nsec3Match<'z> {
        match self.place.zone.signing() {
            Signing::Nsec3 { iterations, salt } => {
                self.place.zone.nsec3(&nsec3_hash(name, *iterations, salt))
            }
            _ => Nsec3Match::None,
        }
    }

    fn put(&mut self, node: Node<'z>, rtype: RecordType) -> Result<(), Full> {
        let identity = node.name().as_ptr();
        let Some(free) = self.written.iter_mut().find(|seen| seen.is_none_or(|seen| seen == identity)) else {
            return Ok(());
        };
        if free.is_some() {
            return Ok(());
        }
        *free = Some(identity);
        let Some(rrset) = node.rrset(rtype) else { return Ok(()) };
        if self.is_further && self.reply.has(Section::Authority, node.name(), &rrset) {
            return Ok(());
        }
        // Proofs live as long as negative answers do (RFC 9077, section 3); signers see to that, and we copy.
        self.reply
            .put(Section::Authority, &rrset, Owner::Name(node.name()), self.place.origin, true)
            .map(drop)
    }
}

/// The wildcard directly below a name; `None` if it would be too long.
fn wildcard_of<'w>(name: &[u8], wildcard: &'w mut [u8; NAME_OCTETS_MAX]) -> Option<&'w [u8]> {
    let wildcard = wildcard.get_mut(..2 + name.len())?;
    wildcard[..2].copy_from_slice(b"\x01*");
    wildcard[2..].copy_from_slice(name);
    Some(wildcard)
}

/// Hash of an owner name ([RFC 5155, section 5](https://www.rfc-editor.org/rfc/rfc5155#section-5)); `name` is lower case.
fn nsec3_hash(name: &[u8], iterations: u16, salt: &[u8]) -> [u8; NSEC3_HASH_OCTETS] {
    let mut digest = Sha1::new().chain_update(name).chain_update(salt).finalize();
    for _ in 0..iterations {
        digest = Sha1::new().chain_update(digest).chain_update(salt).finalize();
    }
    digest.into()
}

#[cfg(test)]
mod tests {
    use dns_core::Name;

    use super::nsec3_hash;

    /// The names and hashes of [RFC 5155, appendix A](https://www.rfc-editor.org/rfc/rfc5155#appendix-A).
    #[test]
    fn hashes_are_those_of_rfc_5155() {
        let salt = [0xaa, 0xbb, 0xcc, 0xdd];
        for (name, expected) in [
            ("example", "0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM"),
            ("a.example", "35MTHGPGCU1QG68FAB165KLNSNK3DPVL"),
            ("*.w.example", "R53BQ7CC2UVMUBFU5OCMM6PERS9TK9EN"),
        ] {
            let name: Name = name.parse().unwrap();
            let hash = nsec3_hash(name.as_wire(), 12, &salt);
            assert_eq!(data_encoding::BASE32HEX_NOPAD.encode(&hash), expected);
        }
    }
}
