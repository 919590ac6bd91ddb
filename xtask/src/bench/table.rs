//! Results for people, and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Measured;
use super::entrant::Kind;
use super::latency::Changed;
use super::manage::Sheet;
use super::measure::{Rounds, Row, Sample};
use super::process::Memory;
use super::scenario::{Base, Metric, Scenario};
use super::start::{Start, Starts};
use super::stats::Ratio;
use super::verdict::verdict;
use crate::text;

/// What became of a scenario that failed.
pub const NOT_MEASURED: &str = "not measured";

/// What is shown of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// Sentences below it.
    pub notes: Vec<String>,
}

/// What was measured.
pub enum Outcome {
    Load(Rounds),
    Start(Vec<Starts>),
    Rest(Vec<Starts>),
    Latency(Vec<Changed>),
    Manage(Sheet),
}

impl Table {
    /// The table of a scenario, with what has to be known to read it.
    pub fn of(measured: &Measured) -> Self {
        let mut table = match &measured.outcome {
            Outcome::Load(rounds) => of_rounds(rounds),
            Outcome::Start(starts) => of_starts(starts),
            Outcome::Rest(starts) => of_rest(starts),
            Outcome::Latency(changed) => of_latency(changed),
            Outcome::Manage(sheet) => sheet.table.clone(),
        };
        table.notes.extend(measured.absent.iter().map(|(who, why)| format!("{who} is missing: {why}.")));
        if !measured.scenario.remark.is_empty() {
            table.notes.push(measured.scenario.remark.to_owned());
        }
        table.notes.extend(verdict(measured).map(|verdict| verdict.text()));
        table
    }

