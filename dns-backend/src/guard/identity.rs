//! What the server tells of itself: NSID, and TXT records of class CH.

use dns_core::name::HashedName;

use super::Identity;

/// Most octets of one string in TXT data ([RFC 1035, section 3.3](https://www.rfc-editor.org/rfc/rfc1035#section-3.3)).
const STRING_OCTETS_MAX: usize = 255;

/// Names of class CH with what they tell.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    pub nsid: Option<Vec<u8>>,
    /// Names in wire form, with RDATA.
    texts: Vec<(&'static [u8], Vec<u8>)>,
}

impl Identities {
    pub fn new(identity: &Identity) -> Self {
        let Identity { nsid, version, hostname, id } = identity;
        let texts = [
            (&b"\x07version\x04bind\0"[..], version),
            (b"\x07version\x06server\0", version),
            (b"\x08hostname\x04bind\0", hostname),
            (b"\x02id\x06server\0", id),
        ];
        Self {
            nsid: nsid.clone(),
            texts: texts.into_iter().filter_map(|(name, text)| Some((name, rdata(text.as_ref()?)))).collect(),
        }
    }

    /// RDATA of the TXT record of a name in class CH.
    pub fn text(&self, name: &HashedName) -> Option<&[u8]> {
        self.texts.iter().find(|(known, _)| *known == name.wire()).map(|(_, rdata)| &rdata[..])
    }
}

/// A text as strings of TXT data; an empty one is one empty string.
fn rdata(text: &str) -> Vec<u8> {
    let mut rdata = Vec::new();
    let mut rest = text.as_bytes();
    loop {
        let (string, after) = rest.split_at(rest.len().min(STRING_OCTETS_MAX));
        rdata.push(string.len() as u8);
        rdata.extend_from_slice(string);
        rest = after;
        if rest.is_empty() {
            return rdata;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_become_several_strings() {
        let of = |text: &str| rdata(text).iter().map(|octet| usize::from(*octet)).collect::<Vec<_>>();
        assert_eq!(of(""), [0]);
        assert_eq!(of("a"), [1, 97]);
        let long = of(&"x".repeat(300));
        assert_eq!((long.len(), long[0], long[256]), (302, 255, 45));
    }
}
