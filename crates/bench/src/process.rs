//! Processor time and memory of the servers, as the kernel accounts for them.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use kernel::process::Process;

use crate::settings::NamedProcess;

/// By each process's name: its processor time in seconds since it started, and its resident memory in
/// bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Usage(BTreeMap<String, (f64, u64)>);

impl Usage {
    /// Whether all processes are there.
    ///
    /// # Errors
    /// One is not.
    pub fn check(processes: &[NamedProcess]) -> Result<()> {
        match processes.iter().find(|process| read(process.pid).is_none()) {
            Some(NamedProcess { name, pid }) => {
                bail!("there is no process {pid}, which --pid calls {name}")
            }
            None => Ok(()),
        }
    }

    /// Several processes with one name are added up. If one of them has ended, the name is left out.
    pub fn read(processes: &[NamedProcess]) -> Self {
        let mut usage = BTreeMap::new();
        for process in processes {
            let sum = usage.entry(process.name.clone()).or_insert(Some((0.0, 0)));
            let with = |(sum, read): ((f64, u64), (f64, u64))| (sum.0 + read.0, sum.1 + read.1);
            *sum = sum.zip(read(process.pid)).map(with);
        }
        Self(usage.into_iter().filter_map(|(name, sum)| Some((name, sum?))).collect())
    }

    /// Seconds of processor time since `before`.
    pub fn cpu_since(&self, before: &Self) -> BTreeMap<String, f64> {
        let mut since = BTreeMap::new();
        for (name, (now, _)) in &self.0 {
            if let Some((then, _)) = before.0.get(name) {
                since.insert(name.clone(), (now - then).max(0.0));
            }
        }
        since
    }

    pub fn memory(&self) -> BTreeMap<String, u64> {
        self.0.iter().map(|(name, (_, bytes))| (name.clone(), *bytes)).collect()
    }
}

fn read(pid: i32) -> Option<(f64, u64)> {
    let process = Process::read(pid.try_into().ok()?)?;
    Some((process.cpu_s, process.memory_bytes))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_takes_time_and_memory() {
        let us = i32::try_from(std::process::id()).unwrap();
        let processes = [NamedProcess { name: "us".into(), pid: us }];
        let before = Usage::read(&processes);
        let mut after = before.clone();
        // Ticks of 10 ms; as long as it takes.
        while after.cpu_since(&before)["us"] == 0.0 {
            after = Usage::read(&processes);
        }
        assert!(after.memory()["us"] > 100_000);
    }

    #[test]
    fn a_process_that_is_not_there_is_named() {
        let processes = [NamedProcess { name: "ghost".into(), pid: i32::MAX }];
        let error = Usage::check(&processes).unwrap_err().to_string();
        assert!(error.contains("which --pid calls ghost"), "{error}");
    }
}