    /// For a terminal.
    pub fn text(&self, title: &str) -> String {
        let mut out = format!("\n{title}\n");
        let lines = || std::iter::once(&self.header).chain(&self.rows);
        let width = |column: usize| {
            let cells = lines().filter_map(|cells| cells.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.header.len()).map(width).collect();
        for cells in lines() {
            let mut line = String::new();
            for (column, (cell, &width)) in cells.iter().zip(&widths).enumerate() {
                // Writing to a string does not fail.
                let _ = if column == 0 {
                    write!(line, "{cell:<width$}")
                } else {
                    write!(line, "  {cell:>width$}")
                };
            }
            out += line.trim_end();
            out.push('\n');
        }
        for note in &self.notes {
            let _ = writeln!(out, "  {note}");
        }
        out
    }

    /// As a table of Markdown.
    pub fn markdown(&self) -> String {
        let mut out = line_of(&self.header);
        out += &line_of(&vec!["---".to_owned(); self.header.len()]);
        for cells in &self.rows {
            out += &line_of(cells);
        }
        if !self.notes.is_empty() {
            let _ = writeln!(out, "\n{}", self.notes.join(" "));
        }
        out
    }
}

/// Every budget of a run, and what became of it; those of scenarios that failed are not measured.
pub fn summary(all: &[Measured], failed: &[&Scenario]) -> Table {
    let header = words(&["scenario", "budget", "measured", ""]);
    let row = |title: &str, budget: &str, measured: &str, word: &str| words(&[title, budget, measured, word]);
    let judged = |measured: &Measured| {
        measured.scenario.budget?;
        let title = measured.scenario.title;
        Some(verdict(measured).map_or_else(
            || row(title, "-", "-", NOT_MEASURED),
            |verdict| row(title, &verdict.budget, &verdict.measured, verdict.judgement.word()),
        ))
    };
    let mut rows: Vec<_> = all.iter().filter_map(judged).collect();
    rows.extend(failed.iter().map(|scenario| row(scenario.title, "-", "-", NOT_MEASURED)));
    Table { header, rows, notes: Vec::new() }
}

/// Everything that was measured, for programs.
pub fn json(measured: &Measured) -> Value {
    let scenario = measured.scenario;
    let absent: Vec<_> =
        measured.absent.iter().map(|(who, why)| json!({ "server": who, "reason": why })).collect();
    let mut value = json!({
        "id": scenario.id,
        "title": scenario.title,
        "shape": format!("{:?}", scenario.shape),
        "absent": absent,
        "budget_met": verdict(measured).and_then(|verdict| verdict.judgement.met()),
        "verdict": verdict(measured).map(|verdict| verdict.judgement.word()),
    });
    value["servers"] = match &measured.outcome {
        Outcome::Load(rounds) => rounds.rows.iter().map(|row| row_json(rounds, row)).collect(),
        Outcome::Start(starts) | Outcome::Rest(starts) => {
            let server = |starts: &Starts| json!({ "server": starts.entrant.label, "starts": starts.starts });
            starts.iter().map(server).collect()
        }
        Outcome::Latency(changed) => {
            let server = |Changed { entrant, latency }: &Changed| json!({ "server": entrant.label, "latency": latency });
            changed.iter().map(server).collect()
        }
        Outcome::Manage(sheet) => sheet.json.clone(),
    };
    value
}

fn row_json(rounds: &Rounds, row: &Row) -> Value {
    let ratio = |base: Option<&Row>, metric| {
        let ratio = base.and_then(|base| row.over(base, metric));
        ratio.map(|ratio| json!({ "median": ratio.median, "interval_95": ratio.interval }))
    };
    json!({
        "server": row.entrant.label,
        "cpu_micros_per_query": row.median(Sample::cpu_micros),
        "queries_per_second": row.median(|sample| Some(sample.load.queries_per_second)),
        "ratio_to_echo": ratio(rounds.sound(Kind::Echo), rounds.metric),
        "ratio_to_base": ratio(rounds.base_row(), rounds.metric),
        "base": rounds.base_row().map(|row| row.entrant.label),
        "invalid": row.spoiled(),
        "rounds": row.samples,
    })
}

fn of_rounds(rounds: &Rounds) -> Table {
    let (echo, base) = (rounds.sound(Kind::Echo), rounds.base_row());
    let what = match rounds.metric {
        Metric::Cpu => "",
        Metric::Rate => "rate ",
    };
    let mut header = words(&["server", "queries/s", "lost", "wrong", "CPU us/query", "user", "system"]);
    // The floor is a column only where it is not the base anyway.
    let to_echo = echo.filter(|_| rounds.base == Base::BestPeer);
    if to_echo.is_some() {
        header.push(format!("{what}to echo"));
    }
    if let Some(base) = base {
        header.push(format!("{what}to {}", base.entrant.label));
    }
    header.extend(words(&["server busy", "load busy"]));
    let row = |row: &Row| {
        let micros =
            |seconds: fn(&Sample) -> f64| decimals(row.median(|sample| sample.micros(seconds(sample))), 3);
        let mut cells = vec![
            row.entrant.label.to_owned(),
            row.median(|sample| Some(sample.load.queries_per_second)).map_or_else(dash, grouped),
            grouped(row.sum(|sample| sample.load.lost) as f64),
            grouped(row.sum(|sample| sample.load.wrong) as f64),
            micros(|sample| sample.cpu.total()),
            micros(|sample| sample.cpu.user),
            micros(|sample| sample.cpu.system),
        ];
        for base in [to_echo, base].into_iter().flatten() {
            cells.push(row.over(base, rounds.metric).map_or_else(dash, ratio));
        }
        cells.push(percent(row.server_busy()));
        cells.push(percent(row.median(|sample| Some(sample.load.busy))));
        cells
    };
    let count = rounds.rows.first().map_or(0, |row| row.samples.len());
    let mut notes = vec![format!("{count} rounds of {} s.", rounds.seconds)];
    let invalid = rounds.rows.iter().filter(|row| row.stopped.is_none());
    notes.extend(invalid.filter_map(|row| {
        Some(format!(
            "{} is invalid, and nothing is compared with it: {}.",
            row.entrant.label,
            row.spoiled()?
        ))
    }));
    notes.extend(rounds.rows.iter().filter_map(changed));
    if rounds.rows.iter().any(|row| row.entrant.setup.changes_per_second > 0) {
        notes.push(CHANGES_COUNTED.to_owned());
    }
    Table { header, rows: rounds.rows.iter().map(row).collect(), notes }
}

/// What the rate of changes is divided by.
const CHANGES_COUNTED: &str = "Changes, their CPU time and how busy the server is with them are taken over the whole life \
                               of the load, not only while it sends.";

/// How many changes were really made, where some were to be.
fn changed(row: &Row) -> Option<String> {
    let asked = row.entrant.setup.changes_per_second;
    let made = row.median(Sample::change_rate)?;
    (asked > 0).then(|| format!("Of {asked} changes per second {made:.0} were published."))
}

fn of_starts(starts: &[Starts]) -> Table {
    let header =
        words(&["server", "to first answer, s", "CPU s", "RSS, MB", "PSS, MB", "anonymous, MB", "peak, MB"]);
    let row = |starts: &Starts| {
        let mut cells = vec![
            starts.entrant.label.to_owned(),
            decimals(starts.median(|start| start.seconds), 2),
            decimals(starts.median(|start| start.cpu_seconds), 2),
        ];
        cells.extend(memory_cells(starts));
        cells
    };
    Table { header, rows: starts.iter().map(row).collect(), notes: vec![counted(starts)] }
}

fn of_rest(starts: &[Starts]) -> Table {
    let header = words(&[
        "server",
        "to first answer, ms",
        "CPU, %",
        "RSS, MB",
        "PSS, MB",
        "anonymous, MB",
        "peak, MB",
    ]);
    let row = |starts: &Starts| {
        let mut cells = vec![
            starts.entrant.label.to_owned(),
            decimals(starts.median(|start| start.seconds * 1e3), 1),
            decimals(starts.median(|start| start.rest.unwrap_or(0.0) * 100.0), 2),
        ];
        cells.extend(memory_cells(starts));
        cells
    };
    Table { header, rows: starts.iter().map(row).collect(), notes: vec![counted(starts)] }
}

fn of_latency(changed: &[Changed]) -> Table {
    let header = words(&["server", "changes timed", "median, us", "99 %, us", "most, us", "changes/s"]);
    let row = |Changed { entrant, latency }: &Changed| {
        vec![
            entrant.label.to_owned(),
            grouped(latency.changes as f64),
            decimals(Some(latency.median_micros), 1),
            decimals(Some(latency.p99_micros), 1),
            grouped(latency.max_micros),
            rate(latency.changes_per_second),
        ]
    };
    let put_off = changed.iter().filter(|changed| changed.latency.put_off > 0);
    let note = |Changed { entrant, latency }: &Changed| {
        let times = grouped(latency.put_off as f64);
        format!("{}'s SERVFAILs, after which it was sent the update again: {times}.", entrant.label)
    };
    Table { header, rows: changed.iter().map(row).collect(), notes: put_off.map(note).collect() }
}

fn memory_cells(starts: &Starts) -> Vec<String> {
    let cell = |octets: fn(&Memory) -> u64| {
        let median = starts.median(|start: &Start| octets(&start.memory) as f64);
        median.map_or_else(dash, megabytes)
    };
    vec![
        cell(|memory| memory.resident),
        cell(|memory| memory.proportional),
        cell(|memory| memory.anonymous),
        cell(|memory| memory.peak),
    ]
}

fn counted(starts: &[Starts]) -> String {
    let count = starts.iter().map(|starts| starts.starts.len()).max().unwrap_or(0);
    format!("Medians of {count} starts on all cores; memory two seconds after the first answer.")
}

/// A ratio with its interval.
pub fn ratio(ratio: Ratio) -> String {
    let median = ratio.median;
    match ratio.interval {
        Some((low, high)) => format!("{median:.3} ({low:.3}-{high:.3})"),
        None => format!("{median:.3}"),
    }
}

/// With so many digits; a dash if there is nothing.
pub fn decimals(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(dash, |value| format!("{value:.digits$}"))
}

/// A whole number with a comma before every three digits.
pub fn grouped(value: f64) -> String {
    text::grouped(&format!("{value:.0}"), ',')
}

/// Per second: some servers make only a few changes.
fn rate(per_second: f64) -> String {
    if per_second < 100.0 { decimals(Some(per_second), 1) } else { grouped(per_second) }
}

/// A share.
pub fn percent(share: Option<f64>) -> String {
    share.map_or_else(dash, |share| format!("{:.0} %", share * 100.0))
}

/// Octets in millions.
pub fn megabytes(octets: f64) -> String {
    format!("{:.1}", octets / 1e6)
}

/// There is nothing.
pub fn dash() -> String {
    "-".to_owned()
}

/// Cells of these words.
pub fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn line_of(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

#[cfg(test)]
pub mod tests {
    use super::super::entrant::{Asking, Entrant};
    use super::super::latency::Latency;
    use super::super::measure::tests::rounds;
    use super::super::scenarios;
    use super::*;

    /// What came of the scenario with this id; gdnsd was not there.
    pub fn measured(id: &str, outcome: Outcome) -> Measured {
        let scenario = scenarios::ALL.iter().find(|scenario| scenario.id == id).unwrap();
        Measured { scenario, outcome, absent: vec![("gdnsd".into(), "is not here".into())] }
    }

    #[test]
    fn the_table_has_a_row_per_server() {
        let table = Table::of(&measured("hits-10k", Outcome::Load(rounds())));
        assert_eq!(table.header[7..9], ["to echo", "to NSD"]);
        assert_eq!(table.rows.len(), 4);
        assert_eq!(
            table.rows[1],
            [
                "jw238dns",
                "1,000",
                "0",
                "0",
                "1.500",
                "0.500",
                "1.000",
                "1.500 (1.500-1.500)",
                "0.500 (0.500-0.500)",
                "0 %",
                "50 %"
            ]
        );
        let text = table.text("title");
        assert!(text.starts_with("\ntitle\nserver"), "{text}");
        assert!(text.contains("gdnsd is missing: is not here."), "{text}");
        assert!(
            text.contains("Budget missed: at most 1.03 x the echo floor; it is 1.500 (1.500-1.500)."),
            "{text}"
        );
        let lines: Vec<_> = text.lines().skip(2).take(4).map(str::len).collect();
        assert!(lines.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
    }

    #[test]
    fn what_was_really_changed_is_told() {
        let mut rounds = rounds();
        rounds.rows[1].entrant.setup.changes_per_second = 1000;
        rounds.rows[1].samples.iter_mut().flatten().for_each(|sample| sample.changes = 1980); // in two seconds
        let table = Table::of(&measured("changes-10k", Outcome::Load(rounds)));
        assert!(table.notes.iter().any(|note| note.contains("Of 1000 changes per second 990")), "{table:?}");
        assert_eq!(table.notes.iter().filter(|note| note.contains("changes per second")).count(), 1);
        assert!(table.notes.iter().any(|note| note.contains("whole life of the load")), "{table:?}");
    }

    #[test]
    fn nothing_is_compared_with_what_is_invalid() {
        let mut rounds = rounds();
        rounds.rows[0].samples[1].as_mut().unwrap().load.wrong = 1;
        rounds.rows[3].samples[1].as_mut().unwrap().load.lost = 50;
        let table = Table::of(&measured("hits-10k", Outcome::Load(rounds)));
        assert_eq!(table.header[7..], ["to Knot", "server busy", "load busy"]);
        let notes = table.notes.join(" ");
        assert!(notes.contains("echo floor is invalid") && notes.contains("NSD is invalid"), "{notes}");
        assert!(notes.contains("Budget not judged (invalid)"), "{notes}");
    }

    #[test]
    fn markdown_has_as_many_cells_in_every_line() {
        let text = Table::of(&measured("hits-10k", Outcome::Load(rounds()))).markdown();
        let cells: Vec<_> =
            text.lines().filter(|line| line.starts_with('|')).map(|line| line.matches('|').count()).collect();
        assert_eq!(cells, [12; 6], "{text}");
        assert!(text.starts_with("| server | queries/s |"));
        assert!(text.contains("\n\n3 rounds of 1 s. gdnsd is missing"), "{text}");
    }

    #[test]
    fn the_json_has_every_round() {
        let json = json(&measured("hits-10k", Outcome::Load(rounds())));
        let ours = &json["servers"][1];
        assert_eq!(ours["rounds"].as_array().map(Vec::len), Some(3));
        assert_eq!(ours["rounds"][2]["answered"], 1000);
        assert!(ours["invalid"].is_null());
        assert_eq!(ours["base"], "NSD");
        assert!(ours["ratio_to_echo"]["interval_95"][0].is_f64());
        assert_eq!((&json["budget_met"], &json["verdict"]), (&json!(false), &json!("missed")));
        assert_eq!(json["absent"][0]["reason"], "is not here");
    }

    #[test]
    fn changes_of_ours_are_judged_and_those_of_others_shown() {
        let changed = |kind, median_micros, put_off| {
            let latency = Latency {
                changes: 1234,
                median_micros,
                p99_micros: 90.0,
                max_micros: 1000.0,
                changes_per_second: 2000.0,
                put_off,
            };
            Changed { entrant: Entrant::plain(kind, Asking::udp("hits")), latency }
        };
        let of = |ours| {
            let all = vec![changed(Kind::Changes, ours, 0), changed(Kind::Yadifa, 300.0, 7)];
            measured("latency-10k", Outcome::Latency(all))
        };
        let table = Table::of(&of(8.0));
        assert_eq!(table.rows[1], ["YADIFA", "1,234", "300.0", "90.0", "1,000", "2,000"]);
        assert_eq!(table.notes[0], "YADIFA's SERVFAILs, after which it was sent the update again: 7.");
        assert_eq!((rate(2.34), rate(1234.5)), ("2.3".to_owned(), "1,234".to_owned()));
        assert_eq!(json(&of(8.0))["servers"][1]["latency"]["put_off"], 7);
        let met = |ours| verdict(&of(ours)).unwrap().judgement.met();
        assert_eq!((met(30.0), met(30.1)), (Some(true), Some(false)));
        assert!(verdict(&measured("latency-10k", Outcome::Latency(Vec::new()))).is_none());
    }
}
