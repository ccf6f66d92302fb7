//! A task process. It reads its job from standard input, does its calls, writes its log to standard
//! error and its outcome to standard output. Standard input stays open as long as the lab lives:
//! when it ends, so does the task, even if the lab was killed.

mod connections;

use std::collections::BTreeMap;
use std::fmt;
use std::io::{BufRead, Read};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::settings::Pattern;
use connections::{Connections, ImprovedDatabaseConnection, ProblematicDatabaseConnection};

/// The Python worker's source, which does the same with Neo4j's own driver and the Airflow kit's classes.
pub const PYTHON_WORKER: &str = include_str!("task/worker.py");

/// What a task is to do. It holds the password and travels through a pipe, never through
/// arguments or the environment, where other users could see it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Job {
    pub pattern: Pattern,
    pub task: usize,
    pub calls: usize,
    pub hold_ms: u64,
    pub query: String,
    pub uri: String,
    pub user: String,
    pub password: String,
    pub database: Option<String>,
    pub user_agent: String,
    /// When the lab started the process, in nanoseconds since the epoch.
    pub started_ns: u64,
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
    /// From the start of the process to the first answer.
    pub first_answer_ms: Option<f64>,
    /// The part of that which went into connecting and logging in.
    pub connecting_ms: f64,
    /// Of each query, connecting not included.
    pub query_ms: Vec<f64>,
    /// The error that ended the task: its code and how often it came.
    pub failures: BTreeMap<String, u64>,
}

/// Runs the job on standard input; the Rust worker's main function.
pub fn main() -> Result<()> {
    let mut input = std::io::stdin().lock();
    let mut line = String::new();
    input.read_line(&mut line).context("a task reads its job from standard input")?;
    let job: Job = serde_json::from_str(&line)
        .context("a task is started by `boltbouncer lab`, not by hand")?;
    drop(input);
    end_with_the_lab();
    let outcome = run(&job);
    println!("{}", serde_json::to_string(&outcome)?);
    // Like a task of Airflow's that is done: drivers that were not closed are simply gone.
    std::process::exit(i32::from(!outcome.failures.is_empty()));
}

/// Ends this process as soon as the pipe from the lab closes.
fn end_with_the_lab() {
    std::thread::spawn(|| {
        let mut byte = [0];
        while matches!(std::io::stdin().read(&mut byte), Ok(1..)) {}
        std::process::exit(LAB_IS_GONE);
    });
}

fn run(job: &Job) -> Outcome {
    let mut connections: Box<dyn Connections> = match job.pattern {
        // Of the pooler, pooled tasks know the address, and that is in the job. A hook keeps a driver;
        // what Airflow's does, only Airflow's tasks can show.
        Pattern::Problematic | Pattern::Pooled | Pattern::Stress | Pattern::Hook => {
            Box::new(ProblematicDatabaseConnection::new(job))
        }
        Pattern::Improved => Box::new(ImprovedDatabaseConnection::new(job)),
    };
    let mut outcome = Outcome::default();
    for _ in 0..job.calls {
        if let Err(error) = call(job, &mut *connections, &mut outcome) {
            let code = connections::code(&error);
            log(&format!("ERROR - task {} failed: {code}: {error}", job.task));
            *outcome.failures.entry(code).or_default() += 1;
            break;
        }
        std::thread::sleep(Duration::from_millis(job.hold_ms));
    }
    outcome.drivers_created = connections.drivers_created();
    connections.close();
    outcome
}

fn call(job: &Job, connections: &mut dyn Connections, outcome: &mut Outcome) -> neo4j::Result<()> {
    let began = Instant::now();
    let driver = connections.driver(ALIAS)?;
    let connecting_ms = milliseconds(began.elapsed());
    let began = Instant::now();
    connections::query(driver, job)?;
    outcome.query_ms.push(milliseconds(began.elapsed()));
    if outcome.first_answer_ms.is_none() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let elapsed = now.saturating_sub(Duration::from_nanos(job.started_ns));
        outcome.first_answer_ms = Some(milliseconds(elapsed));
        outcome.connecting_ms = connecting_ms;
    }
    Ok(())
}

/// A line of the task's log, which is its standard error.
fn log(message: &str) {
    let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ");
    eprintln!("[{now}] {message}");
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The name under which code asks for this database, as in the reference set-up.
const ALIAS: &str = "root";
const LAB_IS_GONE: i32 = 70;
