//! What was measured, in the shape of `bench.json`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::measure::Measure;
use crate::ratio::Ratio;
use crate::sample::Sample;
use crate::workload::Workload;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// Rises when a field changes its meaning.
    pub schema: u32,
    pub boltbouncer: String,
    /// RFC 3339.
    pub started: String,
    /// Somebody ended the run early. What is here was measured until then.
    pub interrupted: bool,
    /// Why the workloads after the last one could not be run.
    pub error: Option<String>,
    pub machine: Machine,
    pub settings: SettingsInfo,
    pub targets: Vec<TargetInfo>,
    pub workloads: Vec<WorkloadResult>,
    pub checks: Vec<CheckResult>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SettingsInfo {
    pub clients: usize,
    pub idle_clients: usize,
    pub users: Option<usize>,
    pub rounds: usize,
    /// For each workload and target, over all rounds.
    pub duration_s: f64,
    pub warm_up_s: f64,
    /// At the beginning of each turn, on top of its share of the duration; not counted.
    pub settle_s: f64,
    /// Operations per second; `None` for a closed loop.
    pub rate: Option<f64>,
    pub records: u64,
    pub record_bytes: usize,
    pub link_delay_ms: Option<f64>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TargetInfo {
    pub name: String,
    pub uri: String,
    /// `Neo4j/…`
    pub agent: String,
    pub bolt: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WorkloadResult {
    pub workload: Workload,
    /// In the order of [`Results::targets`].
    pub targets: Vec<TargetResult>,
    /// Sentences about counts in the nodes of `write` that are not what the clients were told.
    pub miscounted: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TargetResult {
    pub name: String,
    pub total: Sample,
    pub rounds: Vec<Sample>,
    /// This target divided by the first one, by the measure's name. Empty for the first target.
    pub ratios: BTreeMap<String, Ratio>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckResult {
    pub check: String,
    /// `None` if it was not measured.
    pub value: Option<f64>,
    pub holds: bool,
}

impl fmt::Display for CheckResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.holds { "holds" } else { "does not hold" };
        match self.value {
            Some(value) => write!(f, "{}: {verdict}, {value:.3}", self.check),
            None => write!(f, "{}: {verdict}, it was not measured", self.check),
        }
    }
}

impl TargetResult {
    /// `first` is the target that all others are compared with; `None` for that target itself.
    pub(crate) fn new(
        name: &str,
        total: Sample,
        rounds: Vec<Sample>,
        first: Option<&Self>,
    ) -> Self {
        let own = Samples { name, total: &total, rounds: &rounds };
        let ratios = first.into_iter().flat_map(|first| {
            let ratio = |measure: &Measure| {
                Some((measure.to_string(), own.ratio(measure, first.samples())?))
            };
            Measure::COMPARED.iter().filter_map(ratio).collect::<Vec<_>>()
        });
        let ratios = ratios.collect();
        Self { name: name.to_owned(), total, rounds, ratios }
    }

    /// This target's number divided by that of another target, round by round.
    pub fn ratio(&self, measure: &Measure, base: &Self) -> Option<Ratio> {
        self.samples().ratio(measure, base.samples())
    }

    /// A number of this target. A quotient is taken for each round, as a ratio is, and their median is
    /// the number: over all rounds together it would show how the machine's speed changed from one
    /// round to the next.
    pub fn value(&self, measure: &Measure) -> Option<f64> {
        if !matches!(measure, Measure::Quotient(_)) || !measure.is_known_per_round() {
            return measure.of(&self.total, &self.name);
        }
        let rounds = self.rounds.iter().map(|round| measure.of(round, &self.name));
        Some(Ratio::new(rounds.collect())?.median)
    }

    fn samples(&self) -> Samples<'_> {
        Samples { name: &self.name, total: &self.total, rounds: &self.rounds }
    }
}

/// The numbers of one target.
#[derive(Clone, Copy)]
struct Samples<'a> {
    name: &'a str,
    total: &'a Sample,
    rounds: &'a [Sample],
}

impl Samples<'_> {
    fn ratio(self, measure: &Measure, base: Samples<'_>) -> Option<Ratio> {
        let own = |sample| measure.of(sample, self.name);
        let others = |sample| measure.of(sample, base.name);
        if !measure.is_known_per_round() {
            return Ratio::new(vec![Some(own(self.total)? / others(base.total)?)]);
        }
        let rounds = self.rounds.iter().zip(base.rounds);
        Ratio::new(rounds.map(|(a, b)| Some(own(a)? / others(b)?)).collect())
    }
}

pub const SCHEMA: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::Latency;

    fn sample(p50: f64, p99: f64) -> Sample {
        let latency = Latency { mean: p50, p50, p90: p50, p99, p999: p99, max: p99 };
        Sample { latency_us: Some(latency), ..Sample::default() }
    }

    #[test]
    fn a_quotient_is_that_of_the_rounds_and_a_number_that_of_all_together() {
        let target = TargetResult {
            name: "pooled".into(),
            total: sample(150.0, 210.0),
            rounds: vec![sample(100.0, 105.0), sample(200.0, 210.0), sample(100.0, 110.0)],
            ratios: BTreeMap::new(),
        };
        assert_eq!(target.value(&"p99/p50".parse().unwrap()), Some(1.05));
        assert_eq!(target.value(&Measure::P99), Some(210.0));
        assert_eq!(target.value(&Measure::Throughput), None);
    }
}
