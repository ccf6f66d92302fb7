//! One DAG run: it is triggered, watched until it is over, and then read task by task. Everything here
//! blocks its thread.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use airflow::api::TaskInstance;
use airflow::log::telling;
use airflow::{Api, ApiError};
use anyhow::{Context, Result, bail};
use jiff::Timestamp;
use serde_json::Value;

use crate::engine::native::SharedNative;
use crate::engine::running::{Control, Done};
use crate::processes::TaskRecord;
use crate::results::{AirflowRun, Spread};
use crate::task::Outcome;

pub(super) struct DagJob {
    pub dag: &'static str,
    pub run: String,
    pub conf: Value,
    /// How many tasks the run should have.
    pub tasks: usize,
    /// If no task changes its state for this long, the run is given up.
    pub standstill_max: Duration,
    /// Whether the lab is to unpause the DAG. It does so only in an Airflow of its own.
    pub unpause: bool,
}

#[derive(Debug)]
pub(super) struct DagControl {
    is_cut: AtomicBool,
    ended: AtomicUsize,
    native: Option<SharedNative>,
}

impl DagControl {
    pub fn new(native: Option<SharedNative>) -> Self {
        Self { is_cut: AtomicBool::new(false), ended: AtomicUsize::new(0), native }
    }

    fn is_cut(&self) -> bool {
        self.is_cut.load(Ordering::Relaxed)
    }

    /// # Errors
    /// A part of the Airflow that was started for the run has ended.
    fn check(&self) -> Result<()> {
        self.native.as_ref().map_or(Ok(()), SharedNative::check)
    }

    /// What the log of the scheduler tells, which starts the tasks; nothing if it is somewhere else.
    fn told(&self) -> String {
        self.native.as_ref().map(SharedNative::told_by_scheduler).unwrap_or_default()
    }
}

impl Control for DagControl {
    fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }

    fn ended(&self) -> usize {
        self.ended.load(Ordering::Relaxed)
    }

    fn processes(&self) -> Vec<u32> {
        self.native.as_ref().map(SharedNative::processes).unwrap_or_default()
    }
}

/// Runs the job to its end, or until it is cut.
pub(super) fn watch(api: &Api, job: &DagJob, control: &DagControl) -> Result<Done> {
    if job.unpause {
        patiently(control, || api.unpause(job.dag)).context("cannot unpause the DAG")?;
    }
    patiently(control, || api.trigger(job.dag, &job.run, &job.conf))
        .context("cannot trigger the DAG")?;
    let done = watch_triggered(api, job, control);
    if done.is_err() || control.is_cut() {
        end(api, job);
    }
    done
}

