//! What a task is to do, and what it says afterwards. Both travel through pipes as JSON, never through
//! arguments or the environment, where other users could see the password.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::settings::Pattern;

#[derive(Clone, Serialize, Deserialize)]
pub struct Job {
    /// The task's number.
    pub task: usize,
    /// 1, or more if the task is tried again.
    pub attempt: usize,
    /// When the lab started the process, in nanoseconds since the epoch.
    pub started_ns: u64,
    #[serde(flatten)]
    pub settings: TaskSettings,
}

/// What is the same for all tasks of a pattern.
#[derive(Clone, Serialize, Deserialize)]
pub struct TaskSettings {
    pub pattern: Pattern,
    pub calls: usize,
    pub hold_ms: u64,
    pub query: String,
    pub uri: String,
    pub user: String,
    pub password: String,
    pub database: Option<String>,
    pub user_agent: String,
}

impl fmt::Debug for TaskSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskSettings").field("pattern", &self.pattern).finish_non_exhaustive()
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("task", &self.task).finish_non_exhaustive()
    }
}

/// What a task did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    pub drivers_created: u64,
    /// From the start of the process to the first answer; `None` if there was no answer.
    pub first_answer_ms: Option<f64>,
    /// For each call, the time until there was a driver with a connection: to make one, or to check one
    /// that is there. It is as long as the list of queries, or longer by one if connecting failed.
    #[serde(deserialize_with = "one_or_many")]
    pub connecting_ms: Vec<f64>,
    /// For each query that was answered, without connecting.
    pub query_ms: Vec<f64>,
    /// The error that ended the task: its code and how often it came.
    pub failures: BTreeMap<String, u64>,
}

/// The DAG files of version 0.1 tell of the first call only.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(f64),
        Many(Vec<f64>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(first) => vec![first],
        OneOrMany::Many(all) => all,
    })
}

impl Outcome {
    /// The outcome of a task that has left none.
    pub(crate) fn unknown(failure: String) -> Self {
        Self { failures: BTreeMap::from([(failure, 1)]), ..Self::default() }
    }
}
