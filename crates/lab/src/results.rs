//! What was measured, in the shape of `results.json`. `results.schema.json` beside this crate
//! describes it; a test holds the two together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::preset::{Limits, Preset};
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
    /// What came out, in a sentence.
    pub verdict: String,
    /// Why the run ended early by itself; `None` if it did not. What is here was measured until then.
    pub failed: Option<String>,
    pub machine: Machine,
    pub target: TargetInfo,
    /// `None` if the lab itself ran the tasks.
    pub airflow: Option<AirflowInfo>,
    pub settings: SettingsInfo,
    /// Each pattern once for each round, in the order in which they ran.
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
    /// What the embedded server was like.
    pub preset: Option<Preset>,
    pub limits: Limits,
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
    pub rounds: usize,
    /// `None` if Airflow decided on both.
    pub retries: Option<usize>,
    pub retry_delay_ms: Option<u64>,
    pub worker: String,
    pub driver: String,
    pub database: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PatternResult {
    pub name: Pattern,
    /// From 1.
    pub round: usize,
    pub user_agent: String,
    pub tasks: Tasks,
    pub calls_per_task: usize,
    pub drivers_created: u64,
    pub connections: Connections,
    /// Connections that the server closed as they arrived, because it was full; `None` if it does not say.
    pub refused: Option<u64>,
    /// `None` if the server does not say.
    pub logins: Option<Logins>,
    /// What the lab's pooler counted, if the pattern went through it.
    pub pooler: Option<PoolerNumbers>,
    pub airflow: Option<AirflowRun>,
    pub first_answer: Option<FirstAnswer>,
    pub connecting: Connecting,
    pub query_ms: Option<Spread>,
    /// A call with all that belongs to it: connecting and the query.
    pub call_ms: Option<Spread>,
    /// From the start of a task's first process to the end of its last one, of the tasks that worked.
    pub task_s: Option<Spread>,
    /// Since the run's start.
    pub from_ms: u64,
    pub to_ms: u64,
    /// From the first task's start to the last one's end: until the work was done, or given up.
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
    /// Processes that ran: one for each task, and one more for each time that a task was tried again.
    pub attempts: u64,
    /// Tasks with a call that took a tenth of a second longer than the pattern's median call, or that had
    /// to be tried again.
    pub waited: u64,
    /// What made tasks fail for good, by error code.
    pub failures: BTreeMap<String, u64>,
    /// What made attempts fail, by error code: the failures above, and those after which a task was tried
    /// again.
    pub attempt_failures: BTreeMap<String, u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Connections {
    pub opened: u64,
    pub closed: u64,
    pub peak_open: u64,
    pub peak_idle: u64,
    pub peak_in_use: u64,
    /// Other applications' connections seen meanwhile; not part of the numbers above.
    pub others: u64,
    /// How much the number of open connections went up and down while the tasks ran: the standard
    /// deviation of the samples.
    pub deviation: f64,
}

/// Logins as the server has counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Logins {
    pub count: u64,
    /// Processor time that checking the passwords took.
    pub cpu_s: f64,
}

/// What connecting took from the tasks, all of them together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Connecting {
    pub total_s: f64,
    /// Its share of the time that tasks ran, 0 to 1.
    pub share: f64,
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

pub const SCHEMA: u32 = 3;

/// Results to test with.
#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A round of 100 tasks that worked, each of which took a second.
    pub fn pattern(name: Pattern, opened: u64, peak_open: u64) -> PatternResult {
        let second = Spread { count: 100, p50: 1.0, p99: 1.0, max: 1.0 };
        PatternResult {
            name,
            round: 1,
            user_agent: String::new(),
            tasks: Tasks { total: 100, succeeded: 100, attempts: 100, ..Tasks::default() },
            calls_per_task: 5,
            drivers_created: opened,
            connections: Connections { opened, closed: opened, peak_open, ..Default::default() },
            refused: Some(0),
            logins: None,
            pooler: (name == Pattern::Pooled)
                .then_some(PoolerNumbers { peak_clients: 160, upstream_opened: opened }),
            airflow: None,
            first_answer: None,
            connecting: Connecting::default(),
            query_ms: None,
            call_ms: None,
            task_s: Some(second),
            from_ms: 0,
            to_ms: 0,
            wall_s: 5.0,
            task_cpu_s: 0.0,
            task_memory_bytes: 0,
            server_cpu_s: None,
            server_memory_bytes: None,
            missed_samples: 0,
            counting_error: None,
            samples: Vec::new(),
        }
    }

    pub fn results(patterns: Vec<PatternResult>) -> Results {
        Results {
            schema: SCHEMA,
            boltbouncer: "0.1.0".into(),
            started: "2026-01-02T03:04:05Z".into(),
            interrupted: false,
            verdict: String::new(),
            failed: None,
            machine: Machine { os: "linux".into(), arch: "x86_64".into(), cpus: 2 },
            target: TargetInfo {
                uri: "bolt://127.0.0.1:7687".into(),
                embedded: true,
                agent: "Neo4j/5.26.0".into(),
                bolt: "5.8".into(),
                counted_by: CountedBy::Books,
                preset: Some(Preset::Unlimited),
                limits: Preset::Unlimited.limits(),
            },
            airflow: None,
            settings: SettingsInfo {
                tasks: 100,
                parallelism: Some(32),
                calls: 5,
                hold_ms: 200,
                query: "RETURN 1".into(),
                pool_size: 4,
                rounds: 1,
                retries: Some(0),
                retry_delay_ms: Some(0),
                worker: "rust".into(),
                driver: "neo4j (Rust) 0.2".into(),
                database: None,
            },
            patterns,
        }
    }
}

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
