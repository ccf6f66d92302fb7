//! Starts task processes as Airflow's LocalExecutor does: each task is a process of its own, so many run
//! at once, and a task that ends makes room for the next. A task's standard input is its lifeline. The
//! lab holds the other end, so that the tasks end with the lab, even if the lab is killed.

mod queue;

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use wait4::Wait4;

use crate::settings::{Retry, Worker};
use crate::task::{Job, Outcome, TaskSettings};
use queue::{Attempt, TaskQueue};

/// A task's outcome with what the kernel says it used.
#[derive(Clone, Debug)]
pub(crate) struct TaskRecord {
    /// The task's number.
    pub task: usize,
    /// 1, or more if the task was tried again.
    pub attempt: usize,
    /// Since the pattern's first task was started.
    pub started_s: f64,
    pub ended_s: f64,
    pub outcome: Outcome,
    pub cpu_s: f64,
    /// Largest resident set, in bytes.
    pub memory_bytes: u64,
}

impl TaskRecord {
    pub fn has_failed(&self) -> bool {
        !self.outcome.failures.is_empty()
    }
}

/// The lifelines of the tasks that run. A task ends when its lifeline is cut.
#[derive(Debug, Default)]
pub(crate) struct Lifelines {
    state: Mutex<State>,
    stirred: Condvar,
    done: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    is_cut: bool,
    /// How often something happened that a slot without a task may wait for.
    stirs: u64,
    /// By process id.
    held: HashMap<u32, ChildStdin>,
}

impl Lifelines {
    /// Ends every task that runs and keeps others from starting.
    pub fn cut(&self) {
        let mut state = self.lock();
        state.is_cut = true;
        state.held.clear();
        self.stirred.notify_all();
    }

    /// Something has happened that a slot without a task may wait for.
    fn stir(&self) {
        self.lock().stirs += 1;
        self.stirred.notify_all();
    }

    /// How often something has happened so far.
    fn stirs(&self) -> u64 {
        self.lock().stirs
    }

    /// Waits so long at most, until more has happened than `seen`, or everything is cut.
    fn rest(&self, seen: u64, time: Option<Duration>) {
        let state = self.lock();
        let rests = |state: &mut State| !state.is_cut && state.stirs == seen;
        match time {
            Some(time) => drop(self.stirred.wait_timeout_while(state, time, rests)),
            None => drop(self.stirred.wait_while(state, rests)),
        }
    }

    pub fn is_cut(&self) -> bool {
        self.lock().is_cut
    }

    /// Tasks that are done, or are not tried again.
    pub fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    /// Process ids of the tasks that run.
    pub fn running(&self) -> Vec<u32> {
        self.lock().held.keys().copied().collect()
    }

    fn hold(&self, pid: u32, lifeline: ChildStdin) {
        let mut state = self.lock();
        if !state.is_cut {
            state.held.insert(pid, lifeline);
        }
    }

    fn release(&self, pid: u32) {
        self.lock().held.remove(&pid);
    }

    fn count_if(&self, is_done: bool) {
        self.done.fetch_add(usize::from(is_done), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What all tasks of a pattern have in common.
pub(crate) struct Tasks<'a> {
    pub count: usize,
    pub parallelism: usize,
    pub retry: Retry,
    pub settings: &'a TaskSettings,
    pub worker: &'a Worker,
    /// Where the tasks' logs go.
    pub folder: &'a Path,
}

/// Runs the tasks, so many at a time as may run at once, and returns the records of all attempts that
/// came to an end. Blocks.
///
/// # Errors
/// A process can't be started or its log can't be written; tasks that run are ended.
pub(crate) fn run_all(tasks: &Tasks<'_>, lifelines: &Lifelines) -> Result<Vec<TaskRecord>> {
    let began = Instant::now();
    let queue = TaskQueue::new(tasks.count, tasks.retry);
    let slot = || -> Result<Vec<TaskRecord>> {
        let mut records = Vec::new();
        while let Some(attempt) = queue.next(lifelines) {
            let record = run_one(&attempt, tasks, lifelines, began);
            let record = record.inspect_err(|_| lifelines.cut());
            let failed = matches!(&record, Ok(Some(record)) if record.has_failed());
            queue.ended(&attempt, failed);
            lifelines.stir();
            if let Some(record) = record? {
                lifelines.count_if(!failed || attempt.is_last(tasks.retry));
                records.push(record);
            }
        }
        Ok(records)
    };
    let slots = tasks.parallelism.min(tasks.count);
    std::thread::scope(|scope| {
        let slots: Vec<_> = (0..slots).map(|_| scope.spawn(slot)).collect();
        let mut records = Vec::with_capacity(tasks.count);
        for slot in slots {
            records.append(&mut slot.join().expect("a slot does not panic")?);
        }
        Ok(records)
    })
}

/// `None` if the task was ended together with the lab.
fn run_one(
    attempt: &Attempt,
    tasks: &Tasks<'_>,
    lifelines: &Lifelines,
    began: Instant,
) -> Result<Option<TaskRecord>> {
    let Attempt { task, attempt } = *attempt;
    let mut child = start(task, attempt, tasks)?;
    let started = began.elapsed();
    let mut lifeline = child.stdin.take().expect("piped when it was started");
    let mut output = child.stdout.take().expect("piped when it was started");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let started_ns = now.as_nanos() as u64;
    let job = Job { task, attempt, started_ns, settings: tasks.settings.clone() };
    let mut line = serde_json::to_vec(&job)?;
    line.push(b'\n');
    // If the process has died already, its exit code says so.
    let _ = lifeline.write_all(&line);
    let pid = child.id();
    lifelines.hold(pid, lifeline);
    let mut text = String::new();
    let _ = output.read_to_string(&mut text);
    let used = child.wait4().context("cannot wait for a task process");
    lifelines.release(pid);
    let used = used?;
    if lifelines.is_cut() {
        return Ok(None);
    }
    let outcome = serde_json::from_str(&text)
        .unwrap_or_else(|_| Outcome::unknown(format!("TaskCrashed ({})", used.status)));
    Ok(Some(TaskRecord {
        task,
        attempt,
        started_s: started.as_secs_f64(),
        ended_s: began.elapsed().as_secs_f64(),
        outcome,
        cpu_s: (used.rusage.utime + used.rusage.stime).as_secs_f64(),
        memory_bytes: used.rusage.maxrss,
    }))
}

fn start(task: usize, attempt: usize, tasks: &Tasks<'_>) -> Result<Child> {
    let again = if attempt == 1 { String::new() } else { format!("-attempt-{attempt}") };
    let path = tasks.folder.join(format!("task-{task:03}{again}.log"));
    let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    command(tasks.worker, tasks.folder)
        // The job has the password. Other users can read a process's environment.
        .env_remove("NEO4J_PASSWORD")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        // Ctrl-C in the terminal is for the lab, which ends its tasks in order.
        .process_group(0)
        .spawn()
        .context("cannot start a task process")
}

fn command(worker: &Worker, folder: &Path) -> Command {
    match worker {
        Worker::Rust { program, arguments } => {
            let mut command = Command::new(program);
            command.args(arguments);
            command
        }
        Worker::Python { program, .. } => {
            let mut command = Command::new(program);
            command.arg(folder.join(PYTHON_WORKER_FILE));
            command
        }
    }
}

/// The Python worker's name in a pattern's log folder.
pub(crate) const PYTHON_WORKER_FILE: &str = "worker.py";
