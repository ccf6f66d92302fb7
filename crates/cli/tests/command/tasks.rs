//! The task processes of a lab.

use std::collections::BTreeSet;

/// Process ids whose command line says that they are tasks of the lab with this process id.
pub fn tasks_of(lab: u32) -> BTreeSet<i32> {
    let tasks = procfs::process::all_processes().unwrap().flatten().filter(|process| {
        let is_child = process.stat().is_ok_and(|stat| stat.ppid == lab as i32);
        is_child
            && process.cmdline().is_ok_and(|line| line.get(1).is_some_and(|word| word == "task"))
    });
    tasks.map(|process| process.pid).collect()
}
