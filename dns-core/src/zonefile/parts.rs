//! Large files, read by several threads.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};

use memchr::{memchr, memchr_iter, memrchr_iter};

use super::error::Report;
use super::read::{File, Include, Options, Reader, ZoneRecord, no_includes};
use super::scan::{BYTE_ORDER_MARK, Scanner, begins_word};
use crate::share::share;

/// Parts for each thread: those that are done sooner take more of them.
const PARTS_PER_THREAD: usize = 4;

/// A part of a file that begins at a line of its own.
#[derive(Clone, Copy)]
struct Part<'a> {
    begin: usize,
    octets: &'a [u8],
    /// Number of its first line.
    line: u32,
}

/// As [`read`](super::read()), on this thread and others, so many in all.
///
/// Each part of the file has a collection of its own that `sink` puts its records into; `collection` makes an empty one for
/// text of so many octets. One after the other, the collections hold the records that [`read`](super::read()) would tell, in
/// the same order; the report is the same, too. Small files have one part.
///
/// What stands up to the last directive is read in order. The parts behind it can be read alone as long as nothing in
/// them depends on what stands before. Where something does, there is something remarkable in some part: a parenthesis
/// that spans two of them is never closed in the first, a record that takes its TTL from the one before finds none, a
/// directive hides behind a parenthesis. Whatever it is, an honest mistake included, the parts are then given up and read
/// in order, so that everything is told as if there had been no parts.
pub fn read_in_parts<C, N, S>(
    file: &str,
    octets: &[u8],
    options: &Options,
    include: &mut Include<'_>,
    threads: NonZeroUsize,
    collection: N,
    sink: S,
) -> (Report, Vec<C>)
where
    C: Send,
    N: Fn(usize) -> C + Sync,
    S: Fn(&mut C, ZoneRecord<'_>) + Sync,
{
    let part_octets_min = options.part_octets_min.max(1);
    let parts_max = (threads.get() * PARTS_PER_THREAD).min(octets.len() / part_octets_min);
    let is_whole = threads == NonZeroUsize::MIN || parts_max < 2;

    let mut first = collection(if is_whole { octets.len() } else { 0 });
    let mut reader = Reader::new(options, include, |record: ZoneRecord<'_>| sink(&mut first, record));
    let mut file =
        reader.open_file(file.into(), options.origin.as_ref().map(|origin| origin.as_wire().to_vec()));
    let (mut scanner, mut tokens) = (Scanner::new(octets), Vec::new());
    let mut others = None;
    if !is_whole {
        let (parts, directive_at) = cut(octets, octets.len().div_ceil(parts_max), threads);
        let is_before_parts =
            |scanner: &Scanner<'_>| directive_at.is_some_and(|at| scanner.next_line().0 <= at);
        while is_before_parts(&scanner) && reader.read_entry(&mut file, &mut scanner, &mut tokens) {}
        // What is wrong there must be told before what is wrong behind it.
        if !reader.has_errors() {
            let parts = behind(parts, scanner.next_line());
            let default_ttl = reader.default_ttl;
            others = read_parts(parts, options, threads, default_ttl, &file, &collection, &sink);
        }
    }
    if others.is_none() {
        while reader.read_entry(&mut file, &mut scanner, &mut tokens) {}
    }
    let report = reader.into_report();
    (report, std::iter::once(first).chain(others.into_iter().flatten()).collect())
}

/// Cuts a file into parts of about so many octets, and tells where the last line begins that begins with a directive.
fn cut(octets: &[u8], part_octets: usize, threads: NonZeroUsize) -> (Vec<Part<'_>>, Option<usize>) {
    let mut begins = vec![0];
    let mut begin = 0;
    while let Some(next) = owner_line_behind(octets, begin + part_octets) {
        begins.push(next);
        begin = next;
    }
    let ends = begins[1..].iter().copied().chain([octets.len()]);
    let ranges: Vec<_> = begins.iter().copied().zip(ends).collect();
    let looked_at = share(
        threads,
        ranges,
        || (),
        |(), (begin, end)| {
            let part = &octets[begin..end];
            let directive = memrchr_iter(b'$', part).map(|at| begin + at).find(|&at| begins_line(octets, at));
            (begin, part, memchr_iter(b'\n', part).count(), directive)
        },
    );
    let directive = looked_at.iter().rev().find_map(|(.., directive)| *directive);
    let mut line = 1u32;
    let parts = looked_at.into_iter().map(|(begin, octets, lines, _)| {
        let part = Part { begin, octets, line };
        line = line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        part
    });
    (parts.collect(), directive)
}

fn begins_line(octets: &[u8], at: usize) -> bool {
    let before = &octets[..at];
    before.last().is_none_or(|&octet| octet == b'\n') || before == BYTE_ORDER_MARK
}

/// The first line at or behind a place that begins with a word, and so with an owner unless it goes on with an entry.
fn owner_line_behind(octets: &[u8], at: usize) -> Option<usize> {
    let mut at = at;
    loop {
        at += memchr(b'\n', octets.get(at..)?)? + 1;
        if begins_word(*octets.get(at)?) {
            return Some(at);
        }
    }
}

/// What is left of the parts behind a place, which is the beginning of the line with the number given.
fn behind(parts: Vec<Part<'_>>, (begin, line): (usize, u32)) -> Vec<Part<'_>> {
    let rest = parts.into_iter().filter_map(|part| match begin.checked_sub(part.begin) {
        None => Some(part),
        Some(read) => part.octets.get(read..).map(|octets| Part { begin, octets, line }),
    });
    rest.filter(|part| !part.octets.is_empty()).collect()
}

/// The records of all parts, or `None` if some part is remarkable.
fn read_parts<C, N, S>(
    parts: Vec<Part<'_>>,
    options: &Options,
    threads: NonZeroUsize,
    default_ttl: Option<u32>,
    file: &File,
    collection: &N,
    sink: &S,
) -> Option<Vec<C>>
where
    C: Send,
    N: Fn(usize) -> C + Sync,
    S: Fn(&mut C, ZoneRecord<'_>) + Sync,
{
    // The TTL of the record before would come before this one, so nobody here can tell whether it counts.
    let alone = Options { default_ttl: None, ..options.clone() };
    let given_up = AtomicBool::new(false);
    let read = |(): &mut (), part: Part<'_>| {
        let mut collected = collection(part.octets.len());
        let mut include = no_includes;
        let mut reader =
            Reader::new(&alone, &mut include, |record: ZoneRecord<'_>| sink(&mut collected, record));
        reader.default_ttl = default_ttl;
        let (mut file, mut tokens) = (file.for_part(), Vec::new());
        let mut scanner = Scanner::at_line(part.octets, part.line);
        while reader.read_entry(&mut file, &mut scanner, &mut tokens) {
            if reader.is_remarkable() {
                given_up.store(true, Ordering::Relaxed);
            }
            if given_up.load(Ordering::Relaxed) {
                return None;
            }
        }
        Some(collected)
    };
    share(threads, parts, || (), read).into_iter().collect()
}
