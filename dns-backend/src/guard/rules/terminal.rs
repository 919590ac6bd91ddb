//! What rules decide in place of zones.

use dns_core::name::{HashedName, NAME_OCTETS_MAX};
use dns_core::{Name, RecordType};

/// What a rule decides; see [`Action`](crate::guard::Action) for what each one means.
#[derive(Debug)]
pub enum Terminal {
    /// REFUSED.
    Refuse,
    /// NXDOMAIN.
    NxDomain,
    /// NOERROR without records.
    NoData,
    /// No reply.
    Drop,
    /// Other records than the zone's.
    Replace(Replaced),
    /// The answer of another name.
    Rewrite(Rewrite),
}

impl Terminal {
    /// What counters and explanations call it.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::NxDomain => "nxdomain",
            Self::NoData => "nodata",
            Self::Drop => "drop",
            Self::Replace(_) => "replace",
            Self::Rewrite(_) => "rewrite",
        }
    }

    /// It says something of the name: a rewrite passes by names that lack its suffix.
    pub(super) fn covers(&self, name: &HashedName) -> bool {
        match self {
            Self::Rewrite(rewrite) => rewrite.covers(name),
            _ => true,
        }
    }
}

/// Records in place of the zone's: at most one RRset of each type, or a CNAME alone.
#[derive(Debug)]
pub struct Replaced {
    pub(super) rrsets: Box<[ReplacedRrset]>,
}

/// Records of one type, ready to be copied.
#[derive(Debug)]
pub struct ReplacedRrset {
    /// Their type.
    pub rtype: RecordType,
    /// How many there are.
    pub count: u16,
    /// One after the other, class IN, each with `C0 0C` as its owner: a pointer to the name of the question. No name in
    /// them is compressed.
    pub records: Box<[u8]>,
}

impl Replaced {
    /// What answers a question for this type: the records of the type, or a CNAME. `None` is NODATA; for ANY see
    /// [`rrsets`](Self::rrsets).
    pub fn rrset(&self, qtype: RecordType) -> Option<&ReplacedRrset> {
        self.rrsets.iter().find(|rrset| rrset.rtype == qtype || rrset.rtype == RecordType::CNAME)
    }

    /// All records, by type in the order they were written.
    pub fn rrsets(&self) -> &[ReplacedRrset] {
        &self.rrsets
    }
}

/// One suffix in place of another.
#[derive(Debug)]
pub struct Rewrite {
    pub(super) from: Name,
    pub(super) to: Name,
}

impl Rewrite {
    /// What is replaced.
    pub fn from(&self) -> &Name {
        &self.from
    }

    /// What takes its place.
    pub fn to(&self) -> &Name {
        &self.to
    }

    /// The name ends with the suffix that is replaced.
    pub fn covers(&self, name: &HashedName) -> bool {
        let labels = self.from.label_count();
        labels <= name.labels()
            && name.hash(labels) == self.from.hash64()
            && name.suffix(labels) == self.from.as_wire()
    }

    /// Reads into `out` the name with its suffix replaced.
    ///
    /// False if the name would be longer than 255 octets, which a client is told by YXDOMAIN as it is where a DNAME does the
    /// same ([RFC 6672, section 2.2](https://www.rfc-editor.org/rfc/rfc6672#section-2.2)), or if the name lacks the suffix,
    /// which no name does for which [`find`](super::RuleSet::find) gives this rule. `out` is then of no use.
    pub fn apply(&self, name: &HashedName, out: &mut HashedName) -> bool {
        if !self.covers(name) {
            return false;
        }
        let labels = &name.wire()[..name.offset(self.from.label_count())];
        let to = self.to.as_wire();
        let mut wire = [0u8; NAME_OCTETS_MAX];
        let Some(wire) = wire.get_mut(..labels.len() + to.len()) else { return false };
        wire[..labels.len()].copy_from_slice(labels);
        wire[labels.len()..].copy_from_slice(to);
        out.read(wire).is_ok()
    }
}
