//! From records to a tidy zone file.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt::{self, Write as _};

use thiserror::Error;

use crate::name::{Labels, canonical_cmp, escape_label, is_at_or_below, write_wire};
use crate::{Name, RecordType, rdata};

use super::error::Report;
use super::read::{Include, Options, ZoneRecord, read};

/// A record to write.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record<'a> {
    /// Owner as uncompressed, valid wire form.
    pub owner: &'a [u8],
    /// Seconds.
    pub ttl: u32,
    /// Type of the record.
    pub rtype: RecordType,
    /// RDATA as uncompressed wire form.
    pub rdata: &'a [u8],
}

/// Writes records as a zone file.
///
/// The SOA record comes first, then the apex, then all names in canonical order, at each name by type and otherwise in the
/// order given. Owners are relative to the apex (those outside it absolute), names in RDATA absolute, and a TTL stands
/// only where it differs from the most common one, which `$TTL` states.
///
/// # Errors
/// Only those of `out`.
pub fn write<'r>(
    apex: &Name,
    records: impl IntoIterator<Item = Record<'r>>,
    out: &mut impl fmt::Write,
) -> fmt::Result {
    let mut records: Vec<_> = records.into_iter().collect();
    records.sort_by(|left, right| order(apex, left, right));
    let default_ttl = most_common_ttl(&records);
    let columns = Columns::of(apex, &records, default_ttl);

    writeln!(out, "$ORIGIN {apex}")?;
    if let Some(ttl) = default_ttl {
        writeln!(out, "$TTL {ttl}")?;
    }
    let mut line = String::new();
    let mut last_owner = None;
    for record in &records {
        line.clear();
        if last_owner != Some(record.owner) {
            write_owner(apex, record.owner, &mut line)?;
        }
        last_owner = Some(record.owner);
        pad(&mut line, columns.ttl);
        if Some(record.ttl) != default_ttl {
            write!(line, "{}", record.ttl)?;
        }
        pad(&mut line, columns.rtype);
        write!(line, "{}", record.rtype)?;
        pad(&mut line, columns.rdata);
        write_rdata(record, columns.rdata, &mut line)?;
        writeln!(out, "{}", line.trim_end_matches(' '))?;
    }
    Ok(())
}

/// Why a zone file was not formatted.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum FormatError {
    /// There are errors, all of them in the report.
    #[error("{0}")]
    Wrong(Report),
    /// There is no SOA record, nor an origin to take for the apex.
    #[error("no SOA record and no origin, so the zone has no name")]
    NoApex,
}

/// Reads a zone file and writes it anew, as [`write`] does; returns the text and what [`read`] reports, warnings at most.
///
/// The text is that of one file: what is included becomes part of it, and `$GENERATE` the records it makes. Comments are
/// not kept. The apex is the owner of the first SOA record, else [`Options::origin`].
pub fn format(
    file: &str,
    octets: &[u8],
    options: &Options,
    include: &mut Include<'_>,
) -> Result<(String, Report), FormatError> {
    let mut rows = Vec::new();
    let mut data = Vec::new();
    let mut apex = None;
    let report = read(file, octets, options, include, |record: ZoneRecord<'_>| {
        let owner_at = data.len();
        data.extend_from_slice(record.owner);
        let rdata_at = data.len();
        data.extend_from_slice(record.rdata);
        rows.push((record.ttl, record.rtype, owner_at, rdata_at, data.len()));
        if record.rtype == RecordType::SOA && apex.is_none() {
            apex = Name::from_wire(record.owner).ok();
        }
    });
    if !report.is_ok() {
        return Err(FormatError::Wrong(report));
    }
    let apex = apex.or_else(|| options.origin.clone()).ok_or(FormatError::NoApex)?;
    let records = rows.iter().map(|&(ttl, rtype, owner_at, rdata_at, end)| Record {
        owner: &data[owner_at..rdata_at],
        ttl,
        rtype,
        rdata: &data[rdata_at..end],
    });
    let mut text = String::new();
    // A String takes everything.
    let _ = write(&apex, records, &mut text);
    Ok((text, report))
}

