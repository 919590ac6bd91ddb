//! Wire to text.

use std::fmt::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

use data_encoding::{BASE32_DNSSEC, BASE64, HEXUPPER};

use super::{
    apl, bitmap,
    field::{Field, Kind, Mnemonics},
    historic, host, loc, svcb,
    table::layout,
    time,
    walk::{self, Shape, Writable, shape},
};
use crate::{
    RecordType,
    name::{wire_octets, write_wire},
};

pub(super) fn print(rtype: RecordType, rdata: &[u8], out: &mut impl Write) -> fmt::Result {
    let layout = match layout(rtype) {
        Some(layout) if walk::check(layout, rdata) == Ok(Writable::Text) => layout,
        _ => return print_generic(rdata, out),
    };
    let mut words = WordWriter { out, first: true };
    let mut at = 0;
    for field in layout.fields {
        at = print_field(field, rdata, at, &mut words).ok_or(fmt::Error)??;
    }
    Ok(())
}

fn print_generic(rdata: &[u8], out: &mut impl Write) -> fmt::Result {
    write!(out, r"\# {}", rdata.len())?;
    if rdata.is_empty() {
        return Ok(());
    }
    out.write_char(' ')?;
    HEXUPPER.encode_write(rdata, out)
}

/// Puts a space before every word but the first.
pub(super) struct WordWriter<'a, W> {
    out: &'a mut W,
    first: bool,
}

impl<W: Write> WordWriter<'_, W> {
    pub(super) fn word(&mut self) -> Result<&mut W, fmt::Error> {
        if !self.first {
            self.out.write_char(' ')?;
        }
        self.first = false;
        Ok(self.out)
    }
}

/// Writes the field at `at` and tells where the next begins; `None` cannot happen once the octets are checked.
fn print_field<W: Write>(
    field: &Field,
    rdata: &[u8],
    at: usize,
    words: &mut WordWriter<'_, W>,
) -> Option<Result<usize, fmt::Error>> {
    let end = match shape(field, rdata, at).ok()? {
        Shape::Octets(end) => end,
        Shape::Opaque(_) => return None,
        Shape::Name(_) => {
            let end = at + wire_octets(&rdata[at..]).ok()?;
            let written = words.word().and_then(|out| write_wire(&rdata[at..end], out));
            return Some(written.map(|()| end));
        }
        Shape::Names(_) => rdata.len(),
    };
    let octets = rdata.get(at..end)?;
    Some(print_octets(field.kind, octets, words).map(|()| end))
}

fn print_octets<W: Write>(kind: Kind, octets: &[u8], words: &mut WordWriter<'_, W>) -> fmt::Result {
    match kind {
        Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 | Kind::Seconds => {
            write!(words.word()?, "{}", unsigned(octets))
        }
        Kind::Time => time::print(unsigned(octets) as u32, words.word()?),
        Kind::Mnemonic(mnemonics) => print_mnemonic(mnemonics, unsigned(octets) as u16, words.word()?),
        Kind::RecordType => write!(words.word()?, "{}", RecordType(unsigned(octets) as u16)),
        Kind::Ipv4 => {
            let octets: [u8; 4] = octets.try_into().map_err(|_| fmt::Error)?;
            write!(words.word()?, "{}", Ipv4Addr::from(octets))
        }
        Kind::Ipv6 => {
            let octets: [u8; 16] = octets.try_into().map_err(|_| fmt::Error)?;
            write!(words.word()?, "{}", Ipv6Addr::from(octets))
        }
        Kind::Names(_) => {
            let mut rest = octets;
            while !rest.is_empty() {
                let (name, tail) = rest.split_at(wire_octets(rest).map_err(|_| fmt::Error)?);
                write_wire(name, words.word()?)?;
                rest = tail;
            }
            Ok(())
        }
        Kind::Text | Kind::OptionalText | Kind::Texts => {
            let mut rest = octets;
            while let [count, tail @ ..] = rest {
                let (text, tail) = tail.split_at_checked(usize::from(*count)).ok_or(fmt::Error)?;
                print_quoted(text, words.word()?)?;
                rest = tail;
            }
            Ok(())
        }
        Kind::Tag => {
            let out = words.word()?;
            octets[1..].iter().try_for_each(|&octet| out.write_char(char::from(octet)))
        }
        Kind::LongText => print_quoted(octets, words.word()?),
        Kind::Base64OrDash if octets.is_empty() => words.word()?.write_char('-'),
        Kind::Base64(_) | Kind::Base64OrDash | Kind::Hex(_) if octets.is_empty() => Ok(()),
        Kind::Base64(_) | Kind::Base64OrDash => BASE64.encode_write(octets, words.word()?),
        Kind::Hex(_) => HEXUPPER.encode_write(octets, words.word()?),
        Kind::Salt if octets == [0] => words.word()?.write_char('-'),
        Kind::Salt => HEXUPPER.encode_write(&octets[1..], words.word()?),
        Kind::Hash => BASE32_DNSSEC.encode_write(&octets[1..], words.word()?),
        Kind::Types => bitmap::print(octets, words),
        Kind::Eui(_) => {
            let out = words.word()?;
            for (index, octet) in octets.iter().enumerate() {
                let separator = if index == 0 { "" } else { "-" };
                write!(out, "{separator}{octet:02x}")?;
            }
            Ok(())
        }
        Kind::Groups => {
            let out = words.word()?;
            for (index, group) in octets.chunks(2).enumerate() {
                let separator = if index == 0 { "" } else { ":" };
                write!(out, "{separator}{:04x}", unsigned(group))?;
            }
            Ok(())
        }
        Kind::Loc => loc::print(octets, words),
        Kind::Prefixes => apl::print(octets, words),
        Kind::SvcParams => svcb::print(octets, words),
        Kind::Gateway(..) => host::print_gateway(octets, words.word()?),
        Kind::RelayType => host::print_relay_type(octets[0], words),
        Kind::Hip => host::print_hip(octets, words),
        Kind::Suffix => historic::print_suffix(octets, words),
        Kind::Services => historic::print_services(octets, words),
        Kind::NxtTypes => historic::print_nxt_types(octets, words),
        Kind::Nsap => historic::print_nsap(octets, words.word()?),
        Kind::Atma => historic::print_atma(octets, words.word()?),
        // Names are written where they are found.
        Kind::Name(_) | Kind::PrefixName(_) => Ok(()),
    }
}

/// A big-endian number of up to eight octets.
pub(super) fn unsigned(octets: &[u8]) -> u64 {
    octets.iter().fold(0, |value, &octet| value << 8 | u64::from(octet))
}

fn print_mnemonic(mnemonics: &Mnemonics, value: u16, out: &mut impl Write) -> fmt::Result {
    match mnemonics.names.iter().find(|(number, _)| *number == value) {
        Some((_, name)) if mnemonics.written => out.write_str(name),
        _ => write!(out, "{value}"),
    }
}

/// Writes octets in double quotes; what does not print is escaped.
pub(super) fn print_quoted(octets: &[u8], out: &mut impl Write) -> fmt::Result {
    out.write_char('"')?;
    for &octet in octets {
        match octet {
            b'"' | b'\\' => {
                out.write_char('\\')?;
                out.write_char(char::from(octet))?;
            }
            0x20..=0x7e => out.write_char(char::from(octet))?,
            _ => write!(out, "\\{octet:03}")?,
        }
    }
    out.write_char('"')
}
