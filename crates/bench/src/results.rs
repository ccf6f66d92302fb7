//! What was measured, in the shape of `bench.json`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::measure::{Measure, Ratio};
use crate::turn::Measurement;
use crate::workload::Workload;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// Rises when a field changes its meaning.
    pub schema: u32,
    pub boltbouncer: String,
    /// RFC 3339.
    pub started: String,
    /// The run was ended before its time; what there is was measured.
    pub interrupted: bool,
    /// Why the workloads behind the last one could not be run.
    pub error: Option<String>,
    pub machine: Machine,
    pub settings: SettingsInfo,
    pub targets: Vec<TargetInfo>,
    pub workloads: Vec<WorkloadResult>,
    pub checks: Vec<CheckResult>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    pub os: String,
    pub arch: String,
    pub cpus: usize,
    /// As the processor calls itself.
    pub processor: Option<String>,
    pub kernel: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SettingsInfo {
    pub clients: usize,
    pub idle_clients: usize,
    pub users: Option<usize>,
    pub rounds: usize,
    /// Of each workload and target, over all rounds.
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
    /// Counts in the nodes of `write` that are not what the clients were told.
    pub miscounted: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TargetResult {
    pub name: String,
    pub total: Sample,
    pub rounds: Vec<Sample>,
    /// To the first target, by the measure's name.
    pub ratios: BTreeMap<String, Ratio>,
}

/// What was seen in one round, or in all of them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sample {
    pub seconds: f64,
    /// Successful ones; latency and throughput are theirs.
    pub operations: u64,
    pub throughput: f64,
    pub latency_us: Option<Latency>,
    pub records_per_s: f64,
    pub bytes_per_s: f64,
    pub errors: BTreeMap<String, u64>,
    /// Seconds, by the process's name.
    pub cpu_s: BTreeMap<String, f64>,
    /// Resident, at the end.
    pub memory_bytes: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Latency {
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub p999: f64,
    pub max: f64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckResult {
    pub check: String,
    /// `None` if it was not measured.
    pub value: Option<f64>,
    pub holds: bool,
}

impl Sample {
    pub(crate) fn new(
        seen: &Measurement,
        cpu_s: BTreeMap<String, f64>,
        memory_bytes: BTreeMap<String, u64>,
    ) -> Self {
        let seconds = seen.elapsed.as_secs_f64();
        let operations = seen.latency.len();
        let per_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        let us = |quantile| seen.latency.value_at_quantile(quantile) as f64 / NS_PER_US;
        let latency = Latency {
            mean: seen.latency.mean() / NS_PER_US,
            p50: us(0.5),
            p90: us(0.9),
            p99: us(0.99),
            p999: us(0.999),
            max: seen.latency.max() as f64 / NS_PER_US,
        };
        Self {
            seconds,
            operations,
            throughput: per_second(operations),
            latency_us: (operations > 0).then_some(latency),
            records_per_s: per_second(seen.records),
            bytes_per_s: per_second(seen.bytes),
            errors: seen.errors.clone(),
            cpu_s,
            memory_bytes,
        }
    }
}

impl TargetResult {
    /// What this target is in relation to another one, round by round.
    pub fn ratio(&self, measure: &Measure, base: &Self) -> Option<Ratio> {
        let own = |sample| measure.of(sample, &self.name);
        let others = |sample| measure.of(sample, &base.name);
        if !measure.is_known_per_round() {
            return Ratio::new(vec![Some(own(&self.total)? / others(&base.total)?)]);
        }
        let rounds = self.rounds.iter().zip(&base.rounds);
        Ratio::new(rounds.map(|(a, b)| Some(own(a)? / others(b)?)).collect())
    }

    /// A number of this target's. A quotient is taken round by round, as a ratio is: over all rounds
    /// together it would show how the machine's pace changed from one to the next.
    pub fn value(&self, measure: &Measure) -> Option<f64> {
        if !matches!(measure, Measure::Quotient(_)) || !measure.is_known_per_round() {
            return measure.of(&self.total, &self.name);
        }
        let rounds = self.rounds.iter().map(|round| measure.of(round, &self.name));
        Some(Ratio::new(rounds.collect())?.median)
    }
}

const NS_PER_US: f64 = 1000.0;
pub const SCHEMA: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

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
