//! The types at a name, in windows of 256 ([RFC 4034, section 4.1.2]).
//!
//! [RFC 4034, section 4.1.2]: https://www.rfc-editor.org/rfc/rfc4034#section-4.1.2

use std::fmt::{self, Write};

use smallvec::SmallVec;

use super::{RdataError, RdataFault, print::WordWriter, scan::record_type};
use crate::{RecordType, Token};

pub(super) fn scan(tokens: &[Token<'_>], out: &mut Vec<u8>) -> Result<(), RdataError> {
    let mut types = SmallVec::<[u16; 32]>::new();
    for token in tokens {
        types.push(record_type(token)?.0);
    }
    types.sort_unstable();
    for window in types.chunk_by(|left, right| left >> 8 == right >> 8) {
        let mut bits = [0u8; 32];
        let mut octets = 0;
        for rtype in window {
            let at = usize::from(rtype & 0xff) / 8;
            bits[at] |= 0x80 >> (rtype & 7);
            octets = at + 1;
        }
        out.extend_from_slice(&[(window[0] >> 8) as u8, octets as u8]);
        out.extend_from_slice(&bits[..octets]);
    }
    Ok(())
}

/// Windows rise, and none is empty or has zeros at its end.
pub(super) fn check(field: &'static str, mut rest: &[u8]) -> Result<(), RdataFault> {
    let mut last = None;
    while !rest.is_empty() {
        let [window, octets, tail @ ..] = rest else {
            return Err(RdataFault::Truncated(field));
        };
        let (bits, tail) = tail.split_at_checked(usize::from(*octets)).ok_or(RdataFault::Truncated(field))?;
        if last.is_some_and(|last| last >= *window)
            || bits.len() > 32
            || bits.last().is_none_or(|&bits| bits == 0)
        {
            return Err(RdataFault::Malformed(field));
        }
        last = Some(*window);
        rest = tail;
    }
    Ok(())
}

/// Writes the mnemonics of checked octets.
pub(super) fn print<W: Write>(octets: &[u8], words: &mut WordWriter<'_, W>) -> fmt::Result {
    let mut rest = octets;
    while let [window, octets, tail @ ..] = rest {
        let (bits, tail) = tail.split_at_checked(usize::from(*octets)).ok_or(fmt::Error)?;
        print_window(u16::from(*window) << 8, bits, words)?;
        rest = tail;
    }
    Ok(())
}

/// Writes the types whose bits are set, the first bit being that of `base`.
pub(super) fn print_window<W: Write>(base: u16, bits: &[u8], words: &mut WordWriter<'_, W>) -> fmt::Result {
    for (index, octet) in bits.iter().enumerate() {
        for bit in 0..8 {
            if octet & (0x80 >> bit) != 0 {
                write!(words.word()?, "{}", RecordType(base + 8 * index as u16 + bit))?;
            }
        }
    }
    Ok(())
}
