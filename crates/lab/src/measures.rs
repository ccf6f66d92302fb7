//! The numbers that patterns are compared by: each as the median of its rounds, with what lies between
//! the rounds. A difference that the rounds show among themselves is no difference between patterns.

use crate::results::{PatternResult, Results};
use crate::settings::Pattern;

/// A number of a pattern's round.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    pub name: &'static str,
    pub unit: Unit,
    of: fn(&PatternResult) -> Option<f64>,
    /// What is written where there is no value.
    absent: &'static str,
}

/// A measure is known by its name.
impl PartialEq for Measure {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Count,
    Milliseconds,
    Seconds,
    /// 0 to 1, written in percent.
    Share,
    Bytes,
    Times,
}

/// A measure of a pattern over its rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Value {
    pub median: f64,
    pub lowest: f64,
    pub highest: f64,
    pub rounds: usize,
}

/// How a pattern differs from the first one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// In percent of the first one.
    Percent(f64),
    /// None, or less than the rounds differ among themselves.
    None,
    /// There is nothing to compare with.
    Unknown,
}

impl Measure {
    pub const fn new(
        name: &'static str,
        unit: Unit,
        of: fn(&PatternResult) -> Option<f64>,
    ) -> Self {
        Self { name, unit, of, absent: "–" }
    }

    const fn or(self, absent: &'static str) -> Self {
        Self { absent, ..self }
    }

    /// `None` if no round of the pattern has it.
    pub fn value(&self, results: &Results, pattern: Pattern) -> Option<Value> {
        Value::of(results.rounds_of(pattern).filter_map(self.of).collect())
    }

    /// How the pattern differs from the run's first one.
    pub fn change(&self, results: &Results, pattern: Pattern) -> Change {
        let first = results.names().first().and_then(|first| self.value(results, *first));
        match first.zip(self.value(results, pattern)) {
            Some((first, value)) => value.against(first, self.unit),
            None => Change::Unknown,
        }
    }

    /// The median in words.
    pub fn text(&self, results: &Results, pattern: Pattern) -> String {
        let value = self.value(results, pattern);
        value.map_or_else(|| self.absent.into(), |value| self.unit.write(value.median))
    }
}

impl Value {
    fn of(mut rounds: Vec<f64>) -> Option<Self> {
        rounds.sort_by(f64::total_cmp);
        let (lowest, highest) = (*rounds.first()?, *rounds.last()?);
        let (below, above) = (rounds[(rounds.len() - 1) / 2], rounds[rounds.len() / 2]);
        Some(Self { median: f64::midpoint(below, above), lowest, highest, rounds: rounds.len() })
    }

    fn against(self, first: Self, unit: Unit) -> Change {
        if first.median == 0.0 {
            return if self.median == 0.0 { Change::None } else { Change::Unknown };
        }
        let percent = (self.median - first.median) / first.median * 100.0;
        let least = if self.rounds.min(first.rounds) > 1 || unit == Unit::Count {
            ROUNDING_PERCENT
        } else {
            // One round shows nothing of how much the next one would differ.
            ONE_ROUND_PERCENT
        };
        let overlap = self.lowest <= first.highest && first.lowest <= self.highest;
        let is_noise = self.rounds > 1 && overlap;
        if is_noise || percent.abs() < least { Change::None } else { Change::Percent(percent) }
    }

    /// The lowest and the highest, if they are not the same as far as one sees.
    pub fn spread(&self, unit: Unit) -> Option<String> {
        let (lowest, highest) = (unit.write(self.lowest), unit.write(self.highest));
        (lowest != highest).then(|| format!("{} to {highest}", unit.number(self.lowest)))
    }
}

impl Change {
    /// `−80 %`, `none`, or nothing.
    pub fn text(self) -> String {
        match self {
            Self::Percent(p) if p < 0.0 => format!("−{:.0} %", -p),
            Self::Percent(p) => format!("+{p:.0} %"),
            Self::None => "none".into(),
            Self::Unknown => String::new(),
        }
    }
}

impl Unit {
    pub fn write(self, value: f64) -> String {
        let unit = match self {
            Self::Count | Self::Times => "",
            Self::Milliseconds => " ms",
            Self::Seconds => " s",
            Self::Share => " %",
            Self::Bytes => " MiB",
        };
        format!("{}{unit}", self.number(value))
    }

