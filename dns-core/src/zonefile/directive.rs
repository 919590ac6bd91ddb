//! Lines that begin with `$`.

use crate::Token;
use crate::name::{unescape, wire_from_text};

use super::error::{Cause, Word};
use super::read::{Failure, File, INCLUDE_DEPTH_MAX, INCLUDES_MAX, Reader, ZoneRecord};
use super::ttl;

impl<S: FnMut(ZoneRecord<'_>)> Reader<'_, '_, S> {
    pub(super) fn directive(
        &mut self,
        file: &mut File,
        name: &Token<'_>,
        arguments: &[Token<'_>],
    ) -> Result<(), Failure> {
        let is = |directive: &str| name.raw.eq_ignore_ascii_case(directive.as_bytes());
        if is("$ORIGIN") {
            let [origin] = arguments_of(name, "$ORIGIN", ["a name"], arguments)?;
            file.origin = Some(origin_from_text(origin, file.origin.as_deref())?);
            Ok(())
        } else if is("$TTL") {
            let [seconds] = arguments_of(name, "$TTL", ["a TTL"], arguments)?;
            let seconds = ttl::parse(seconds.raw).map_err(|cause| (seconds.position, cause))?;
            self.default_ttl = Some(seconds);
            Ok(())
        } else if is("$INCLUDE") {
            self.include(file, name, arguments)
        } else if is("$GENERATE") {
            self.generate(file, name, arguments)
        } else {
            Err((name.position, Cause::UnknownDirective(Word::of(name.raw))))
        }
    }

    /// `$INCLUDE path [origin]`: the origin holds in the included file only.
    fn include(&mut self, file: &File, name: &Token<'_>, arguments: &[Token<'_>]) -> Result<(), Failure> {
        let (path, origin) = if let [path, origin] = arguments {
            (path, Some(origin_from_text(origin, file.origin.as_deref())?))
        } else {
            let [path] = arguments_of(name, "$INCLUDE", ["a path"], arguments.get(..1).unwrap_or_default())?;
            if let Some(extra) = arguments.get(2) {
                return Err(extra_argument("$INCLUDE", extra));
            }
            (path, file.origin.clone())
        };
        let word = || Word::of(path.raw);
        let refuse = |cause| Err((path.position, cause));
        if self.open.len() > INCLUDE_DEPTH_MAX {
            return refuse(Cause::IncludeDepth);
        }
        if self.included == INCLUDES_MAX {
            return refuse(Cause::IncludeCount);
        }
        let Some(text) = text_of(path.raw) else {
            return refuse(Cause::IncludePath(word()));
        };
        let (name, octets) = match (self.include)(&text, &file.name) {
            Ok((name, octets)) => (name, octets),
            Err(reason) => return refuse(Cause::Include { path: word(), reason }),
        };
        if self.open.iter().any(|open| **open == *name) {
            return refuse(Cause::IncludeLoop(word()));
        }
        self.included += 1;
        self.read_file(name.into(), &octets, origin);
        Ok(())
    }
}

/// The arguments of a directive that takes exactly so many.
pub(super) fn arguments_of<'t, 'a, const N: usize>(
    name: &Token<'_>,
    directive: &'static str,
    what: [&'static str; N],
    arguments: &'t [Token<'a>],
) -> Result<&'t [Token<'a>; N], Failure> {
    if let Some(extra) = arguments.get(N) {
        return Err(extra_argument(directive, extra));
    }
    arguments.try_into().map_err(|_| {
        let what = what[arguments.len()]; // fewer than N, since there are not N and not more
        (name.position, Cause::MissingArgument { directive, what })
    })
}

fn extra_argument(directive: &'static str, extra: &Token<'_>) -> Failure {
    let word = Word::of(extra.raw);
    (extra.position, Cause::ExtraArgument { directive, word })
}

/// The origin as wire form, its letter case kept.
fn origin_from_text(token: &Token<'_>, origin: Option<&[u8]>) -> Result<Vec<u8>, Failure> {
    let mut wire = Vec::new();
    wire_from_text(token.raw, origin, &mut wire).map_err(|source| {
        let origin = Word::of(token.raw);
        (token.position, Cause::Origin { origin, source })
    })?;
    Ok(wire)
}

/// Resolves the escapes of a word that is no DNS data.
fn text_of(raw: &[u8]) -> Option<String> {
    let mut octets = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let [first, tail @ ..] = rest {
        let (octet, tail) = if *first == b'\\' { unescape(tail)? } else { (*first, tail) };
        octets.push(octet);
        rest = tail;
    }
    String::from_utf8(octets).ok()
}
