//! A task process. It reads its job from standard input, calls the database, writes its log to standard
//! error and its outcome to standard output. Standard input stays open as long as the lab runs. When it
//! closes, the task ends, so that no task outlives a lab that was killed.

mod connections;
mod job;
mod log;

use std::io::{BufRead, Read};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

pub use job::{Job, Outcome, TaskSettings};

use self::connections::{
    DatabaseConnection, ImprovedDatabaseConnection, ProblematicDatabaseConnection,
};
use self::log::log;
use crate::settings::Pattern;

/// The Python worker's source, which does the same with Neo4j's own driver and the Airflow kit's classes.
pub const PYTHON_WORKER: &str = include_str!("task/worker.py");

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
    // An Airflow task that is done exits like this too: drivers that were not closed end with it.
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
    let mut connection: Box<dyn DatabaseConnection> = match job.settings.pattern {
        // A pooled task knows nothing of the pooler but its address, which is in the job. A hook keeps
        // its driver as a problematic task does; only Airflow's tasks can run the hook itself.
        Pattern::Problematic | Pattern::Pooled | Pattern::Stress | Pattern::Hook => {
            Box::new(ProblematicDatabaseConnection::new(&job.settings))
        }
        Pattern::Improved => Box::new(ImprovedDatabaseConnection::new(&job.settings)),
    };
    let mut outcome = Outcome::default();
    for _ in 0..job.settings.calls {
        if let Err(error) = call(job, &mut *connection, &mut outcome) {
            let code = connections::code(&error);
            log(&format!("ERROR - task {} failed: {code}: {error}", job.task));
            outcome.failures.insert(code, 1);
            break;
        }
        std::thread::sleep(Duration::from_millis(job.settings.hold_ms));
    }
    outcome.drivers_created = connection.drivers_created();
    connection.close();
    outcome
}

/// One database call; what it took goes into the outcome, and if it failed, what it took until then.
fn call(
    job: &Job,
    connection: &mut dyn DatabaseConnection,
    outcome: &mut Outcome,
) -> neo4j::Result<()> {
    let began = Instant::now();
    let connected = connection.driver(ALIAS);
    outcome.connecting_ms.push(milliseconds(began.elapsed()));
    let began = Instant::now();
    connections::query(connected?, &job.settings)?;
    outcome.query_ms.push(milliseconds(began.elapsed()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let since_start = now.saturating_sub(Duration::from_nanos(job.started_ns));
    outcome.first_answer_ms.get_or_insert(milliseconds(since_start));
    Ok(())
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// The name under which code asks for this database, as in the reference set-up.
const ALIAS: &str = "root";
const LAB_IS_GONE: i32 = 70;
