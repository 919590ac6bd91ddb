//! Source files: how long, where unsafe, and what no file may say.

use super::Finding;

/// Above this a file has a seam somewhere, or a reason.
const LINES_MAX: usize = 800;
/// A comment line that starts so gives the reason.
const LONG_BECAUSE: &str = "// Long because: ";
/// Where unsafe code is allowed, each place with the reason stated there.
const UNSAFE_FOLDERS: [&str; 3] = ["dns-core/src/sys", "dns-frontend/src/sys", "benches/src/sys"];
/// Paths that exist on one machine only; put together here so that this file does not say them either.
const MACHINE_PATHS: [&str; 4] =
    [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tmp/", "wt"), concat!("/tmp/", "target-")];

/// Finds files that are long without a stated reason.
pub fn check_length(file: &str, text: &str, findings: &mut Vec<Finding>) {
    let lines = text.lines().count();
    let reason = text.lines().find_map(|line| line.trim_start().strip_prefix(LONG_BECAUSE));
    if lines > LINES_MAX && reason.is_none_or(|reason| reason.trim().is_empty()) {
        let message =
            format!("{lines} lines; over {LINES_MAX} a line \"{LONG_BECAUSE}...\" gives the reason");
        findings.push(Finding { file: file.to_owned(), line: LINES_MAX + 1, message });
    }
}

/// Finds the word `unsafe` in code outside the folders that may have it.
pub fn check_unsafe(file: &str, text: &str, findings: &mut Vec<Finding>) {
    let allowed = |folder: &str| {
        let rest = file.strip_prefix(folder);
        rest.is_some_and(|rest| rest.starts_with('/') || rest == ".rs")
    };
    if UNSAFE_FOLDERS.iter().any(|folder| allowed(folder)) {
        return;
    }
    for (index, line) in code_only(text).lines().enumerate() {
        let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
        if words.any(|word| word == "unsafe") {
            let message = format!("unsafe code belongs into {}", UNSAFE_FOLDERS.join(", "));
            findings.push(Finding { file: file.to_owned(), line: index + 1, message });
        }
    }
}

/// Finds paths of somebody's machine.
pub fn check_words(file: &str, text: &str, findings: &mut Vec<Finding>) {
    for (index, line) in text.lines().enumerate() {
        for path in MACHINE_PATHS {
            if line.contains(path) {
                let message = format!("{path} exists on one machine only");
                findings.push(Finding { file: file.to_owned(), line: index + 1, message });
            }
        }
    }
}

/// The text with comments and the insides of literals blanked out, line by line as it was.
fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    let mut after_word = false;
    while let Some(first) = rest.chars().next() {
        let literal = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => quoted(rest, '"'),
            'r' if !after_word => raw_string(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if literal > 0 {
            // Only the line ends matter to who counts lines.
            code.extend(rest[..literal].chars().filter(|c| *c == '\n'));
            code.push(' ');
            rest = &rest[literal..];
            after_word = false;
        } else {
            code.push(first);
            // `br"..."` is a raw string as well
            let prefix = first == 'b' && !after_word;
            after_word = (first.is_alphanumeric() || first == '_') && !prefix;
            rest = &rest[first.len_utf8()..];
        }
    }
    code
}

/// Octets of the comment at the front; Rust's nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Octets of the literal at the front, which ends with the quote it began with.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Octets of the raw string at the front; 0 if it is something else.
fn raw_string(text: &str) -> usize {
    let after = &text[1..];
    let hashes = after.bytes().take_while(|octet| *octet == b'#').count();
    let Some(body) = after[hashes..].strip_prefix('"') else {
        return 0;
    };
    let end = format!("\"{}", "#".repeat(hashes));
    body.find(&end).map_or(text.len(), |at| 1 + hashes + 1 + at + end.len())
}

/// Octets of the character literal at the front; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some('\\'), _) | (_, Some('\'')) => quoted(text, '\''),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(check: fn(&str, &str, &mut Vec<Finding>), file: &str, text: &str) -> Vec<usize> {
        let mut findings = Vec::new();
        check(file, text, &mut findings);
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn unsafe_code_is_found_where_it_is_code() {
        let text = "fn a() { unsafe { b() } }\n// unsafe\n/* unsafe /* unsafe */ unsafe\nunsafe */ fn c() {}\n\
                    let d = \"unsafe \\\" unsafe\";\nlet e = r#\"unsafe \" unsafe\"#;\nlet f = '\"'; unsafe fn g() {}\n\
                    #![deny(unsafe_code)]\nlet h: &'a str = br\"unsafe\"; let i = '\\''; unsafe impl J for K {}\n";
        assert_eq!(lines(check_unsafe, "dns-api/src/lib.rs", text), [1, 7, 9]);
    }

    #[test]
    fn unsafe_code_is_allowed_in_its_folders() {
        for file in ["dns-core/src/sys/prefetch.rs", "dns-core/src/sys.rs", "benches/src/sys/batch.rs"] {
            assert_eq!(lines(check_unsafe, file, "unsafe fn a() {}"), [0; 0], "{file}");
        }
        for file in ["dns-core/src/system.rs", "dns-core/src/lib.rs", "x/dns-core/src/sys/a.rs"] {
            assert_eq!(lines(check_unsafe, file, "unsafe fn a() {}"), [1], "{file}");
        }
    }

    #[test]
    fn long_files_need_a_reason() {
        let short = "\n".repeat(LINES_MAX);
        let long = "\n".repeat(LINES_MAX + 1);
        assert_eq!(lines(check_length, "a.rs", &short), [0; 0]);
        assert_eq!(lines(check_length, "a.rs", &long), [LINES_MAX + 1]);
        assert_eq!(lines(check_length, "a.rs", &format!("{LONG_BECAUSE}one table.\n{long}")), [0; 0]);
        assert_eq!(lines(check_length, "a.rs", &format!("{LONG_BECAUSE}\n{long}")), [LINES_MAX + 1]);
    }

    #[test]
    fn machine_paths_are_found() {
        for path in MACHINE_PATHS {
            assert_eq!(lines(check_words, "README.md", &format!("fine\nsee {path}x\n")), [2]);
        }
        assert_eq!(lines(check_words, "README.md", "/workload /var/tmp /etc/jw238dns\n"), [0; 0]);
    }
}