fn watch_triggered(api: &Api, job: &DagJob, control: &DagControl) -> Result<Done> {
    let mut moved = Instant::now();
    let mut looked = Instant::now();
    let mut last = Vec::new();
    while !control.is_cut() {
        control.check()?;
        if patiently(control, || api.run(job.dag, &job.run))?.is_over() {
            break;
        }
        if looked.elapsed() > PROGRESS_INTERVAL {
            let tasks = patiently(control, || api.task_instances(job.dag, &job.run))?;
            let ended = tasks.iter().filter(|task| is_call(task) && task.is_over()).count();
            control.ended.store(ended, Ordering::Relaxed);
            let states: Vec<_> = tasks.into_iter().map(|task| task.state).collect();
            if states != last {
                (last, moved) = (states, Instant::now());
            }
            looked = Instant::now();
        }
        if moved.elapsed() > job.standstill_max {
            bail!(
                "nothing has moved in the DAG run {} for {:?}; does another run of this DAG go on, or are Airflow's slots taken?{}",
                job.run,
                job.standstill_max,
                control.told()
            );
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    let tasks = patiently(control, || api.task_instances(job.dag, &job.run))?;
    if let Some(plan) =
        tasks.iter().find(|task| !is_call(task) && task.state.as_deref() == Some("failed"))
        && !control.is_cut()
    {
        bail!("the DAG's first task failed: {}", reason(api, job, plan, control));
    }
    read_out(api, job, control, tasks)
}

/// Ends a run that nobody watches any more: its tasks would go on flooding the server for nothing. A
/// request that fails for the moment is repeated.
fn end(api: &Api, job: &DagJob) {
    for _ in 0..END_TRIES {
        match api.fail(job.dag, &job.run) {
            Err(error) if error.is_passing() => std::thread::sleep(POLL_INTERVAL),
            Err(error) => return tracing::warn!("the DAG run {} may go on: {error}", job.run),
            Ok(()) => return,
        }
    }
}

/// Asks again while Airflow is too busy to answer. A hundred tasks on a small machine can make it so.
fn patiently<T>(control: &DagControl, ask: impl Fn() -> Result<T, ApiError>) -> Result<T> {
    let began = Instant::now();
    loop {
        match ask() {
            Err(error)
                if error.is_passing() && !control.is_cut() && began.elapsed() < BUSY_TIME_MAX =>
            {
                tracing::warn!("asking again: {error}");
                control.check()?;
                std::thread::sleep(POLL_INTERVAL);
            }
            answer => return Ok(answer?),
        }
    }
}

fn read_out(
    api: &Api,
    job: &DagJob,
    control: &DagControl,
    mut tasks: Vec<TaskInstance>,
) -> Result<Done> {
    tasks.retain(is_call);
    if tasks.len() > job.tasks {
        bail!(
            "Airflow ran {} tasks instead of {}; let runs set parameters: AIRFLOW__CORE__DAG_RUN_CONF_OVERRIDES_PARAMS=True",
            tasks.len(),
            job.tasks
        );
    }
    let mut records = Vec::with_capacity(tasks.len());
    for task in tasks.iter().filter(|task| task.is_over()) {
        let left = patiently(control, || api.xcom(job.dag, &job.run, task, OUTCOME))?;
        records.push(record(task, left));
    }
    let mut states = BTreeMap::new();
    for task in &tasks {
        *states.entry(task.state.clone().unwrap_or_else(|| "none".into())).or_default() += 1;
    }
    let first = tasks.iter().filter_map(|task| task.start_date).min();
    let last = tasks.iter().filter_map(|task| task.end_date).max();
    let wall = first.zip(last).map(|(first, last)| last.duration_since(first).as_secs_f64());
    Ok(Done {
        records,
        wall_s: wall.unwrap_or_default().max(0.0),
        airflow: Some(AirflowRun {
            dag_id: job.dag.to_owned(),
            run_id: job.run.clone(),
            task_states: states,
            task_s: Spread::of(tasks.iter().filter_map(TaskInstance::seconds).collect()),
            peak_running: peak_running(&tasks),
        }),
    })
}

/// What a task has left behind. A task that Airflow says did not succeed has failed, whatever it left.
fn record(task: &TaskInstance, left: Option<Value>) -> TaskRecord {
    let number =
        |name: &str| left.as_ref().and_then(|left| left[name].as_f64()).unwrap_or_default();
    let (cpu_s, memory_bytes) = (number("cpu_s"), number("memory_bytes") as u64);
    let state = task.state.as_deref().unwrap_or("none");
    let outcome = left.and_then(|left| serde_json::from_value::<Outcome>(left).ok());
    let outcome = match outcome {
        None => Outcome::unknown(format!("OutcomeMissing ({state})")),
        Some(outcome) if state == "success" || !outcome.failures.is_empty() => outcome,
        Some(outcome) => {
            Outcome { failures: BTreeMap::from([(format!("TaskDied ({state})"), 1)]), ..outcome }
        }
    };
    TaskRecord { outcome, cpu_s, memory_bytes }
}

/// Why a task failed: the line of its log that is meant for people, or else the errors in it. A task that has
/// no log was never begun, and the scheduler knows why.
fn reason(api: &Api, job: &DagJob, task: &TaskInstance, control: &DagControl) -> String {
    let log = patiently(control, || api.log(job.dag, &job.run, task)).unwrap_or_default();
    let told = told(&log);
    if told.is_empty() {
        return format!("see the log of {} in Airflow{}", task.task_id, control.told());
    }
    told.join("\n    ")
}

fn told(log: &str) -> Vec<String> {
    let line = log.lines().rfind(|line| REASONS.iter().any(|name| line.contains(name)));
    line.map_or_else(|| telling(log), |line| vec![line.trim().to_owned()])
}

/// The most tasks that ran at once.
fn peak_running(tasks: &[TaskInstance]) -> u64 {
    let spans = tasks.iter().filter_map(|task| Some((task.start_date?, task.end_date?)));
    // Sorting puts an end before a start at the same moment: such tasks did not run at once.
    let mut steps: Vec<(Timestamp, i64)> =
        spans.flat_map(|(start, end)| [(start, 1), (end, -1)]).collect();
    steps.sort_unstable();
    let mut running = 0;
    let at_once = steps.iter().map(|(_, step)| {
        running += step;
        running
    });
    at_once.max().unwrap_or(0).try_into().unwrap_or(0)
}

fn is_call(task: &TaskInstance) -> bool {
    task.task_id == CALL
}

const CALL: &str = "call_neo4j";
const OUTCOME: &str = "outcome";
/// The errors of the DAG file whose texts are meant for people.
const REASONS: [&str; 1] = ["SettingsError"];
/// If it were shorter, the web server's work for the lab would show in what is measured.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);
const BUSY_TIME_MAX: Duration = Duration::from_secs(300);
const END_TRIES: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn task(state: &str, start: &str, end: &str) -> TaskInstance {
        serde_json::from_value(serde_json::json!({
            "task_id": CALL, "map_index": 0, "state": state, "try_number": 1,
            "start_date": format!("2026-01-02T03:04:{start}+00:00"),
            "end_date": format!("2026-01-02T03:04:{end}.5Z"),
        }))
        .unwrap()
    }

    #[test]
    fn tasks_that_follow_each_other_do_not_run_at_once() {
        let tasks = [("00", "10"), ("05", "20"), ("10.5", "30")];
        let tasks = tasks.map(|(start, end)| task("success", start, end));
        assert_eq!(peak_running(&tasks), 2);
        assert_eq!(peak_running(&[]), 0);
    }

    #[test]
    fn a_failed_task_is_explained_by_its_log() {
        let meant = "INFO - begin\nERROR - Task failed with exception: FinalSettingsError: NEO4J_URI is not set\nERROR - later\n";
        assert_eq!(
            told(meant),
            ["ERROR - Task failed with exception: FinalSettingsError: NEO4J_URI is not set"]
        );
        assert_eq!(
            told("INFO - begin\nERROR - no room on the disk\n"),
            ["ERROR - no room on the disk"]
        );
        assert!(told("").is_empty());
    }

    #[test]
    fn a_task_that_left_nothing_failed() {
        let died = record(&task("failed", "00", "01"), None);
        assert_eq!(died.outcome.failures, BTreeMap::from([("OutcomeMissing (failed)".into(), 1)]));
        let left = serde_json::json!({
            "drivers_created": 3, "first_answer_ms": 900.5, "connecting_ms": 80.0, "query_ms": [1.5, 2.5],
            "failures": {}, "cpu_s": 0.5, "memory_bytes": 1_000_000, "pid": 7,
        });
        let record = record(&task("success", "00", "01"), Some(left));
        assert!(record.outcome.failures.is_empty());
        assert_eq!((record.outcome.drivers_created, record.memory_bytes), (3, 1_000_000));
    }
}
