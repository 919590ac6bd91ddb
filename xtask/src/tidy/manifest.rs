//! The root manifest: each shared dependency says what it is for.

use super::Finding;

/// Finds entries of `[workspace.dependencies]` without a comment above them; entries in a row share one.
pub fn check_comments(file: &str, text: &str, findings: &mut Vec<Finding>) {
    let mut inside = false;
    let mut explained = false;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('[') {
            inside = line.trim() == "[workspace.dependencies]";
            explained = false;
        } else if line.trim().is_empty() {
            explained = false;
        } else if line.starts_with('#') {
            explained = true;
        } else if inside && !explained && !line.starts_with(char::is_whitespace) && line.contains('=') {
            let name = line.split(['=', '.', ' ']).next().unwrap_or_default();
            let message =
                format!("dependency {name} does not say what it is for, in a comment line above it");
            findings.push(Finding { file: file.to_owned(), line: index + 1, message });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_without_a_reason_are_found() {
        let text = "[package]\nname = \"a\"\n[workspace.dependencies]\nfirst = \"1\"\n# Why\nsecond = \"1\"\n\
                    third = { version = \"1\" }\n\nfourth = \"1\"\n[profile.ci]\nlto = \"off\"\n";
        let mut findings = Vec::new();
        check_comments("Cargo.toml", text, &mut findings);
        let places: Vec<_> = findings.iter().map(|finding| finding.line).collect();
        assert_eq!(places, [4, 9]);
        assert!(findings[1].message.contains("fourth"), "{}", findings[1]);
    }
}
