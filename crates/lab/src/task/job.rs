//! What a task is to do, and what it says afterwards. Both travel through pipes as JSON, never through
//! arguments or the environment, where other users could see the password.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::settings::Pattern;

#[derive(Clone, Serialize, Deserialize)]
pub struct Job {
    /// The task's number.
    pub task: usize,
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
    /// The part of that which went into connecting and logging in.
    pub connecting_ms: f64,
    /// For each query, without connecting.
    pub query_ms: Vec<f64>,
    /// The error that ended the task: its code and how often it came.
    pub failures: BTreeMap<String, u64>,
}

impl Outcome {
    /// The outcome of a task that has left none.
    pub(crate) fn unknown(failure: String) -> Self {
        Self { failures: BTreeMap::from([(failure, 1)]), ..Self::default() }
    }
}
