//! What is to be set up and started, and how to log in to it.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::service::KeeperProgram;
use crate::version::Version;

/// What runs the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Executor {
    Local,
    /// Two workers, with Redis between them and the scheduler.
    Celery,
}

impl fmt::Display for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "LocalExecutor",
            Self::Celery => "CeleryExecutor",
        })
    }
}

#[derive(Clone, Debug)]
pub struct Options {
    pub version: Version,
    pub executor: Executor,
    /// The Python to install with; else the first that fits.
    pub python: Option<PathBuf>,
    /// Of the web server, on 127.0.0.1; else a free one.
    pub port: Option<u16>,
    /// Tasks at once.
    pub parallelism: usize,
    /// Airflow's logs and its copy of the DAG files go here, and stay.
    pub folder: PathBuf,
    /// What the tasks find in their environment, such as `NEO4J_URI`.
    pub variables: Vec<(String, String)>,
    pub keeper: KeeperProgram,
}

/// How to get in, for this run only.
#[derive(Clone, Debug)]
pub struct Login {
    pub url: String,
    pub user: String,
    pub password: String,
}
