//! A lab that is killed or interrupted: no task outlives it, and what was measured is kept.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use kernel::process::Process;

use crate::results::{assert_fits_the_schema, results};
use crate::support::boltbouncer;
use crate::tasks::tasks_of;

/// A lab whose tasks would run for minutes, ended with the test.
struct LongLab {
    child: Child,
    tasks: BTreeSet<u32>,
}

impl LongLab {
    /// Waits until four tasks run.
    fn start(folder: &Path, pattern: &str) -> Self {
        let arguments =
            ["lab", "--tasks", "8", "--parallelism", "4", "--calls", "600", "--hold-ms", "1000"];
        let mut command = boltbouncer(folder);
        command.args(arguments).args(["--pattern", pattern]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut lab = Self { child: command.spawn().unwrap(), tasks: BTreeSet::new() };
        while lab.tasks.len() < 4 {
            assert!(lab.child.try_wait().unwrap().is_none(), "the lab ended by itself");
            lab.tasks = tasks_of(lab.child.id());
        }
        lab
    }
}

impl Drop for LongLab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

/// Waits for processes to end; a zombie has ended.
fn wait_until_gone(tasks: &BTreeSet<u32>) {
    let is_alive = |pid: &u32| Process::read(*pid).is_some_and(|process| !process.is_zombie);
    while tasks.iter().any(is_alive) {
        std::thread::yield_now();
    }
}

#[test]
fn a_killed_lab_leaves_no_task_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut lab = LongLab::start(folder.path(), "problematic");
    lab.child.kill().unwrap();
    lab.child.wait().unwrap();
    wait_until_gone(&lab.tasks);
}

fn assert_ends_when_interrupted(pattern: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut lab = LongLab::start(folder.path(), pattern);
    let interrupt =
        Command::new("kill").args(["-INT", &lab.child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let status = lab.child.wait().unwrap();
    wait_until_gone(&lab.tasks);
    assert_eq!(status.code(), Some(1));
    let results = results(&folder.path().join("boltbouncer-lab"));
    assert_fits_the_schema(&results);
    assert_eq!(results["interrupted"], true);
    assert_eq!(results["patterns"][0]["name"], pattern);
    assert_eq!(results["patterns"][0]["tasks"]["unfinished"], 8);
    assert!(!results["patterns"][0]["samples"].as_array().unwrap().is_empty());
}

#[test]
fn an_interrupted_lab_ends_its_tasks_and_keeps_what_was_measured() {
    assert_ends_when_interrupted("problematic");
}

#[test]
fn an_interrupted_lab_ends_its_pooler_too() {
    assert_ends_when_interrupted("pooled");
}
