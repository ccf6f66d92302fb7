//! What to run. Everything is checked before anything is started.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use bolt::message::Secret;
use net::Target;
use serde::{Deserialize, Serialize};

use crate::preset::Preset;

#[derive(Clone, Debug)]
pub struct Settings {
    pub patterns: Vec<Pattern>,
    pub tasks: usize,
    /// How many tasks run at once, as LocalExecutor's `parallelism`. An Airflow that is there already has
    /// a setting of its own.
    pub parallelism: usize,
    /// Database calls of each task.
    pub calls: usize,
    /// How long the task works after each call without the database. It keeps its drivers, and has no
    /// open transaction.
    pub hold: Duration,
    pub query: String,
    /// Upstream connections of the pooler that [`Pattern::Pooled`] goes through.
    pub pool_size: usize,
    /// How often the patterns run, each time all of them in their order.
    pub rounds: usize,
    /// What becomes of a task that fails. An Airflow has rules of its own.
    pub retry: Retry,
    pub engine: Engine,
    pub server: ServerChoice,
    /// Each run makes a folder of its own in here.
    pub out: PathBuf,
    /// Draw a progress bar.
    pub shows_progress: bool,
}

/// How a task that fails is tried again, in Airflow's words: `retries` and `retry_delay`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retry {
    /// Zero: never.
    pub retries: usize,
    /// Meanwhile another task may have its place.
    pub delay: Duration,
}

/// What runs the tasks.
#[derive(Clone, Debug)]
pub enum Engine {
    /// The lab itself.
    Local(Worker),
    /// An Airflow that is set up, started and ended with the run.
    NativeAirflow(NativeAirflow),
    /// An Airflow that is there already and has the DAG files.
    ExistingAirflow {
        url: String,
        user: String,
        password: Secret,
        /// Where the lab's pooler listens for its tasks; `None` if they have another pooler.
        pooler_listen: Option<SocketAddr>,
    },
}

impl Engine {
    /// Where the lab's pooler is to listen for the tasks, if it is to have one.
    pub(crate) fn pooler_listen(&self) -> Option<SocketAddr> {
        match self {
            Self::Local(_) | Self::NativeAirflow(_) => Some(ANY_PORT),
            Self::ExistingAirflow { pooler_listen, .. } => *pooler_listen,
        }
    }
}

#[derive(Clone, Debug)]
pub struct NativeAirflow {
    pub version: airflow::Version,
    pub executor: airflow::Executor,
    pub python: Option<PathBuf>,
    pub port: Option<u16>,
    pub keeper: airflow::KeeperProgram,
}

/// The server that the tasks use.
#[derive(Clone, Debug)]
pub enum ServerChoice {
    /// The sandbox, in the lab's own process.
    Embedded(Preset),
    /// A Neo4j somewhere.
    Neo4j { target: Target, user: String, password: Secret, database: Option<String> },
}

/// How a task uses drivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pattern {
    /// A new driver for each database call, kept by the task and never closed.
    Problematic,
    /// One driver for each alias and process.
    Improved,
    /// The problematic tasks, unchanged, through a pooler in the lab's own process.
    Pooled,
    /// Half as many tasks as usual, each of the problematic kind with twice the calls.
    Stress,
    /// A hook of Airflow's official provider for each database call, kept by the task. Only Airflow
    /// can run it.
    Hook,
}

impl Pattern {
    pub const ALL: [Self; 5] =
        [Self::Problematic, Self::Improved, Self::Pooled, Self::Stress, Self::Hook];

    pub fn name(self) -> &'static str {
        match self {
            Self::Problematic => "problematic",
            Self::Improved => "improved",
            Self::Pooled => "pooled",
            Self::Stress => "stress",
            Self::Hook => "hook",
        }
    }

    /// The DAG that runs this pattern on Airflow.
    pub fn dag(self) -> &'static str {
        match self {
            Self::Problematic => "neo4j_problematic_pattern",
            Self::Improved => "neo4j_improved_pattern",
            Self::Pooled => "neo4j_pooled_pattern",
            Self::Stress => "neo4j_stress_test",
            Self::Hook => "neo4j_hook_pattern",
        }
    }

    /// Tasks and calls of this pattern under `settings`.
    pub fn load(self, settings: &Settings) -> (usize, usize) {
        match self {
            Self::Problematic | Self::Improved | Self::Pooled | Self::Hook => {
                (settings.tasks, settings.calls)
            }
            Self::Stress => (settings.tasks.div_ceil(2), settings.calls * 2),
        }
    }

    /// The most connections that a task of this pattern holds at once, to the server or to the
    /// pooler.
    pub fn connections_per_task(self, calls: usize) -> usize {
        match self {
            Self::Problematic | Self::Pooled | Self::Stress | Self::Hook => calls,
            Self::Improved => 1,
        }
    }

    /// What this pattern does to the server: the connections that it opens, and the most of them at
    /// once.
    pub fn server_load(self, settings: &Settings) -> (usize, usize) {
        let (tasks, calls) = self.load(settings);
        let each = self.connections_per_task(calls);
        match self {
            Self::Problematic | Self::Improved | Self::Stress | Self::Hook => {
                (tasks * each, tasks.min(settings.parallelism) * each)
            }
            Self::Pooled => {
                // A task runs one query at a time, so that a larger pool is not filled.
                let useful = settings.pool_size.min(tasks).min(settings.parallelism);
                let most = pooled_connections_max(useful);
                (most, most)
            }
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|pattern| pattern.name() == name.trim());
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no pattern `{name}`; choose from {names}")
        })
    }
}

/// The most connections that a pooler with a pool of this size holds for one user. The one on top
/// is for checking a password while the pool is full. The lab's own pooler opens none in the stead of
/// those that rest.
pub fn pooled_connections_max(pool_size: usize) -> usize {
    pool_size.saturating_add(1)
}

/// What runs inside a task process.
#[derive(Clone, Debug)]
pub enum Worker {
    /// The `neo4j` crate. `program` and `arguments` start this binary as a task.
    Rust { program: PathBuf, arguments: Vec<String> },
    /// Neo4j's own Python driver.
    Python { program: PathBuf, driver_version: String },
}

impl Worker {
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rust { .. } => "rust",
            Self::Python { .. } => "python",
        }
    }

    /// The driver and its version.
    pub fn driver(&self) -> String {
        match self {
            Self::Rust { .. } => format!("neo4j (Rust) {RUST_DRIVER}"),
            Self::Python { driver_version, .. } => format!("neo4j (Python) {driver_version}"),
        }
    }
}

/// A free port that nobody else reaches.
pub(crate) const ANY_PORT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
const RUST_DRIVER: &str = "0.2";