    /// Three digits say enough.
    fn number(self, value: f64) -> String {
        match self {
            // The median of an even number of rounds may lie between two counts.
            Self::Count if value.fract() != 0.0 => format!("{value:.1}"),
            Self::Count => format!("{value:.0}"),
            Self::Times => format!("{value:.1}"),
            Self::Milliseconds if value >= 100.0 => format!("{value:.0}"),
            Self::Milliseconds => format!("{value:.1}"),
            Self::Seconds if value >= 100.0 => format!("{value:.0}"),
            Self::Seconds if value >= 10.0 => format!("{value:.1}"),
            Self::Seconds => format!("{value:.2}"),
            Self::Share if value < 0.1 => format!("{:.1}", value * 100.0),
            Self::Share => format!("{:.0}", value * 100.0),
            Self::Bytes => format!("{:.1}", value / f64::from(1 << 20)),
        }
    }
}

impl Results {
    /// The patterns that ran, in their order.
    pub fn names(&self) -> Vec<Pattern> {
        let mut names = Vec::new();
        for result in &self.patterns {
            if !names.contains(&result.name) {
                names.push(result.name);
            }
        }
        names
    }

    pub fn rounds_of(&self, pattern: Pattern) -> impl Iterator<Item = &PatternResult> {
        self.patterns.iter().filter(move |result| result.name == pattern)
    }

    /// The round that took neither longest nor shortest, to show one of several.
    pub fn typical(&self, pattern: Pattern) -> Option<&PatternResult> {
        let mut rounds: Vec<_> = self.rounds_of(pattern).collect();
        rounds.sort_by(|a, b| a.wall_s.total_cmp(&b.wall_s));
        rounds.get(rounds.len().saturating_sub(1) / 2).copied()
    }

    /// The rounds that took much longer than the others of their pattern, each in a sentence.
    pub fn outliers(&self) -> Vec<String> {
        let of_pattern = |pattern: Pattern| {
            let median = ENDED.value(self, pattern).map_or(f64::INFINITY, |value| value.median);
            let is_outlier = move |round: &&PatternResult| round.wall_s > OUTLIER * median;
            self.rounds_of(pattern).filter(is_outlier).map(move |round| {
                format!(
                    "round {} of {pattern} took {}, where {} is the median: an outlier, probably something \
                     else that ran on this machine",
                    round.round,
                    Unit::Seconds.write(round.wall_s),
                    Unit::Seconds.write(median),
                )
            })
        };
        self.names().into_iter().flat_map(of_pattern).collect()
    }
}

pub const FAILED: Measure =
    Measure::new("tasks failed", Unit::Count, |p| Some(p.tasks.failed as f64));
pub const RETRIED: Measure =
    Measure::new("tries that failed", Unit::Count, |p| Some(failed_attempts(p) as f64));
pub const REFUSED: Measure =
    Measure::new("connections refused", Unit::Count, |p| p.refused.map(|refused| refused as f64));
pub const OPENED: Measure =
    Measure::new("connections opened", Unit::Count, |p| Some(p.connections.opened as f64));
pub const PEAK: Measure =
    Measure::new("open at once, peak", Unit::Count, |p| Some(p.connections.peak_open as f64));
pub const CONNECTING: Measure =
    Measure::new("time spent connecting", Unit::Seconds, |p| Some(p.connecting.total_s));
pub const LOGIN_CPU: Measure =
    Measure::new("server's processor time for logins", Unit::Seconds, |p| Some(p.logins?.cpu_s));
pub const DONE: Measure = Measure::new("until all work was done", Unit::Seconds, done).or("never");
pub const ENDED: Measure =
    Measure::new("until the last task ended", Unit::Seconds, |p| Some(p.wall_s));
pub const WAITED: Measure =
    Measure::new("tasks that waited", Unit::Count, |p| Some(p.tasks.waited as f64));

