//! Hashed owner names ([RFC 5155, section 5](https://www.rfc-editor.org/rfc/rfc5155#section-5)).

use dns_core::Name;
use sha1::{Digest, Sha1};

/// How a zone hashes its names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Nsec3Params {
    /// Hashings after the first.
    pub iterations: u16,
    /// Octets appended before each hashing.
    pub salt: Vec<u8>,
}

impl Nsec3Params {
    /// Reads the front of an NSEC3PARAM or NSEC3 record: algorithm, flags, iterations, salt.
    pub fn from_rdata(rdata: &[u8]) -> Option<Self> {
        let octets = usize::from(*rdata.get(4)?);
        Some(Self {
            iterations: u16::from_be_bytes([rdata[2], rdata[3]]),
            salt: rdata.get(5..5 + octets)?.to_vec(),
        })
    }

    /// IH(salt, name, iterations): twenty octets.
    pub fn hash(&self, name: &Name) -> Vec<u8> {
        let mut digest = Sha1::new().chain_update(name.as_wire()).chain_update(&self.salt).finalize();
        for _ in 0..self.iterations {
            digest = Sha1::new().chain_update(digest).chain_update(&self.salt).finalize();
        }
        digest.to_vec()
    }
}

/// The label that an NSEC3 record of such a hash stands under: base32hex without padding, lower case.
pub fn hash_label(hash: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
    let mut label = Vec::new();
    let (mut bits, mut pending) = (0u32, 0u32);
    for &octet in hash {
        bits = (bits << 8) | u32::from(octet);
        pending += 8;
        while pending >= 5 {
            pending -= 5;
            label.push(DIGITS[(bits >> pending) as usize & 31]);
        }
        bits &= (1 << pending) - 1;
    }
    if pending > 0 {
        label.push(DIGITS[(bits << (5 - pending)) as usize & 31]);
    }
    label
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hashes that [RFC 5155, appendix A](https://www.rfc-editor.org/rfc/rfc5155#appendix-A) lists.
    #[test]
    fn hashes_are_those_of_rfc_5155() {
        let params = Nsec3Params { iterations: 12, salt: vec![0xaa, 0xbb, 0xcc, 0xdd] };
        for (name, hash) in [
            ("example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            ("a.example", "35mthgpgcu1qg68fab165klnsnk3dpvl"),
            ("ai.example", "gjeqe526plbf1g8mklp59enfd789njgi"),
            ("ns1.example", "2t7b4g4vsa5smi47k61mv5bv1a22bojr"),
            ("*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
            ("xx.example", "t644ebqk9bibcna874givr6joj62mlhv"),
        ] {
            assert_eq!(
                String::from_utf8(hash_label(&params.hash(&name.parse().unwrap()))).unwrap(),
                hash,
                "{name}"
            );
        }
    }
}
