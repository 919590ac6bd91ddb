//! Results for people, and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::Measured;
use super::entrant::Kind;
use super::latency::Changed;
use super::measure::{Rounds, Row, Sample};
use super::process::Memory;
use super::scenario::{Base, Budget, Metric};
use super::start::{Start, Starts};
use super::stats::Ratio;

/// What is shown of a scenario.
#[derive(Debug, Default)]
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
}

impl Table {
    /// The table of a scenario, with what has to be known to read it.
    pub fn of(measured: &Measured) -> Self {
        let mut table = match &measured.outcome {
            Outcome::Load(rounds) => of_rounds(rounds),
            Outcome::Start(starts) => of_starts(starts),
            Outcome::Rest(starts) => of_rest(starts),
            Outcome::Latency(changed) => of_latency(changed),
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

/// Every budget of a run, and what became of it.
pub fn summary(all: &[Measured]) -> Table {
    let header = words(&["scenario", "budget", "measured", ""]);
    let row = |measured: &Measured| {
        let verdict = verdict(measured)?;
        let met = if verdict.met { "met" } else { "missed" };
        Some(vec![measured.scenario.title.to_owned(), verdict.budget, verdict.measured, met.to_owned()])
    };
    Table { header, rows: all.iter().filter_map(row).collect(), notes: Vec::new() }
}

/// Whether ours stayed within its budget.
pub struct Verdict {
    pub met: bool,
    pub budget: String,
    pub measured: String,
}

impl Verdict {
    fn new(met: bool, budget: String, measured: String) -> Self {
        Self { met, budget, measured }
    }

    fn text(&self) -> String {
        format!(
            "Budget {}: {}; it is {}.",
            if self.met { "met" } else { "missed" },
            self.budget,
            self.measured
        )
    }
}

/// What has become of the budget; `None` if there is none, or nothing to judge it by.
pub fn verdict(measured: &Measured) -> Option<Verdict> {
    Some(match (measured.scenario.budget?, &measured.outcome) {
        (Budget::ToEcho(most), Outcome::Load(rounds)) => {
            let ratio = rounds.row(Kind::Ours)?.over(rounds.row(Kind::Echo)?, Metric::Cpu)?.median;
            Verdict::new(ratio <= most, format!("at most {most:.2} x the echo floor"), format!("{ratio:.3}"))
        }
        (Budget::To(kind, most), Outcome::Load(rounds)) => {
            let ratio = rounds.row(Kind::Ours)?.over(rounds.row(kind)?, Metric::Cpu)?.median;
            Verdict::new(ratio <= most, format!("at most {most:.2} x {}", kind.name()), format!("{ratio:.3}"))
        }
        (Budget::ToFirst(label, limit), Outcome::Load(rounds)) => {
            let row = rounds.rows.iter().find(|row| row.entrant.label == label)?;
            let first = rounds.rows.first()?;
            let ratio = row.over(first, rounds.metric)?.median;
            let (met, bound) = match rounds.metric {
                Metric::Cpu => (ratio <= limit, "at most"),
                Metric::Rate => (ratio >= limit, "at least"),
            };
            let budget = format!("{label}: {bound} {limit:.2} x {}", first.entrant.label);
            Verdict::new(met, budget, format!("{ratio:.3}"))
        }
        (Budget::Start { seconds, octets }, Outcome::Start(starts)) => {
            let ours = starts.iter().find(|starts| starts.entrant.kind == Kind::Ours)?;
            let took = ours.median(|start| start.seconds)?;
            let memory = ours.median(|start| start.memory.proportional as f64)?;
            Verdict::new(
                took <= seconds && memory <= octets as f64,
                format!("at most {seconds} s and {} MB", megabytes(octets as f64)),
                format!("{took:.2} s and {} MB", megabytes(memory)),
            )
        }
        (Budget::Rest { seconds, octets, cpu }, Outcome::Rest(starts)) => {
            let ours = starts.first()?;
            let took = ours.median(|start| start.seconds)?;
            let memory = ours.median(|start| start.memory.resident as f64)?;
            let used = ours.median(|start| start.rest.unwrap_or(0.0))?;
            let text = |seconds: f64, octets: f64, cpu: f64| {
                format!("{:.0} ms, {} MB, {:.2} % of a core", seconds * 1e3, megabytes(octets), cpu * 100.0)
            };
            Verdict::new(
                took <= seconds && memory <= octets as f64 && used <= cpu,
                format!("at most {}", text(seconds, octets as f64, cpu)),
                text(took, memory, used),
            )
        }
        (Budget::Latency(most), Outcome::Latency(changed)) => {
            let ours = changed.iter().find(|changed| changed.entrant.kind == Kind::Changes)?;
            let median = ours.latency.median_micros;
            Verdict::new(median <= most, format!("at most {most} us"), format!("{median:.1}"))
        }
        _ => return None,
    })
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
        "budget_met": verdict(measured).map(|verdict| verdict.met),
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
        "ratio_to_echo": ratio(rounds.row(Kind::Echo), rounds.metric),
        "ratio_to_base": ratio(rounds.base_row(), rounds.metric),
        "base": rounds.base_row().map(|row| row.entrant.label),
        "rounds": row.samples,
    })
}

fn of_rounds(rounds: &Rounds) -> Table {
    let (echo, base) = (rounds.row(Kind::Echo), rounds.base_row());
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
        cells.push(percent(row.median(Sample::server_busy)));
        cells.push(percent(row.median(|sample| Some(sample.load.busy))));
        cells
    };
    let count = rounds.rows.first().map_or(0, |row| row.samples.len());
    let mut notes = vec![format!("{count} rounds of {} s.", rounds.seconds)];
    notes.extend(rounds.rows.iter().filter_map(changed));
    Table { header, rows: rounds.rows.iter().map(row).collect(), notes }
}

