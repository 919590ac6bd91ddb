//! The names inside RDATA: where they lie, their canonical form, and their decompression.

use std::borrow::Cow;
use std::iter::FusedIterator;
use std::ops::Range;

use smallvec::SmallVec;

use super::{
    RDATA_OCTETS_MAX, RdataError, RdataFault,
    field::{Field, NameUse},
    table::layout,
    walk::{self, Shape, shape},
};
use crate::{
    RecordType,
    name::{NAME_OCTETS_MAX, NameError, wire_octets},
};

/// A name inside RDATA.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EmbeddedName {
    /// The octets of the RDATA that are the name.
    pub range: Range<usize>,
    /// May be compressed when it is sent: true for the types of RFC 1035 only
    /// ([RFC 3597, section 4](https://www.rfc-editor.org/rfc/rfc3597#section-4)).
    pub compressible: bool,
    /// The addresses of this name belong in the additional section.
    pub additional: bool,
    /// Is lower case in canonical form.
    pub lower_in_canonical: bool,
}

/// The names inside one RDATA; see [`embedded_names`](super::embedded_names).
#[derive(Clone, Debug)]
pub struct EmbeddedNames<'a> {
    fields: &'static [Field],
    rdata: &'a [u8],
    at: usize,
}

impl<'a> EmbeddedNames<'a> {
    #[inline]
    pub(super) fn new(rtype: RecordType, rdata: &'a [u8]) -> Self {
        Self { fields: layout(rtype).map_or(&[], |layout| &layout.fields[..layout.named]), rdata, at: 0 }
    }

    fn name(&mut self, name: NameUse) -> Option<EmbeddedName> {
        let Ok(octets) = wire_octets(&self.rdata[self.at..]) else {
            self.fields = &[];
            return None;
        };
        let range = self.at..self.at + octets;
        self.at = range.end;
        Some(EmbeddedName {
            range,
            compressible: name.compressible,
            additional: name.additional,
            lower_in_canonical: name.lower,
        })
    }
}

impl Iterator for EmbeddedNames<'_> {
    type Item = EmbeddedName;

    fn next(&mut self) -> Option<EmbeddedName> {
        while let [field, rest @ ..] = self.fields {
            match shape(field, self.rdata, self.at) {
                Ok(Shape::Octets(end) | Shape::Opaque(end)) => self.at = end,
                Ok(Shape::Name(name)) => {
                    self.fields = rest;
                    return self.name(name);
                }
                Ok(Shape::Names(name)) => {
                    if self.at < self.rdata.len() {
                        return self.name(name);
                    }
                }
                Err(_) => {
                    self.fields = &[];
                    return None;
                }
            }
            self.fields = rest;
        }
        None
    }
}

impl FusedIterator for EmbeddedNames<'_> {}

pub(super) fn canonicalize(rtype: RecordType, rdata: &mut [u8]) {
    // No type has more than two names that are lowered.
    let ranges: SmallVec<[Range<usize>; 2]> = EmbeddedNames::new(rtype, rdata)
        .filter(|name| name.lower_in_canonical)
        .map(|name| name.range)
        .collect();
    for range in ranges {
        rdata[range].make_ascii_lowercase(); // length octets are below 64 and so never letters
    }
}

pub(super) fn with_lower_names(rtype: RecordType, rdata: &[u8]) -> Cow<'_, [u8]> {
    let has_names = layout(rtype).is_some_and(|layout| layout.named > 0);
    if !has_names || !rdata.iter().any(u8::is_ascii_uppercase) {
        return Cow::Borrowed(rdata);
    }
    let mut lower = rdata.to_vec();
    for name in EmbeddedNames::new(rtype, rdata) {
        lower[name.range].make_ascii_lowercase();
    }
    Cow::Owned(lower)
}

pub(super) fn decompress(
    rtype: RecordType,
    message: &[u8],
    range: Range<usize>,
    out: &mut Vec<u8>,
) -> Result<(), RdataError> {
    let before = out.len();
    let done = expand(rtype, message, range, out).and_then(|()| match out.len() - before {
        ..=RDATA_OCTETS_MAX => Ok(()),
        octets => Err(RdataFault::TooLong(octets)),
    });
    if done.is_err() {
        out.truncate(before);
    }
    done.map_err(Into::into)
}

fn expand(
    rtype: RecordType,
    message: &[u8],
    range: Range<usize>,
    out: &mut Vec<u8>,
) -> Result<(), RdataFault> {
    let start = range.start;
    let end = range.end;
    let rdata = message.get(range).ok_or(RdataFault::Truncated("RDATA"))?;
    let Some(layout) = layout(rtype) else {
        out.extend_from_slice(rdata);
        return Ok(());
    };
    let mut copied = 0;
    walk::walk(layout, rdata, |field, at| {
        out.extend_from_slice(&rdata[copied..at]);
        let name_end = expand_name(field, &message[..end], start + at, out)?;
        copied = name_end - start;
        Ok(copied)
    })?;
    out.extend_from_slice(&rdata[copied..]);
    Ok(())
}

/// Appends the name at `at` without compression; tells where it ends in the message.
fn expand_name(field: &Field, message: &[u8], at: usize, out: &mut Vec<u8>) -> Result<usize, RdataFault> {
    let bad = |error| RdataFault::WireName { field: field.name, error };
    let begin = out.len();
    let mut end = None;
    // Where the labels read so far began; a pointer must go before it, so that each jump comes nearer to the header.
    let mut floor = at;
    let mut at = at;
    loop {
        match *message.get(at).ok_or(bad(NameError::Truncated))? {
            0 => {
                out.push(0);
                return Ok(end.unwrap_or(at + 1));
            }
            octets @ 1..=63 => {
                let label = at..=at + usize::from(octets);
                out.extend_from_slice(message.get(label).ok_or(bad(NameError::Truncated))?);
                at += 1 + usize::from(octets);
                if out.len() - begin >= NAME_OCTETS_MAX {
                    return Err(bad(NameError::TooLong));
                }
            }
            high @ 192.. => {
                let low = *message.get(at + 1).ok_or(bad(NameError::Truncated))?;
                let target = usize::from(u16::from_be_bytes([high & 0x3f, low]));
                if target >= floor {
                    return Err(RdataFault::Pointer(field.name));
                }
                end = end.or(Some(at + 2));
                at = target;
                floor = target;
            }
            _ => return Err(bad(NameError::BadLabelType)),
        }
    }
}
