//! From entries to records: owners, TTLs, classes and types.

use std::sync::Arc;

use crate::name::{NAME_OCTETS_MAX, wire_from_text};
use crate::rdata;
use crate::{Name, Position, RecordType, Token};

use super::error::{Cause, Doubt, Report, Word, ZoneFileError, ZoneFileWarning};
use super::scan::{Entry, Scanner};
use super::ttl;

/// Most files that may be open at once through `$INCLUDE`, the zone file itself not counted.
pub const INCLUDE_DEPTH_MAX: usize = 10;

/// Most files that one zone file may include in all, one read twice counted twice.
pub const INCLUDES_MAX: usize = 10_000;

/// What a zone file does not say itself.
#[derive(Clone, Debug)]
pub struct Options {
    /// Completes relative names until the first `$ORIGIN`; without it they are errors.
    pub origin: Option<Name>,
    /// TTL, in seconds, of records that have none where the file does not say either: neither by `$TTL` nor by a record
    /// before that has one.
    pub default_ttl: Option<u32>,
    /// How many errors are kept; the rest is counted.
    pub errors_max: usize,
    /// The fewest octets that are worth another thread where [several](super::read_in_parts) read a file.
    pub part_octets_min: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { origin: None, default_ttl: None, errors_max: 1_000, part_octets_min: 64 << 10 }
    }
}

/// A record as it stands in a zone file; class IN.
#[derive(Clone, Copy, Debug)]
pub struct ZoneRecord<'a> {
    /// Owner as uncompressed wire form in lower case.
    pub owner: &'a [u8],
    /// Seconds, at most [`TTL_MAX`](crate::TTL_MAX).
    pub ttl: u32,
    /// Any type that can be stored.
    pub rtype: RecordType,
    /// RDATA as uncompressed wire form, valid for the type, letter case kept.
    pub rdata: &'a [u8],
    /// Index into [`Report::files`].
    pub file: u16,
    /// Where the record begins.
    pub position: Position,
}

/// Answers `$INCLUDE`: takes the path as written and the name of the file it is written in, and returns the name of the
/// file that was meant with its octets, or why there are none.
pub type Include<'a> = dyn FnMut(&str, &str) -> Result<(String, Vec<u8>), String> + 'a;

/// Includes nothing: for zone files that come from where there are no files.
pub fn no_includes(_path: &str, _from: &str) -> Result<(String, Vec<u8>), String> {
    Err("files cannot be included here".to_owned())
}

