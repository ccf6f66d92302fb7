//! The task processes of a lab.

use std::collections::BTreeSet;

use kernel::process::{self, Process};

/// Process ids whose command line says that they are tasks of the lab with this process id.
pub fn tasks_of(lab: u32) -> BTreeSet<u32> {
    let is_task = |pid: &u32| {
        let is_child = Process::read(*pid).is_some_and(|process| process.parent == lab);
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        is_child && line.split(|byte| *byte == 0).nth(1) == Some(b"task")
    };
    process::ids().into_iter().filter(is_task).collect()
}
