//! Results for people, and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use super::measure::{Measurement, Sample};
use super::server::Kind;

/// A scenario as a table: medians over the rounds, ratios taken within each round first.
pub fn text(measurement: &Measurement) -> String {
    let mut out = format!("\n{}\n", measurement.scenario.name);
    let header = ["server", "queries/s", "lost", "wrong", "CPU us/query", "to echo", "to Knot"];
    row(&mut out, &header.map(str::to_owned));
    for (kind, samples) in &measurement.servers {
        let sum = |count: fn(&Sample) -> u64| samples.iter().map(count).sum::<u64>().to_string();
        let rate = median(samples.iter().map(|sample| sample.load.queries_per_second));
        let cells = [
            kind.name().to_owned(),
            rate.map_or_else(|| "-".into(), |rate| format!("{rate:.0}")),
            sum(|sample| sample.load.lost),
            sum(|sample| sample.load.wrong),
            shown(median(samples.iter().filter_map(Sample::cpu_micros))),
            shown(ratio(measurement, *kind, Kind::Echo)),
            shown(ratio(measurement, *kind, Kind::Knot)),
        ];
        row(&mut out, &cells);
    }
    out
}

/// Everything that was measured.
pub fn json(measurements: &[Measurement]) -> Value {
    let scenarios: Vec<_> = measurements.iter().map(scenario).collect();
    json!({ "scenarios": scenarios })
}

fn scenario(measurement: &Measurement) -> Value {
    let server = |(kind, samples): &(Kind, Vec<Sample>)| {
        json!({
            "server": kind.name(),
            "cpu_micros_per_query": median(samples.iter().filter_map(Sample::cpu_micros)),
            "queries_per_second": median(samples.iter().map(|sample| sample.load.queries_per_second)),
            "ratio_to_echo": ratio(measurement, *kind, Kind::Echo),
            "ratio_to_knot": ratio(measurement, *kind, Kind::Knot),
            "rounds": samples,
        })
    };
    json!({
        "name": measurement.scenario.name,
        "names": measurement.scenario.names,
        "mixture": measurement.scenario.mixture,
        "transport": if measurement.scenario.tcp { "tcp" } else { "udp" },
        "servers": measurement.servers.iter().map(server).collect::<Vec<_>>(),
    })
}

/// Cost per query of one server over that of the other: the median of the rounds' ratios.
fn ratio(measurement: &Measurement, kind: Kind, base: Kind) -> Option<f64> {
    let (samples, bases) = (measurement.samples(kind)?, measurement.samples(base)?);
    let ratios = samples.iter().zip(bases).filter_map(|(sample, base)| {
        let base = base.cpu_micros().filter(|micros| *micros > 0.0)?;
        Some(sample.cpu_micros()? / base)
    });
    median(ratios)
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "-".into(), |value| format!("{value:.2}"))
}

fn row(out: &mut String, cells: &[String; 7]) {
    let [server, numbers @ ..] = cells;
    // Writing to a string does not fail.
    let _ = write!(out, "{server:<12}");
    for number in numbers {
        let _ = write!(out, " {number:>12}");
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::measure::{Scenario, tests::sample};
    use super::*;

    fn measurement() -> Measurement {
        Measurement {
            scenario: Scenario::udp("hits", 10, "hits"),
            // The machine was twice as slow in the second round.
            servers: vec![
                (Kind::Echo, vec![sample(1000, 0, 1.0), sample(500, 0, 2.0), sample(1000, 0, 1.0)]),
                (Kind::Ours, vec![sample(1000, 0, 1.5), sample(500, 0, 3.0), sample(1000, 2, 1.5)]),
            ],
        }
    }

    #[test]
    fn ratios_are_taken_within_rounds() {
        let measurement = measurement();
        let to_echo = ratio(&measurement, Kind::Ours, Kind::Echo).unwrap();
        assert!((to_echo - 1.5).abs() < 1e-9);
        assert_eq!(ratio(&measurement, Kind::Ours, Kind::Knot), None);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
        assert_eq!(median(std::iter::empty()), None);
    }

    #[test]
    fn the_table_has_a_row_per_server() {
        let text = text(&measurement());
        let rows: Vec<Vec<_>> = text.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows.len(), 3, "{text}");
        assert_eq!(rows[1], ["echo", "floor", "1000", "0", "0", "1.00", "1.00", "-"]);
        assert_eq!(rows[2], ["jw238dns", "1000", "0", "2", "1.50", "1.50", "-"]);
    }

    #[test]
    fn the_json_has_every_round() {
        let json = json(&[measurement()]);
        let ours = &json["scenarios"][0]["servers"][1];
        assert_eq!(ours["rounds"].as_array().map(Vec::len), Some(3));
        assert_eq!(ours["rounds"][2]["wrong"], 2);
        assert_eq!(ours["ratio_to_knot"], Value::Null);
    }
}
