//! `$GENERATE`: many records from one line, as BIND reads it.

use std::fmt::Write as _;

use crate::Token;

use super::error::{Cause, Word};
use super::read::{Failure, File, Reader, ZoneRecord, fields, owner_from_text};
use super::scan::Scanner;

/// Most records that one `$GENERATE` may make: one for each address of an IPv4 /16.
pub const GENERATED_MAX: u32 = 65_536;

impl<S: FnMut(ZoneRecord<'_>)> Reader<'_, '_, S> {
    /// `$GENERATE start-stop[/step] owner [TTL] [class] type rdata`.
    ///
    /// In owner and RDATA `$` stands for the number, `${offset,width,base}` for a calculated one, `$$` and `\$` for a
    /// dollar sign. RDATA of several words may stand in one pair of quotes, as BIND wants it, or as they are.
    pub(super) fn generate(
        &mut self,
        file: &File,
        name: &Token<'_>,
        arguments: &[Token<'_>],
    ) -> Result<(), Failure> {
        let missing = |what| {
            let directive = "$GENERATE";
            (name.position, Cause::MissingArgument { directive, what })
        };
        let [range, owner, rest @ ..] = arguments else {
            return Err(missing(if arguments.is_empty() { "a range" } else { "an owner" }));
        };
        let values = values(range.raw).map_err(|cause| (range.position, cause))?;
        let (fields, rdata) = fields(rest, owner.position)?;
        let Some(first) = rdata.first() else {
            return Err(missing("RDATA"));
        };
        let template = template(rdata);
        let (mut owner_text, mut owner_wire, mut text) = (Vec::new(), Vec::new(), Vec::new());
        for value in values {
            // The same mistake thousands of times helps nobody: the first record that is wrong ends it.
            let fail = |(position, cause)| {
                let source = Box::new(cause);
                (position, Cause::Generated { value, source })
            };
            owner_text.clear();
            owner_wire.clear();
            text.clear();
            expand(owner.raw, value, &mut owner_text)
                .and_then(|()| owner_from_text(&owner_text, file.origin.as_deref(), &mut owner_wire))
                .map_err(|cause| fail((owner.position, cause)))?;
            expand(&template, value, &mut text).map_err(|cause| fail((first.position, cause)))?;
            let tokens = tokens(&text, first).map_err(fail)?;
            self.emit(file, Some(&owner_wire), name.position, &fields, &tokens).map_err(fail)?;
        }
        Ok(())
    }
}

/// `start-stop[/step]`
fn values(raw: &[u8]) -> Result<impl Iterator<Item = u32> + use<>, Cause> {
    let number = |text: &str| match text.parse::<u32>() {
        Ok(number) if text.starts_with(|first: char| first.is_ascii_digit()) && number <= VALUE_MAX => {
            Some(number)
        }
        _ => None,
    };
    let range = || {
        let (range, step) = match std::str::from_utf8(raw).ok()? {
            text if text.contains('/') => text.split_once('/')?,
            text => (text, "1"),
        };
        let (start, stop) = range.split_once('-')?;
        let (start, stop, step) = (number(start)?, number(stop)?, number(step)?);
        (start <= stop && step > 0).then_some((start, stop, step))
    };
    let (start, stop, step) = range().ok_or_else(|| Cause::GenerateRange(Word::of(raw)))?;
    let count = u64::from((stop - start) / step) + 1;
    if count > u64::from(GENERATED_MAX) {
        return Err(Cause::GenerateCount(count));
    }
    Ok((start..=stop).step_by(step as usize))
}

/// RDATA as text: what stands within the one pair of quotes, or all the words.
fn template(rdata: &[Token<'_>]) -> Vec<u8> {
    let mut text = Vec::new();
    if let [Token { raw, quoted: true, .. }] = rdata {
        let mut rest = *raw;
        while let [first, tail @ ..] = rest {
            // `\"` is a quote of the text within; every other escape is that text's own.
            let octets = match rest {
                [b'\\', b'"', ..] => {
                    text.push(b'"');
                    2
                }
                [b'\\', next, ..] => {
                    text.extend([b'\\', *next]);
                    2
                }
                _ => {
                    text.push(*first);
                    1
                }
            };
            rest = &tail[octets - 1..];
        }
        return text;
    }
    for word in rdata {
        let quote: &[u8] = if word.quoted { b"\"" } else { b"" };
        for part in [quote, word.raw, quote, b" "] {
            text.extend_from_slice(part);
        }
    }
    text
}

/// The words of generated RDATA; all of them stand where the template does.
fn tokens<'t>(text: &'t [u8], template: &Token<'_>) -> Result<Vec<Token<'t>>, Failure> {
    let mut tokens = Vec::new();
    if let Some(Err(error)) = Scanner::new(text).next(&mut tokens) {
        return Err((template.position, error.cause));
    }
    for token in &mut tokens {
        token.position = template.position;
    }
    Ok(tokens)
}

/// Copies a template and puts the value in place of each `$`.
fn expand(template: &[u8], value: u32, out: &mut Vec<u8>) -> Result<(), Cause> {
    let mut rest = template;
    loop {
        rest = match rest {
            [] => return Ok(()),
            [b'\\', escaped, tail @ ..] => {
                out.extend([b'\\', *escaped]);
                tail
            }
            [b'$', b'$', tail @ ..] => {
                out.extend(b"\\$");
                tail
            }
            [b'$', b'{', tail @ ..] => {
                let modifier = tail.split(|&octet| octet == b'}').next().unwrap_or_default();
                Modifier::parse(modifier)
                    .filter(|_| modifier.len() < tail.len())
                    .ok_or_else(|| {
                        Cause::GenerateModifier(Word::of(&rest[..rest.len().min(modifier.len() + 3)]))
                    })?
                    .write(value, out)?;
                &tail[modifier.len() + 1..]
            }
            [b'$', tail @ ..] => {
                out.extend(value.to_string().bytes());
                tail
            }
            [octet, tail @ ..] => {
                out.push(*octet);
                tail
            }
        };
    }
}

/// What stands in the braces of `${offset,width,base}`.
struct Modifier {
    offset: i32,
    width: u8,
    base: u8,
}

impl Modifier {
    fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(text).ok()?.split(',');
        let modifier = Self {
            offset: parts.next()?.parse().ok()?,
            width: parts.next().map_or(Some(0), |width| width.parse().ok())?,
            base: match parts.next().unwrap_or("d").as_bytes() {
                [base @ (b'd' | b'o' | b'x' | b'X' | b'n' | b'N')] => *base,
                _ => return None,
            },
        };
        parts.next().is_none().then_some(modifier)
    }

    fn write(&self, value: u32, out: &mut Vec<u8>) -> Result<(), Cause> {
        let value = u32::try_from(i64::from(value) + i64::from(self.offset))
            .ok()
            .filter(|value| *value <= VALUE_MAX)
            .ok_or(Cause::GenerateOffset(self.offset))?;
        let width = usize::from(self.width);
        let mut text = String::new();
        // A String takes everything.
        let _ = match self.base {
            b'o' => write!(text, "{value:0width$o}"),
            b'x' => write!(text, "{value:0width$x}"),
            b'X' => write!(text, "{value:0width$X}"),
            b'n' => nibbles(value, width, b"0123456789abcdef", &mut text),
            b'N' => nibbles(value, width, b"0123456789ABCDEF", &mut text),
            _ => write!(text, "{value:0width$}"),
        };
        out.extend(text.bytes());
        Ok(())
    }
}

/// Hexadecimal digits from the lowest to the highest, as reverse zones of IPv6 have them; the width counts the dots too.
fn nibbles(value: u32, width: usize, digits: &[u8; 16], text: &mut String) -> std::fmt::Result {
    let (mut value, mut width) = (value, width);
    loop {
        text.push(char::from(digits[(value & 15) as usize]));
        value >>= 4;
        width = width.saturating_sub(1);
        if width == 0 && value == 0 {
            return Ok(());
        }
        text.push('.');
        width = width.saturating_sub(1);
        if width == 0 && value == 0 {
            return Ok(());
        }
    }
}

/// Numbers are those of a C `int`, as in BIND.
const VALUE_MAX: u32 = i32::MAX as u32;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(template: &str, value: u32, expected: &str) {
        let mut out = Vec::new();
        let text = match expand(template.as_bytes(), value, &mut out) {
            Ok(()) => String::from_utf8(out).unwrap(),
            Err(cause) => cause.to_string(),
        };
        assert_eq!(text, expected, "{template}");
    }

    #[test]
    fn templates() {
        check("host-$", 7, "host-7");
        check("$.$.x", 10, "10.10.x");
        check(r"a$$b\$c\\$", 1, r"a\$b\$c\\1");
        check("${0}", 5, "5");
        check("${-4,3}", 5, "001");
        check("${16,4,x}", 15, "001f");
        check("${16,4,X}", 15, "001F");
        check("${0,0,o}", 8, "10");
        check("${0,2,d}", 123, "123");
        check("${0,3,n}", 0x2a, "a.2");
        check("${0,7,N}", 0x2a, "A.2.0.0");
        check("${0,8,n}x", 0x2a, "a.2.0.0.x");
        check("${0,0,n}", 0, "0");
        check("${-6}", 5, "offset -6 leads outside 0 to 2147483647");
        check("${1}", VALUE_MAX, "offset 1 leads outside 0 to 2147483647");
    }

    #[test]
    fn wrong_modifiers() {
        let rest = "is not ${offset,width,base} with base d, o, x, X, n or N and width up to 255";
        for (template, word) in [
            ("a${", "${"),
            ("a${}b", "${}"),
            ("${1", "${1"),
            ("${1,2,q}", "${1,2,q}"),
            ("${1,256}", "${1,256}"),
            ("${1,2,d,3}", "${1,2,d,3}"),
            ("${x}y", "${x}"),
        ] {
            check(template, 1, &format!("'{word}' {rest}"));
        }
    }

    #[test]
    fn ranges() {
        let list = |raw: &str| values(raw.as_bytes()).map(Iterator::collect::<Vec<_>>);
        assert_eq!(list("1-3").unwrap(), [1, 2, 3]);
        assert_eq!(list("0-9/4").unwrap(), [0, 4, 8]);
        assert_eq!(list("5-5").unwrap(), [5]);
        assert_eq!(list("2147483646-2147483647").unwrap().len(), 2);
        assert_eq!(list("0-65535").unwrap().len(), 65_536);
        for wrong in ["", "1", "1-", "-1", "3-1", "1-3/0", "1-3/", "a-b", "+1-3", "0-2147483648", "1-2-3"] {
            assert!(matches!(list(wrong), Err(Cause::GenerateRange(_))), "{wrong}");
        }
        assert!(matches!(list("0-65536"), Err(Cause::GenerateCount(65_537))));
    }
}
