//! "Did you mean": the nearest known word.

use super::shape::{Field, Shape};

/// The rest of the sentence after "unknown key": the nearest key here, or the place where the key does belong.
pub(super) fn key(given: &str, here: &[Field], root: &[Field]) -> String {
    if let Some(near) = nearest(given, here.iter().map(|field| field.key)) {
        return format!(", did you mean '{near}'?");
    }
    if let Some(path) = find(given, root, "") {
        return format!(", did you mean '{path}'?");
    }
    let keys: Vec<_> = here.iter().map(|field| field.key).collect();
    format!(", known here are {}", keys.join(", "))
}

/// The candidate that differs by the fewest edits, if it is near enough to be what was meant.
pub(super) fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody mistypes a key into one three times as long, and the distance costs the product of both lengths.
    if given.len() > 64 {
        return None;
    }
    let given = given.to_lowercase().replace('-', "_");
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let edits = distance(&given, candidate);
            // `warning` for `warn`: far off by edits, and yet clear.
            let extended = candidate.len() > 2 && given.starts_with(candidate);
            (edits <= candidate.len().div_ceil(4) || extended).then_some((edits, candidate))
        })
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Path of the first key of this name anywhere in the file.
fn find(given: &str, fields: &[Field], path: &str) -> Option<String> {
    fields.iter().find_map(|field| {
        let (shape, suffix) = match &field.shape {
            Shape::List(item) | Shape::OneOrMany(item) => (&**item, "[]"),
            shape => (shape, ""),
        };
        if field.key == given {
            return Some(format!("{path}{given}"));
        }
        find(given, shape.fields(), &format!("{path}{}{suffix}.", field.key))
    })
}

/// Edits between two words: characters put in, left out or changed, neighbours swapped.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for i in 1..=left.len() {
        let mut row = vec![i];
        for j in 1..=right.len() {
            let changed = usize::from(left[i - 1] != right[j - 1]);
            let mut edits = (above[j - 1] + changed).min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                edits = edits.min(before[j - 2] + 1);
            }
            row.push(edits);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_not() {
        let keys = ["workers", "log_level", "log_format", "zones"];
        for (given, expected) in [
            ("worker", Some("workers")),
            ("log-level", Some("log_level")),
            ("LOG_LEVEL", Some("log_level")),
            ("zonse", Some("zones")),
            ("zones_folder", Some("zones")),
            ("upstream", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, keys), expected, "{given}");
        }
        assert_eq!(nearest(&"x".repeat(1 << 20), keys), None);
    }

    #[test]
    fn distance_counts_edits() {
        for (left, right, edits) in
            [("", "abc", 3), ("abc", "abc", 0), ("acb", "abc", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!(distance(left, right), edits, "{left} {right}");
            assert_eq!(distance(right, left), edits, "{right} {left}");
        }
    }
}