/// How many changes were really made, where some were to be.
fn changed(row: &Row) -> Option<String> {
    let asked = row.entrant.setup.changes_per_second;
    let made = row.median(|sample| Some(f64::from(sample.changes) / sample.load.seconds))?;
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

fn ratio(ratio: Ratio) -> String {
    let median = ratio.median;
    match ratio.interval {
        Some((low, high)) => format!("{median:.3} ({low:.3}-{high:.3})"),
        None => format!("{median:.3}"),
    }
}

fn decimals(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(dash, |value| format!("{value:.digits$}"))
}

/// A whole number with a comma before every three digits.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Per second: some servers make only a few changes.
fn rate(per_second: f64) -> String {
    if per_second < 100.0 { decimals(Some(per_second), 1) } else { grouped(per_second) }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(dash, |share| format!("{:.0} %", share * 100.0))
}

fn megabytes(octets: f64) -> String {
    format!("{:.1}", octets / 1e6)
}

fn dash() -> String {
    "-".to_owned()
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn line_of(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

#[cfg(test)]
mod tests {
    use super::super::entrant::Entrant;
    use super::super::latency::Latency;
    use super::super::measure::tests::rounds;
    use super::super::scenarios;
    use super::*;

    fn measured(id: &str, outcome: Outcome) -> Measured {
        let scenario = scenarios::ALL.iter().find(|scenario| scenario.id == id).unwrap();
        Measured { scenario, outcome, absent: vec![("gdnsd".into(), "is not here".into())] }
    }

    fn start(seconds: f64, megabytes: u64, rest: Option<f64>) -> Start {
        let octets = megabytes * 1_000_000;
        let memory = Memory { resident: octets, proportional: octets, anonymous: octets, peak: octets };
        Start { seconds, cpu_seconds: seconds, memory, rest }
    }

    fn starts(seconds: f64, megabytes: u64, rest: Option<f64>) -> Vec<Starts> {
        let entrant = Entrant::plain(Kind::Ours, super::super::entrant::Asking::udp("hits"));
        vec![Starts { entrant, starts: vec![start(seconds, megabytes, rest); 3] }]
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
                "2",
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
        assert!(text.contains("Budget missed: at most 1.03 x the echo floor; it is 1.500."), "{text}");
        let lines: Vec<_> = text.lines().skip(2).take(4).map(str::len).collect();
        assert!(lines.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
    }

    #[test]
    fn long_numbers_are_grouped() {
        let shown: Vec<_> = [0.0, 999.4, 1000.0, 12_345.6, 1_234_567.0].into_iter().map(grouped).collect();
        assert_eq!(shown, ["0", "999", "1,000", "12,346", "1,234,567"]);
    }

    #[test]
    fn what_was_really_changed_is_told() {
        let mut rounds = rounds();
        rounds.rows[1].entrant.setup.changes_per_second = 1000;
        rounds.rows[1].samples.iter_mut().for_each(|sample| sample.changes = 990);
        let table = Table::of(&measured("changes-10k", Outcome::Load(rounds)));
        assert!(table.notes.iter().any(|note| note.contains("Of 1000 changes per second 990")), "{table:?}");
        assert_eq!(table.notes.iter().filter(|note| note.contains("changes per second")).count(), 1);
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
        assert_eq!(ours["rounds"][2]["wrong"], 2);
        assert_eq!(ours["base"], "NSD");
        assert!(ours["ratio_to_echo"]["interval_95"][0].is_f64());
        assert_eq!(json["budget_met"], false);
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
            Changed { entrant: Entrant::plain(kind, super::super::entrant::Asking::udp("hits")), latency }
        };
        let of = |ours| {
            let all = vec![changed(Kind::Changes, ours, 0), changed(Kind::Yadifa, 300.0, 7)];
            measured("latency-10k", Outcome::Latency(all))
        };
        assert!(verdict(&of(30.0)).unwrap().met && !verdict(&of(30.1)).unwrap().met);
        let table = Table::of(&of(8.0));
        assert_eq!(table.rows[1], ["YADIFA", "1,234", "300.0", "90.0", "1,000", "2,000"]);
        assert_eq!(table.notes[0], "YADIFA's SERVFAILs, after which it was sent the update again: 7.");
        assert_eq!((rate(2.34), rate(1234.5)), ("2.3".to_owned(), "1,234".to_owned()));
        assert_eq!(json(&of(8.0))["servers"][1]["latency"]["put_off"], 7);
        assert!(verdict(&measured("latency-10k", Outcome::Latency(Vec::new()))).is_none());
    }

    #[test]
    fn budgets_of_loading_and_resting_are_judged() {
        let loaded = |seconds, megabytes| {
            verdict(&measured("start-1m", Outcome::Start(starts(seconds, megabytes, None)))).unwrap()
        };
        assert!(loaded(0.4, 100).met);
        assert!(!loaded(0.6, 100).met && !loaded(0.4, 120).met);
        let rested = |seconds, megabytes, rest| {
            verdict(&measured("rest", Outcome::Rest(starts(seconds, megabytes, Some(rest))))).unwrap()
        };
        assert!(rested(0.03, 10, 0.0).met);
        assert!(!rested(0.06, 10, 0.0).met && !rested(0.03, 21, 0.0).met && !rested(0.03, 10, 0.002).met);
        assert_eq!(rested(0.03, 10, 0.0).measured, "30 ms, 10.0 MB, 0.00 % of a core");

        let all = [
            measured("hits-10k", Outcome::Load(rounds())),
            measured("edns-10k", Outcome::Load(rounds())),
            measured("rest", Outcome::Rest(starts(0.03, 10, Some(0.0)))),
        ];
        let summary = summary(&all);
        assert_eq!(summary.rows.len(), 2, "{summary:?}");
        assert_eq!(summary.rows[0][1..], ["at most 1.03 x the echo floor", "1.500", "missed"]);
        assert_eq!(summary.rows[1][3], "met");
    }
}
