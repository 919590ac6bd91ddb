//! Names of metrics: `dns_<crate>_<noun>_<unit or total>`.

/// Crates that may count something, as they stand in names.
const CRATES: &[&str] = &[
    "acme", "agent", "api", "backend", "dnssec", "files", "forward", "frontend", "gslb", "k8s", "server",
    "store", "sync", "xfr",
];

/// Units that a histogram may have.
const UNITS: &[&str] = &["seconds", "octets", "ratio", "records"];

/// Finds metrics in OpenMetrics text that break the rule; one sentence each, none if all is well.
///
/// Every name begins with `dns_` and the crate that counts, counters end in `_total`, histograms in a unit, and all have a
/// help text. Meant for a test over everything that an assembly registers.
pub fn misnamed(text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    for line in text.lines() {
        let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) else {
            if let Some(rest) = line.strip_prefix("# HELP ")
                && rest.split_once(' ').is_none_or(|(_, help)| matches!(help.trim(), "" | "."))
            {
                findings.push(format!("{rest} has no help text"));
            }
            continue;
        };
        let words: Vec<&str> = name.split('_').collect();
        let [first, owner, noun @ ..] = words.as_slice() else {
            findings.push(format!("{name} is not dns_<crate>_<noun>_<unit or total>"));
            continue;
        };
        if *first != "dns" || !CRATES.contains(owner) || noun.is_empty() {
            findings.push(format!("{name} is not dns_<crate>_<noun>_<unit or total>"));
        }
        if !name.bytes().all(|octet| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'_') {
            findings.push(format!("{name} is not in lower case"));
        }
        let last = noun.last().copied().unwrap_or_default();
        match kind {
            // The text has samples with `_total`; the name itself must not say it twice.
            "counter" if last == "total" => {
                findings.push(format!("{name} gets its _total when it is written"));
            }
            "histogram" if !UNITS.contains(&last) => findings.push(format!("{name} has no unit")),
            _ => {}
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_break_the_rule_are_found() {
        for (text, expected) in [
            ("# HELP dns_api_requests Requests.\n# TYPE dns_api_requests counter\n", ""),
            ("# HELP dns_store_zones .\n", "dns_store_zones . has no help text"),
            ("# TYPE dns_frontend_answer_time histogram\n", "dns_frontend_answer_time has no unit"),
            ("# TYPE dns_frontend_answer_seconds histogram\n", ""),
            ("# TYPE queries counter\n", "queries is not dns_<crate>_<noun>_<unit or total>"),
            (
                "# TYPE dns_else_queries counter\n",
                "dns_else_queries is not dns_<crate>_<noun>_<unit or total>",
            ),
            ("# TYPE dns_store counter\n", "dns_store is not dns_<crate>_<noun>_<unit or total>"),
            ("# TYPE dns_store_Zones gauge\n", "dns_store_Zones is not in lower case"),
            ("# TYPE dns_store_x_total counter\n", "dns_store_x_total gets its _total when it is written"),
        ] {
            assert_eq!(misnamed(text).join("; "), expected, "{text}");
        }
    }
}
