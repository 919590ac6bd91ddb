//! Whether ours stays within its budget, and how sure that is.

use super::Measured;
use super::entrant::Kind;
use super::measure::{Rounds, Row};
use super::scenario::{Budget, Metric};
use super::stats::Ratio;
use super::table::{Outcome, megabytes, ratio};

/// What has become of a budget. The median decides, and the 95 % interval tells how sure that is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Judgement {
    Met,
    /// The interval reaches beyond the budget.
    MetDoubtfully,
    Missed,
    /// The interval reaches into the budget.
    MissedDoubtfully,
    /// Wrong or lost answers: the numbers say nothing.
    Invalid,
}

impl Judgement {
    /// For people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::MetDoubtfully => "met, not beyond doubt",
            Self::Missed => "missed",
            Self::MissedDoubtfully => "missed, not beyond doubt",
            Self::Invalid => "invalid",
        }
    }

    /// Whether it was met; `None` where that cannot be told.
    pub const fn met(self) -> Option<bool> {
        match self {
            Self::Met | Self::MetDoubtfully => Some(true),
            Self::Missed | Self::MissedDoubtfully => Some(false),
            Self::Invalid => None,
        }
    }

    const fn certain(met: bool) -> Self {
        if met { Self::Met } else { Self::Missed }
    }

    /// Of a ratio that should be `within` its bound; a single round leaves no doubt that could be told.
    pub fn of(ratio: Ratio, within: impl Fn(f64) -> bool) -> Self {
        let met = within(ratio.median);
        match ratio.interval {
            Some((low, high)) if within(low) != met || within(high) != met => {
                if met {
                    Self::MetDoubtfully
                } else {
                    Self::MissedDoubtfully
                }
            }
            _ => Self::certain(met),
        }
    }
}

/// A budget, and what was measured.
#[derive(Clone)]
pub struct Verdict {
    pub judgement: Judgement,
    pub budget: String,
    /// With its interval, where there is one; why it is invalid, if it is.
    pub measured: String,
}

impl Verdict {
    /// Without doubt that could be told.
    pub fn certain(met: bool, budget: String, measured: String) -> Self {
        Self { judgement: Judgement::certain(met), budget, measured }
    }

    /// In a sentence.
    pub fn text(&self) -> String {
        let Self { judgement, budget, measured } = self;
        match judgement {
            Judgement::Invalid => format!("Budget not judged (invalid): {budget}; {measured}."),
            judgement => format!("Budget {}: {budget}; it is {measured}.", judgement.word()),
        }
    }
}