/// Reads a zone file and hands each record to `sink`, in the order of the file.
///
/// An entry with a mistake is left out and reported, and reading goes on with the next; so `sink` has seen all records
/// only when the report [is good](Report::is_ok). `file` is the file's name in messages.
///
/// A record without a TTL takes that of the last `$TTL`, else that of the last record that had one, else
/// [`Options::default_ttl`]. If there is nothing of the kind, a SOA record takes its own minimum field, with a warning,
/// and makes it the default; for others that is an error. As in BIND, `$TTL` in an included file stays in force behind
/// it, while origin and last owner are those of the including file again.
pub fn read<S>(file: &str, octets: &[u8], options: &Options, include: &mut Include<'_>, sink: S) -> Report
where
    S: FnMut(ZoneRecord<'_>),
{
    let mut reader = Reader::new(options, include, sink);
    let origin = options.origin.as_ref().map(|origin| origin.as_wire().to_vec());
    reader.read_file(file.into(), octets, origin);
    reader.into_report()
}

/// An entry, or a part of one, that was refused; it stands where the position says.
pub(super) type Failure = (Position, Cause);

pub(super) struct Reader<'r, 'i, S> {
    options: &'r Options,
    pub include: &'r mut Include<'i>,
    sink: S,
    report: Report,
    /// What `$TTL` said, or the first SOA where nothing else did.
    pub default_ttl: Option<u32>,
    last_ttl: Option<u32>,
    no_ttl_reported: bool,
    /// There was a directive.
    directed: bool,
    rdata: Vec<u8>,
    /// The files that are being read, each included by the one before.
    pub open: Vec<Arc<str>>,
    /// How many files were included so far.
    pub included: usize,
}

/// A file while it is being read.
pub(super) struct File {
    index: u16,
    pub name: Arc<str>,
    /// Uncompressed wire form, letter case kept: RDATA keep it too.
    pub origin: Option<Vec<u8>>,
    last_owner: LastOwner,
    /// Wire form of the last owner.
    owner: Vec<u8>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum LastOwner {
    None,
    Known,
    /// The record before has no readable owner: lines that rely on it are checked and left out.
    Unknown,
}

/// What stands between owner and RDATA.
pub(super) struct Fields {
    pub ttl: Option<u32>,
    pub rtype: RecordType,
    /// Where the type stands.
    pub position: Position,
}

impl<'r, 'i, S: FnMut(ZoneRecord<'_>)> Reader<'r, 'i, S> {
    pub(super) fn new(options: &'r Options, include: &'r mut Include<'i>, sink: S) -> Self {
        Self {
            options,
            include,
            sink,
            report: Report::default(),
            default_ttl: None,
            last_ttl: None,
            no_ttl_reported: false,
            directed: false,
            rdata: Vec::new(),
            open: Vec::new(),
            included: 0,
        }
    }

    pub(super) fn into_report(self) -> Report {
        self.report
    }

    pub(super) fn has_errors(&self) -> bool {
        !self.report.is_ok()
    }

    /// Something was met that is more than records: errors, warnings, directives.
    #[inline]
    pub(super) fn is_remarkable(&self) -> bool {
        self.directed || self.has_errors() || !self.report.warnings.is_empty()
    }

    pub(super) fn read_file(&mut self, name: Arc<str>, octets: &[u8], origin: Option<Vec<u8>>) {
        let mut file = self.open_file(name, origin);
        let (mut scanner, mut tokens) = (Scanner::new(octets), Vec::new());
        while self.read_entry(&mut file, &mut scanner, &mut tokens) {}
        self.open.pop();
    }

    /// Begins with a file; it is [open](Self::open) until somebody says otherwise.
    pub(super) fn open_file(&mut self, name: Arc<str>, origin: Option<Vec<u8>>) -> File {
        let index = self.file_index(&name);
        self.open.push(Arc::clone(&name));
        let owner = Vec::with_capacity(NAME_OCTETS_MAX);
        File { index, name, origin, last_owner: LastOwner::None, owner }
    }

    /// Reads the next entry of a file; `false` at the end. `tokens` is room for its words.
    #[inline]
    pub(super) fn read_entry<'a>(
        &mut self,
        file: &mut File,
        scanner: &mut Scanner<'a>,
        tokens: &mut Vec<Token<'a>>,
    ) -> bool {
        let Some(entry) = scanner.next(tokens) else { return false };
        let done = match entry {
            Err(error) => {
                file.last_owner = LastOwner::Unknown;
                Err((error.position, error.cause))
            }
            Ok(entry) => match tokens.split_first() {
                Some((first, arguments))
                    if !entry.owner_blank && !first.quoted && first.raw.starts_with(b"$") =>
                {
                    self.directed = true;
                    self.directive(file, first, arguments)
                }
                _ => self.record(file, &entry, tokens),
            },
        };
        if let Err(failure) = done {
            self.fail(file, failure);
        }
        true
    }

    /// The index of a file in the report; one that is included twice has one.
    fn file_index(&mut self, name: &Arc<str>) -> u16 {
        let files = &mut self.report.files;
        let index = files.iter().position(|file| file == name).unwrap_or_else(|| {
            files.push(Arc::clone(name));
            files.len() - 1
        });
        index as u16 // INCLUDES_MAX keeps it in range
    }

    pub(super) fn fail(&mut self, file: &File, (position, cause): Failure) {
        if self.report.errors.len() < self.options.errors_max {
            self.report.errors.push(ZoneFileError { file: Arc::clone(&file.name), position, cause });
        } else {
            self.report.errors_omitted += 1;
        }
    }

    fn record(&mut self, file: &mut File, entry: &Entry, tokens: &[Token<'_>]) -> Result<(), Failure> {
        let Some((first, behind_first)) = tokens.split_first() else {
            return Ok(()); // the scanner gives no empty entries
        };
        let rest = if entry.owner_blank {
            if file.last_owner == LastOwner::None {
                // Once is enough: the lines that follow are in the same plight.
                file.last_owner = LastOwner::Unknown;
                self.fail(file, (first.position, Cause::NoOwner));
            }
            tokens
        } else {
            // What follows is checked even if the owner is wrong.
            if let Err(failure) = file.set_owner(first) {
                self.fail(file, failure);
            }
            behind_first
        };
        let (fields, rdata) = fields(rest, first.position)?;
        if entry.quote_in_word {
            let checked = match fields.rtype {
                RecordType::SVCB | RecordType::HTTPS => &tokens[..tokens.len() - rdata.len()],
                _ => tokens,
            };
            refuse_quotes_in_words(checked)?;
        }
        let owner = (file.last_owner == LastOwner::Known).then_some(&file.owner[..]);
        self.emit(file, owner, first.position, &fields, rdata)
    }

    /// Passes a record on once its data are read; one without an owner is only checked.
    pub(super) fn emit(
        &mut self,
        file: &File,
        owner: Option<&[u8]>,
        position: Position,
        fields: &Fields,
        tokens: &[Token<'_>],
    ) -> Result<(), Failure> {
        let rtype = fields.rtype;
        self.rdata.clear();
        if let Err(source) = rdata::from_tokens(rtype, tokens, file.origin.as_deref(), &mut self.rdata) {
            let position = source.position.unwrap_or(fields.position);
            return Err((position, Cause::Rdata { rtype, source }));
        }
        if fields.ttl.is_some() {
            self.last_ttl = fields.ttl;
        }
        let known = fields.ttl.or(self.default_ttl).or(self.last_ttl).or(self.options.default_ttl);
        let ttl = match (known, self.rdata.last_chunk()) {
            (Some(ttl), _) => ttl,
            (None, Some(minimum)) if rtype == RecordType::SOA => {
                let ttl = u32::from_be_bytes(*minimum).min(crate::TTL_MAX);
                self.default_ttl = Some(ttl);
                self.report.warnings.push(ZoneFileWarning {
                    file: Arc::clone(&file.name),
                    position,
                    doubt: Doubt::SoaMinimumAsTtl(ttl),
                });
                ttl
            }
            // Once is enough, too: one line at the top mends all of them.
            (None, _) if self.no_ttl_reported => return Ok(()),
            (None, _) => {
                self.no_ttl_reported = true;
                return Err((position, Cause::NoTtl));
            }
        };
        if let Some(owner) = owner {
            (self.sink)(ZoneRecord { owner, ttl, rtype, rdata: &self.rdata, file: file.index, position });
        }
        Ok(())
    }
}

impl File {
    /// The same file, to be read from another line on.
    pub(super) fn for_part(&self) -> Self {
        Self {
            index: self.index,
            name: Arc::clone(&self.name),
            origin: self.origin.clone(),
            last_owner: LastOwner::None,
            owner: Vec::with_capacity(NAME_OCTETS_MAX),
        }
    }

    fn set_owner(&mut self, token: &Token<'_>) -> Result<(), Failure> {
        self.last_owner = LastOwner::Unknown;
        if token.quoted {
            return Err((token.position, Cause::QuotedOwner(Word::of(token.raw))));
        }
        self.owner.clear();
        owner_from_text(token.raw, self.origin.as_deref(), &mut self.owner)
            .map_err(|cause| (token.position, cause))?;
        self.last_owner = LastOwner::Known;
        Ok(())
    }
}

/// Appends an owner name as lower-case wire form.
pub(super) fn owner_from_text(raw: &[u8], origin: Option<&[u8]>, owner: &mut Vec<u8>) -> Result<(), Cause> {
    wire_from_text(raw, origin, owner).map_err(|source| Cause::Owner { owner: Word::of(raw), source })?;
    owner.make_ascii_lowercase(); // length octets are below 64 and so never letters
    Ok(())
}

/// Reads `[TTL] [class] type` or `[class] [TTL] type` (RFC 1035, section 5.1) and returns the words behind it.
///
/// `begin` is where the record begins, for want of a better place if it ends too early.
pub(super) fn fields<'t, 'a>(
    tokens: &'t [Token<'a>],
    begin: Position,
) -> Result<(Fields, &'t [Token<'a>]), Failure> {
    let mut ttl = None;
    let mut class = false;
    for (index, token) in tokens.iter().enumerate() {
        let position = token.position;
        let word = || Word::of(token.raw);
        if token.raw.first().is_some_and(u8::is_ascii_digit) {
            let seconds = ttl::parse(token.raw).map_err(|cause| (position, cause))?;
            if ttl.replace(seconds).is_some() {
                return Err((position, Cause::SecondTtl(word())));
            }
        } else if let Some(served) = class_from_text(token.raw) {
            if !served {
                return Err((position, Cause::Class(word())));
            }
            if std::mem::replace(&mut class, true) {
                return Err((position, Cause::SecondClass(word())));
            }
        } else {
            let rtype = type_from_text(token).map_err(|cause| (position, cause))?;
            let fields = Fields { ttl, rtype, position };
            return Ok((fields, &tokens[index + 1..]));
        }
    }
    let position = tokens.last().map_or(begin, |token| token.position);
    Err((position, Cause::NoType))
}

fn type_from_text(token: &Token<'_>) -> Result<RecordType, Cause> {
    let rtype = match token.raw {
        _ if token.quoted => None,
        // Most records are of these types, and a file may have millions.
        b"A" => Some(RecordType::A),
        b"AAAA" => Some(RecordType::AAAA),
        b"NS" => Some(RecordType::NS),
        b"CNAME" => Some(RecordType::CNAME),
        raw => std::str::from_utf8(raw).ok().and_then(|text| text.parse().ok()),
    };
    match rtype {
        Some(rtype) if rtype.is_meta() => Err(Cause::MetaType(rtype)),
        Some(rtype) => Ok(rtype),
        None if token.raw.starts_with(b"$") => Err(Cause::IndentedDirective(Word::of(token.raw))),
        None => Err(Cause::UnknownType(Word::of(token.raw))),
    }
}

/// Whether a class is served; `None` when the word is no class.
fn class_from_text(raw: &[u8]) -> Option<bool> {
    if raw.eq_ignore_ascii_case(b"IN") {
        return Some(true);
    }
    match raw.len() {
        2 => [b"CH", b"HS", b"CS"].iter().any(|class| raw.eq_ignore_ascii_case(*class)).then_some(false),
        // RFC 3597, section 5
        6..=10 if raw[..5].eq_ignore_ascii_case(b"CLASS") => {
            let number: u16 = std::str::from_utf8(&raw[5..]).ok()?.parse().ok()?;
            Some(number == 1)
        }
        _ => None,
    }
}

/// Only service parameters have quotes within words; elsewhere one would silently become content.
fn refuse_quotes_in_words(tokens: &[Token<'_>]) -> Result<(), Failure> {
    let quoted_inside = |token: &&Token<'_>| !token.quoted && token.raw.windows(2).any(|pair| pair == b"=\"");
    match tokens.iter().find(quoted_inside) {
        Some(token) => Err((token.position, Cause::QuoteInWord(Word::of(token.raw)))),
        None => Ok(()),
    }
}
