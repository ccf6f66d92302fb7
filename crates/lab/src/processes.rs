//! Starts task processes as Airflow's LocalExecutor does: each task is a process of its own, so many run
//! at once, and a task that ends makes room for the next. A task's standard input is its lifeline. The
//! lab holds the other end, so that the tasks end with the lab, even if the lab is killed.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use wait4::Wait4;

use crate::settings::Worker;
use crate::task::{Job, Outcome, TaskSettings};

/// A task's outcome with what the kernel says it used.
#[derive(Clone, Debug)]
pub(crate) struct TaskRecord {
    pub outcome: Outcome,
    pub cpu_s: f64,
    /// Largest resident set, in bytes.
    pub memory_bytes: u64,
}

/// The lifelines of the tasks that run. A task ends when its lifeline is cut.
#[derive(Debug, Default)]
pub(crate) struct Lifelines {
    state: Mutex<State>,
    done: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    is_cut: bool,
    /// By process id.
    held: HashMap<u32, ChildStdin>,
}

impl Lifelines {
    /// Ends every task that runs and keeps others from starting.
    pub fn cut(&self) {
        let mut state = self.lock();
        state.is_cut = true;
        state.held.clear();
    }

    pub fn is_cut(&self) -> bool {
        self.lock().is_cut
    }

    /// Tasks that have ended.
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
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs so many tasks, `parallelism` at a time, and returns the records of those that ran. Blocks.
///
/// # Errors
/// A process can't be started or its log can't be written; tasks that run are ended.
pub(crate) fn run_all(
    tasks: usize,
    settings: &TaskSettings,
    worker: &Worker,
    parallelism: usize,
    folder: &Path,
    lifelines: &Lifelines,
) -> Result<Vec<TaskRecord>> {
    let next = AtomicUsize::new(0);
    let slot = || -> Result<Vec<TaskRecord>> {
        let mut records = Vec::new();
        loop {
            let task = next.fetch_add(1, Ordering::Relaxed);
            if task >= tasks || lifelines.is_cut() {
                return Ok(records);
            }
            let record = run_one(task, settings, worker, folder, lifelines);
            records.extend(record.inspect_err(|_| lifelines.cut())?);
        }
    };
    std::thread::scope(|scope| {
        let slots: Vec<_> = (0..parallelism.min(tasks)).map(|_| scope.spawn(slot)).collect();
        let mut records = Vec::with_capacity(tasks);
        for slot in slots {
            records.append(&mut slot.join().expect("a slot does not panic")?);
        }
        Ok(records)
    })
}

/// `None` if the task was ended together with the lab.
fn run_one(
    task: usize,
    settings: &TaskSettings,
    worker: &Worker,
    folder: &Path,
    lifelines: &Lifelines,
) -> Result<Option<TaskRecord>> {
    let mut child = start(task, worker, folder)?;
    let mut lifeline = child.stdin.take().expect("piped when it was started");
    let mut output = child.stdout.take().expect("piped when it was started");
    let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let job = Job { task, started_ns: started.as_nanos() as u64, settings: settings.clone() };
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
    let cpu_s = (used.rusage.utime + used.rusage.stime).as_secs_f64();
    Ok(Some(TaskRecord { outcome, cpu_s, memory_bytes: used.rusage.maxrss }))
}

fn start(task: usize, worker: &Worker, folder: &Path) -> Result<Child> {
    let path = folder.join(format!("task-{task:03}.log"));
    let log = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    command(worker, folder)
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
