//! Outcomes for people, and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::case::Outcome;
use super::legitimate::Tally;

const COLUMNS: [&str; 13] = [
    "case",
    "server",
    "UDP first try",
    "UDP answered",
    "TCP answered",
    "p99 ms",
    "attack",
    "replies per packet",
    "octets out per octet in",
    "dropped",
    "memory before/peak/after MiB",
    "CPU s/s",
    "log KiB",
];

fn cells(outcome: &Outcome) -> [String; COLUMNS.len()] {
    let absent = || "-".to_owned();
    let flood = outcome.flood.as_ref();
    let mib = |kib: u64| format!("{:.1}", kib as f64 / 1024.0);
    [
        outcome.case.label().to_owned(),
        outcome.server.to_owned(),
        percent(outcome.udp.first_percent()),
        percent(outcome.udp.answered_percent()),
        outcome.tcp.as_ref().map_or_else(absent, |tcp| percent(tcp.answered_percent())),
        format!("{:.1}", outcome.udp.p99_millis),
        attack(outcome),
        flood.map_or_else(absent, |flood| format!("{:.3}", flood.replies_per_packet())),
        flood.map_or_else(absent, |flood| format!("{:.2}", flood.amplification())),
        outcome.dropped.to_string(),
        [outcome.before.resident_kib, outcome.after.peak_kib, outcome.after.resident_kib]
            .map(mib)
            .join(" / "),
        format!("{:.2}", outcome.cpu_share()),
        format!("{:.1}", outcome.log_octets as f64 / 1024.0),
    ]
}

/// The attack in a few words.
fn attack(outcome: &Outcome) -> String {
    if let Some(flood) = &outcome.flood {
        format!("{:.0}k packets/s", flood.rate() / 1000.0)
    } else if let Some(siege) = &outcome.siege {
        format!(
            "{} held, {} opened, {} refused, {} MiB of socket buffers",
            siege.held,
            siege.opened,
            siege.refused,
            outcome.socket_kib / 1024
        )
    } else if let Some(storm) = &outcome.storm {
        format!("{} reloads, served {:.0} ms after the last", storm.reloads, storm.settled_millis)
    } else {
        "-".to_owned()
    }
}

/// Rounded down: 100 is only for all.
fn percent(value: f64) -> String {
    format!("{:.2} %", (value * 100.0).floor() / 100.0)
}

/// A table for the terminal, and below it what was wrong with answers.
pub fn text(outcomes: &[Outcome]) -> String {
    let rows: Vec<_> = outcomes.iter().map(cells).collect();
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|column| {
            rows.iter().map(|row| row[column].len()).chain([COLUMNS[column].len()]).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    let mut line = |cells: &[String]| {
        for (cell, width) in cells.iter().zip(&widths) {
            // Writing to a string does not fail.
            let _ = write!(text, "{cell:<width$}  ");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    };
    line(&COLUMNS.map(str::to_owned));
    for row in &rows {
        line(row);
    }
    for outcome in outcomes {
        let _ = write!(text, "{}", remarks(outcome));
    }
    text
}

/// What the table has no room for.
fn remarks(outcome: &Outcome) -> String {
    let mut text = String::new();
    let tallies = [("UDP", Some(&outcome.udp)), ("TCP", outcome.tcp.as_ref())];
    for (transport, tally) in tallies {
        if let Some(Tally { wrong, first_failure: Some(reason), .. }) = tally {
            let _ = writeln!(
                text,
                "{}, {}, {transport}: {wrong} wrong; first failure: {reason}",
                outcome.case.label(),
                outcome.server
            );
        }
    }
    text
}

/// A table for a page.
pub fn markdown(outcomes: &[Outcome]) -> String {
    let mut text = format!("| {} |\n|{}\n", COLUMNS.join(" | "), "---|".repeat(COLUMNS.len()));
    for outcome in outcomes {
        let _ = writeln!(text, "| {} |", cells(outcome).join(" | "));
    }
    text
}

/// Everything that was counted.
pub fn json(outcomes: &[Outcome]) -> Value {
    json!({ "outcomes": outcomes })
}

#[cfg(test)]
mod tests {
    use super::super::case::Case;
    use super::super::flood::FloodReport;
    use super::super::usage::Usage;
    use super::*;

    fn outcome() -> Outcome {
        let usage = |resident_kib, peak_kib, cpu_seconds| Usage { resident_kib, peak_kib, cpu_seconds };
        Outcome {
            case: Case::AmplifyAny,
            server: "Knot",
            seconds: 2.0,
            udp: Tally {
                asked: 10_000,
                first: 9900,
                answered: 9999,
                wrong: 1,
                first_failure: Some("TC is set".into()),
                ..Tally::default()
            },
            tcp: None,
            flood: Some(FloodReport {
                seconds: 2.0,
                packets: 8000,
                octets: 320_000,
                replies: 4000,
                reply_octets: 160_000,
                truncated: 4000,
            }),
            siege: None,
            storm: None,
            dropped: 3,
            socket_kib: 0,
            before: usage(1024, 1024, 0.5),
            after: usage(2048, 4096, 1.5),
            log_octets: 512,
        }
    }

    #[test]
    fn the_tables_have_every_figure() {
        let text = text(&[outcome()]);
        let row = text.lines().nth(1).unwrap();
        for figure in ["99.00 %", "99.99 %", "4k packets/s", "0.500", "0.50", "1.0 / 4.0 / 2.0", "0.5"] {
            assert!(row.contains(figure), "{figure} in {row}");
        }
        assert!(text.contains("1 wrong; first failure: TC is set"), "{text}");
        let markdown = markdown(&[outcome()]);
        let widths: Vec<usize> = markdown.lines().map(|line| line.matches('|').count()).collect();
        assert_eq!(widths, [14, 14, 14]);
        assert_eq!(json(&[outcome()])["outcomes"][0]["case"], "amplify-any");
    }
}
