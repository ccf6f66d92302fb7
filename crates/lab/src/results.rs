//! What was measured, in the shape of `results.json`. `results.schema.json` beside this crate
//! describes it; a test holds the two together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::settings::Pattern;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// Rises when a field changes its meaning.
    pub schema: u32,
    pub boltbouncer: String,
    /// RFC 3339.
    pub started: String,
    /// Somebody ended the run early. What is here was measured until then.
    pub interrupted: bool,
    /// Why the run ended early by itself; `None` if it did not. What is here was measured until then.
    #[serde(default)]
    pub failed: Option<String>,
    pub machine: Machine,
    pub target: TargetInfo,
    /// `None` if the lab itself ran the tasks.
    pub airflow: Option<AirflowInfo>,
    pub settings: SettingsInfo,
    pub patterns: Vec<PatternResult>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    pub os: String,
    pub arch: String,
    pub cpus: usize,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TargetInfo {
    pub uri: String,
    pub embedded: bool,
    /// `Neo4j/…`
    pub agent: String,
    pub bolt: String,
    pub counted_by: CountedBy,
}

/// Where the numbers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CountedBy {
    /// The sandbox's own books: exact, peaks included.
    Books,
    /// `dbms.listConnections` and `SHOW TRANSACTIONS`. The numbers of opened and closed connections
    /// follow from the server's connection ids, and are exact as long as nobody else connects between two
    /// samples. Peaks are sampled.
    ListConnections,
    /// The tasks' established sockets. They are sampled: what opens and closes between two samples is
    /// missed.
    Sockets,
}

impl CountedBy {
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Books => "the server's own books (exact)",
            Self::ListConnections => {
                "dbms.listConnections and SHOW TRANSACTIONS, ten times a second; opened and closed by the server's connection ids, which is exact if nobody else connected meanwhile"
            }
            Self::Sockets => {
                "the tasks' sockets on this machine, and the pooler's for pooled, ten times a second (the server could not be asked)"
            }
        }
    }
}

/// The Airflow that ran the tasks.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AirflowInfo {
    pub version: String,
    pub url: String,
    /// It was set up, started and ended with the run.
    pub native: bool,
    /// This and what follows is known only if it was.
    pub executor: Option<String>,
    pub database: Option<String>,
    pub python: Option<String>,
}

/// The DAG run of a pattern.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AirflowRun {
    pub dag_id: String,
    pub run_id: String,
    /// How many tasks ended in which state, in Airflow's words.
    pub task_states: BTreeMap<String, u64>,
    /// A task's duration in seconds, as Airflow has it.
    pub task_s: Option<Spread>,
    /// The most tasks that ran at once.
    pub peak_running: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SettingsInfo {
    pub tasks: usize,
    /// `None` if an Airflow that was there already decided on it.
    pub parallelism: Option<usize>,
    pub calls: usize,
    pub hold_ms: u64,
    pub query: String,
    pub pool_size: usize,
    pub worker: String,
    pub driver: String,
    pub database: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PatternResult {
    pub name: Pattern,
    pub user_agent: String,
    pub tasks: Tasks,
    pub calls_per_task: usize,
    pub drivers_created: u64,
    pub connections: Connections,
    /// What the lab's pooler counted, if the pattern went through it.
    pub pooler: Option<PoolerNumbers>,
    pub airflow: Option<AirflowRun>,
    pub first_answer: Option<FirstAnswer>,
    pub query_ms: Option<Spread>,
    /// Since the run's start.
    pub from_ms: u64,
    pub to_ms: u64,
    /// From the first task's start to the last one's end.
    pub wall_s: f64,
    pub task_cpu_s: f64,
    /// The memory of the largest task.
    pub task_memory_bytes: u64,
    /// Processor time of the server's process, if it runs on this machine.
    pub server_cpu_s: Option<f64>,
    /// The server's resident memory at the pattern's end.
    pub server_memory_bytes: Option<u64>,
    /// Moments at which the server could not be asked.
    pub missed_samples: u64,
    /// Why counting failed, if it did. The numbers above are then what was known by that time.
    pub counting_error: Option<String>,
    pub samples: Vec<Sample>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tasks {
    pub total: u64,
    pub succeeded: u64,
    pub failed: u64,
    /// Not started, or ended early, because the run was ended early.
    pub unfinished: u64,
    /// By error code.
    pub failures: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connections {
    pub opened: u64,
    pub closed: u64,
    pub peak_open: u64,
    pub peak_idle: u64,
    pub peak_in_use: u64,
    /// Other applications' connections seen meanwhile; not part of the numbers above.
    pub others: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolerNumbers {
    /// The most clients connected at once, sampled.
    pub peak_clients: u64,
    /// The server's own number is `connections.opened`. The two should be equal.
    pub upstream_opened: u64,
}

/// From the start of a task's process to the first answer of the server.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FirstAnswer {
    pub ms: Spread,
    /// The share of it that went into connecting and logging in, 0 to 1.
    pub connecting_share: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    pub count: usize,
    pub p50: f64,
    pub p99: f64,
    pub max: f64,
}

impl Spread {
    /// `None` if there are no values.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let max = *values.last()?;
        let at =
            |fraction: f64| values[((values.len() as f64 * fraction).ceil() as usize).max(1) - 1];
        Some(Self { count: values.len(), p50: at(0.50), p99: at(0.99), max })
    }
}

/// Connections at one moment. Opened and closed count from the pattern's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Since the run's start.
    pub at_ms: u64,
    pub opened: u64,
    pub closed: u64,
    pub open: u64,
    pub idle: u64,
    pub in_use: u64,
    /// Other applications' open connections.
    pub others: u64,
}

pub const SCHEMA: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let spread = Spread::of((1..=100).rev().map(f64::from).collect()).unwrap();
        assert_eq!((spread.p50, spread.p99, spread.max, spread.count), (50.0, 99.0, 100.0, 100));
        assert_eq!(Spread::of(vec![7.0]).unwrap().p99, 7.0);
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