/// All measures, in the order of the long table.
pub fn all() -> Vec<Measure> {
    use Unit::{Bytes, Count, Milliseconds, Seconds, Share, Times};
    vec![
        Measure::new("tasks", Count, |p| Some(p.tasks.total as f64)),
        FAILED,
        RETRIED,
        REFUSED,
        WAITED,
        DONE,
        ENDED,
        Measure::new("drivers created", Count, |p| Some(p.drivers_created as f64)),
        OPENED,
        Measure::new("connections closed", Count, |p| Some(p.connections.closed as f64)),
        PEAK,
        Measure::new("idle at once, peak", Count, |p| Some(p.connections.peak_idle as f64)),
        Measure::new("in use at once, peak", Count, |p| Some(p.connections.peak_in_use as f64)),
        Measure::new("open, standard deviation", Count, |p| {
            Some((p.connections.deviation * 10.0).round() / 10.0)
        }),
        Measure::new("clients of the pooler, peak", Count, |p| Some(p.pooler?.peak_clients as f64)),
        Measure::new("opened, as the pooler counts", Count, |p| {
            Some(p.pooler?.upstream_opened as f64)
        }),
        CONNECTING,
        Measure::new("… of the tasks' time", Share, |p| Some(p.connecting.share)),
        Measure::new("first answer, p50", Milliseconds, |p| Some(p.first_answer?.ms.p50)),
        Measure::new("… spent on connecting", Share, |p| Some(p.first_answer?.connecting_share)),
        Measure::new("call with connecting, p50", Milliseconds, |p| Some(p.call_ms?.p50)),
        Measure::new("call with connecting, p99", Milliseconds, |p| Some(p.call_ms?.p99)),
        Measure::new("query, p50", Milliseconds, |p| Some(p.query_ms?.p50)),
        Measure::new("query, p99", Milliseconds, |p| Some(p.query_ms?.p99)),
        Measure::new("tasks at once, peak", Count, |p| {
            Some(p.airflow.as_ref()?.peak_running as f64)
        }),
        Measure::new("task, p50", Seconds, |p| Some(p.task_s?.p50)),
        Measure::new("task, p99", Seconds, |p| Some(p.task_s?.p99)),
        Measure::new("task, p99 ÷ p50", Times, |p| p.task_s.map(|s| s.p99 / s.p50.max(1e-9))),
        Measure::new("processor time of the tasks", Seconds, |p| Some(p.task_cpu_s)),
        Measure::new("memory of the largest task", Bytes, |p| Some(p.task_memory_bytes as f64)),
        Measure::new("logins", Count, |p| Some(p.logins?.count as f64)),
        LOGIN_CPU,
        Measure::new("server's processor time", Seconds, |p| p.server_cpu_s),
    ]
}

/// Work of which a part was given up is never done.
fn done(pattern: &PatternResult) -> Option<f64> {
    let is_done = pattern.tasks.failed == 0 && pattern.tasks.unfinished == 0;
    is_done.then_some(pattern.wall_s)
}

fn failed_attempts(pattern: &PatternResult) -> u64 {
    pattern.tasks.attempt_failures.values().sum()
}

const ROUNDING_PERCENT: f64 = 0.5;
const ONE_ROUND_PERCENT: f64 = 10.0;
const OUTLIER: f64 = 1.5;

#[cfg(test)]
mod tests {
    use super::*;

    fn value(rounds: &[f64]) -> Value {
        Value::of(rounds.to_vec()).unwrap()
    }

    fn change(first: &[f64], other: &[f64], unit: Unit) -> String {
        value(other).against(value(first), unit).text()
    }

    #[test]
    fn counts_change_in_percent_of_the_first() {
        assert_eq!(change(&[500.0], &[100.0], Unit::Count), "−80 %");
        assert_eq!(change(&[100.0], &[150.0], Unit::Count), "+50 %");
        assert_eq!(change(&[3.0], &[3.0], Unit::Count), "none");
        assert_eq!(change(&[0.0], &[3.0], Unit::Count), "");
        assert_eq!(change(&[0.0], &[0.0], Unit::Count), "none");
    }

    #[test]
    fn what_rounds_differ_among_themselves_is_no_change() {
        let seconds = |first: &[f64], other: &[f64]| change(first, other, Unit::Seconds);
        assert_eq!(seconds(&[4.0, 4.2, 4.4], &[4.3, 4.5, 4.6]), "none");
        assert_eq!(seconds(&[4.0, 4.2, 4.4], &[4.6, 4.8, 5.0]), "+14 %");
        // One outlier among three makes no finding.
        assert_eq!(seconds(&[4.0, 4.1, 4.2], &[4.1, 4.2, 18.0]), "none");
        assert_eq!(seconds(&[4.0], &[4.3]), "none");
        assert_eq!(seconds(&[4.0], &[5.0]), "+25 %");
    }

    #[test]
    fn a_value_is_the_median_of_its_rounds() {
        let value = value(&[9.0, 4.0, 5.0]);
        assert_eq!((value.median, value.lowest, value.highest), (5.0, 4.0, 9.0));
        assert_eq!(value.spread(Unit::Seconds).as_deref(), Some("4.00 to 9.00 s"));
        assert_eq!(Value::of(vec![4.0, 5.0]).unwrap().median, 4.5);
        assert_eq!(Value::of(vec![4.0; 3]).unwrap().spread(Unit::Count), None);
        assert_eq!(Value::of(Vec::new()), None);
    }

    #[test]
    fn numbers_have_no_more_digits_than_they_mean() {
        assert_eq!(Unit::Seconds.write(123.456), "123 s");
        assert_eq!(Unit::Seconds.write(1.234), "1.23 s");
        assert_eq!(Unit::Share.write(0.0234), "2.3 %");
        assert_eq!(Unit::Share.write(0.73), "73 %");
        assert_eq!(Unit::Bytes.write(f64::from(3 << 20)), "3.0 MiB");
    }
}