fn order(apex: &Name, left: &Record<'_>, right: &Record<'_>) -> Ordering {
    let rank = |record: &Record<'_>| {
        let at_apex = record.owner.eq_ignore_ascii_case(apex.as_wire());
        (!(at_apex && record.rtype == RecordType::SOA), !at_apex)
    };
    rank(left)
        .cmp(&rank(right))
        .then_with(|| canonical_cmp(left.owner, right.owner))
        .then_with(|| type_rank(left.rtype).cmp(&type_rank(right.rtype)))
}

/// By number, and signatures behind what they sign.
fn type_rank(rtype: RecordType) -> (bool, RecordType) {
    (rtype == RecordType::RRSIG, rtype)
}

/// The TTL that most records have; the smaller of two equally common ones.
fn most_common_ttl(records: &[Record<'_>]) -> Option<u32> {
    let mut counts = HashMap::<u32, usize>::new();
    for record in records {
        *counts.entry(record.ttl).or_default() += 1;
    }
    let (ttl, _) = counts.into_iter().max_by_key(|&(ttl, count)| (count, u32::MAX - ttl))?;
    Some(ttl)
}

/// Where the columns begin, counted from 0.
struct Columns {
    ttl: usize,
    rtype: usize,
    rdata: usize,
}

impl Columns {
    fn of(apex: &Name, records: &[Record<'_>], default_ttl: Option<u32>) -> Self {
        let (mut owner, mut ttl, mut rtype) = (0, 0, 0);
        let mut text = String::new();
        for record in records {
            text.clear();
            let _ = write_owner(apex, record.owner, &mut text);
            // A few long owners must not push all the others apart.
            if text.len() <= OWNER_COLUMNS_MAX {
                owner = owner.max(text.len());
            }
            text.clear();
            let _ = write!(text, "{}", record.rtype);
            rtype = rtype.max(text.len());
            if Some(record.ttl) != default_ttl {
                ttl = ttl.max(record.ttl.checked_ilog10().unwrap_or(0) as usize + 1);
            }
        }
        let ttl_at = owner + 1;
        let type_at = if ttl == 0 { ttl_at } else { ttl_at + ttl + 1 };
        Self { ttl: ttl_at, rtype: type_at, rdata: type_at + rtype + 1 }
    }
}

/// Fills up to a column, by one space at least where a word would touch the next.
fn pad(line: &mut String, column: usize) {
    let touches = !line.is_empty() && !line.ends_with(' ');
    let spaces = column.saturating_sub(line.len()).max(usize::from(touches));
    line.extend(std::iter::repeat_n(' ', spaces));
}

fn write_owner(apex: &Name, owner: &[u8], out: &mut String) -> fmt::Result {
    if !is_at_or_below(owner, apex.as_wire()) {
        return write_wire(owner, out);
    }
    let labels = Labels::of_wire(owner).count() - apex.label_count();
    if labels == 0 {
        return out.write_char('@');
    }
    for (index, label) in Labels::of_wire(owner).take(labels).enumerate() {
        if index > 0 {
            out.write_char('.')?;
        }
        escape_label(label, out)?;
    }
    Ok(())
}

fn write_rdata(record: &Record<'_>, column: usize, line: &mut String) -> fmt::Result {
    if record.rtype != RecordType::SOA {
        return rdata::write_text(record.rtype, record.rdata, line);
    }
    let mut text = String::new();
    rdata::write_text(record.rtype, record.rdata, &mut text)?;
    let fields: Vec<_> = text.split(' ').collect();
    // Malformed data are written in the generic form, which has other words.
    let [mname, rname, numbers @ ..] = &fields[..] else {
        return line.write_str(&text);
    };
    if numbers.len() != SOA_NUMBERS.len() || *mname == r"\#" {
        return line.write_str(&text);
    }
    write!(line, "{mname} {rname} (")?;
    for (number, name) in numbers.iter().zip(SOA_NUMBERS) {
        write!(line, "\n{:column$}{number:10} ; {name}", "")?;
    }
    write!(line, "\n{:column$})", "")
}

const SOA_NUMBERS: [&str; 5] = ["serial", "refresh", "retry", "expire", "minimum"];

/// Widest owner that the owner column is made for.
const OWNER_COLUMNS_MAX: usize = 32;
