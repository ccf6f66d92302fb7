//! The numbers of one target in one round, or in all rounds together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sample {
    pub seconds: f64,
    /// Only those that succeeded. Latency and throughput are theirs.
    pub operations: u64,
    pub throughput: f64,
    /// `None` if no operation succeeded.
    pub latency_us: Option<Latency>,
    pub records_per_s: f64,
    pub bytes_per_s: f64,
    /// How many operations failed, by the reason.
    pub errors: BTreeMap<String, u64>,
    /// Processor time in seconds, by the process's name.
    pub cpu_s: BTreeMap<String, f64>,
    /// Resident memory at the end, by the process's name.
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