/// What has become of the budget; `None` if there is none, or nothing to judge it by.
pub fn verdict(measured: &Measured) -> Option<Verdict> {
    Some(match (measured.scenario.budget?, &measured.outcome) {
        (Budget::ToEcho(most), Outcome::Load(rounds)) => {
            let (ours, echo) = (rounds.row(Kind::Ours)?, rounds.row(Kind::Echo)?);
            compared(ours, echo, Metric::Cpu, most, format!("at most {most:.2} x the echo floor"))?
        }
        (Budget::To(kind, most), Outcome::Load(rounds)) => {
            let (ours, peer) = (rounds.row(Kind::Ours)?, rounds.row(kind)?);
            compared(ours, peer, Metric::Cpu, most, format!("at most {most:.2} x {}", kind.name()))?
        }
        (Budget::ToFirst(label, limit), Outcome::Load(Rounds { rows, metric, .. })) => {
            let (row, first) = (rows.iter().find(|row| row.entrant.label == label)?, rows.first()?);
            let bound = match metric {
                Metric::Cpu => "at most",
                Metric::Rate => "at least",
            };
            let budget = format!("{label}: {bound} {limit:.2} x {}", first.entrant.label);
            compared(row, first, *metric, limit, budget)?
        }
        (Budget::Start { seconds, octets }, Outcome::Start(starts)) => {
            let ours = starts.iter().find(|starts| starts.entrant.kind == Kind::Ours)?;
            let took = ours.median(|start| start.seconds)?;
            let memory = ours.median(|start| start.memory.proportional as f64)?;
            Verdict::certain(
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
            Verdict::certain(
                took <= seconds && memory <= octets as f64 && used <= cpu,
                format!("at most {}", text(seconds, octets as f64, cpu)),
                text(took, memory, used),
            )
        }
        (Budget::Latency(most), Outcome::Latency(changed)) => {
            let ours = changed.iter().find(|changed| changed.entrant.kind == Kind::Changes)?;
            let median = ours.latency.median_micros;
            Verdict::certain(median <= most, format!("at most {most} us"), format!("{median:.1}"))
        }
        (_, Outcome::Manage(sheet)) => sheet.verdict.clone()?,
        _ => return None,
    })
}

/// One row over another: at most the limit where it is a cost, at least where it is a rate.
fn compared(row: &Row, base: &Row, metric: Metric, limit: f64, budget: String) -> Option<Verdict> {
    let spoiled = |row: &Row| Some(format!("{}: {}", row.entrant.label, row.spoiled()?));
    if let Some(reason) = spoiled(row).or_else(|| spoiled(base)) {
        return Some(Verdict { judgement: Judgement::Invalid, budget, measured: reason });
    }
    let over = row.over(base, metric)?;
    let judgement = Judgement::of(over, |value| match metric {
        Metric::Cpu => value <= limit,
        Metric::Rate => value >= limit,
    });
    Some(Verdict { judgement, budget, measured: ratio(over) })
}

#[cfg(test)]
mod tests {
    use super::super::entrant::{Asking, Entrant};
    use super::super::measure::tests::rounds;
    use super::super::process::Memory;
    use super::super::start::{Start, Starts};
    use super::super::table::summary;
    use super::super::table::tests::measured;
    use super::*;

    fn start(seconds: f64, megabytes: u64, rest: Option<f64>) -> Start {
        let octets = megabytes * 1_000_000;
        let memory = Memory { resident: octets, proportional: octets, anonymous: octets, peak: octets };
        Start { seconds, cpu_seconds: seconds, memory, rest }
    }

    fn starts(seconds: f64, megabytes: u64, rest: Option<f64>) -> Vec<Starts> {
        let entrant = Entrant::plain(Kind::Ours, Asking::udp("hits"));
        vec![Starts { entrant, starts: vec![start(seconds, megabytes, rest); 3] }]
    }

    fn judged(measured: &Measured) -> Verdict {
        verdict(measured).unwrap()
    }

    #[test]
    fn the_median_decides_and_the_interval_tells_how_sure_that_is() {
        let at_most = |median, interval| Judgement::of(Ratio { median, interval }, |value| value <= 1.05);
        assert_eq!(at_most(1.02, Some((1.01, 1.03))), Judgement::Met);
        assert_eq!(at_most(1.02, Some((0.99, 1.06))), Judgement::MetDoubtfully);
        assert_eq!(at_most(1.07, Some((1.06, 1.08))), Judgement::Missed);
        assert_eq!(at_most(1.07, Some((1.04, 1.10))), Judgement::MissedDoubtfully);
        assert_eq!((at_most(1.02, None), at_most(1.07, None)), (Judgement::Met, Judgement::Missed));
        let at_least = |median, interval| Judgement::of(Ratio { median, interval }, |value| value >= 0.9);
        assert_eq!(at_least(0.95, Some((0.93, 0.97))), Judgement::Met);
        assert_eq!(at_least(0.95, Some((0.89, 1.01))), Judgement::MetDoubtfully);
        assert_eq!(at_least(0.85, Some((0.79, 0.91))), Judgement::MissedDoubtfully);
    }

    #[test]
    fn wrong_and_lost_answers_leave_nothing_to_judge() {
        for (row, reason) in [(0, "echo floor: wrong answers: 1"), (1, "jw238dns: wrong answers: 1")] {
            let mut rounds = rounds();
            rounds.rows[row].samples[1].as_mut().unwrap().load.wrong = 1;
            let verdict = judged(&measured("hits-10k", Outcome::Load(rounds)));
            assert_eq!((verdict.judgement, verdict.judgement.met()), (Judgement::Invalid, None));
            assert!(verdict.measured.starts_with(reason), "{}", verdict.measured);
        }
        let mut rounds = rounds();
        rounds.rows[2].samples[1].as_mut().unwrap().load.lost = 100; // Knot's, which nothing is judged by
        assert_eq!(judged(&measured("hits-10k", Outcome::Load(rounds))).judgement, Judgement::Missed);
    }

    #[test]
    fn budgets_of_loading_and_resting_are_judged() {
        let loaded = |seconds, megabytes| {
            judged(&measured("start-1m", Outcome::Start(starts(seconds, megabytes, None))))
                .judgement
                .met()
                .unwrap()
        };
        assert!(loaded(0.4, 100));
        assert!(!loaded(0.6, 100) && !loaded(0.4, 120));
        let resting = |seconds, megabytes, rest| {
            measured("rest", Outcome::Rest(starts(seconds, megabytes, Some(rest))))
        };
        let rested =
            |seconds, megabytes, rest| judged(&resting(seconds, megabytes, rest)).judgement.met().unwrap();
        assert!(rested(0.03, 10, 0.0));
        assert!(!rested(0.06, 10, 0.0) && !rested(0.03, 21, 0.0) && !rested(0.03, 10, 0.002));
        assert_eq!(judged(&resting(0.03, 10, 0.0)).measured, "30 ms, 10.0 MB, 0.00 % of a core");

        let all = [
            measured("hits-10k", Outcome::Load(rounds())),
            measured("edns-10k", Outcome::Load(rounds())),
            measured("rest", Outcome::Rest(starts(0.03, 10, Some(0.0)))),
        ];
        let summary = summary(&all, &[]);
        assert_eq!(summary.rows.len(), 2, "{summary:?}");
        assert_eq!(summary.rows[0][1..], ["at most 1.03 x the echo floor", "1.500 (1.500-1.500)", "missed"]);
        assert_eq!(summary.rows[1][3], "met");
    }
}
