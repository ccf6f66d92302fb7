//! What a pattern's tasks come to, by what they say themselves and what the kernel says about them.

use std::collections::BTreeMap;

use crate::processes::TaskRecord;
use crate::results::{FirstAnswer, Spread, Tasks};

pub(super) struct TaskSummary {
    pub tasks: Tasks,
    pub drivers_created: u64,
    pub first_answer: Option<FirstAnswer>,
    pub query_ms: Option<Spread>,
    pub cpu_s: f64,
    /// The memory of the largest task.
    pub memory_bytes: u64,
}

impl TaskSummary {
    /// `total` is how many tasks there should be; `records` has those that ran.
    pub fn new(total: usize, records: &[TaskRecord]) -> Self {
        let outcomes = || records.iter().map(|record| &record.outcome);
        Self {
            tasks: tasks(total as u64, records),
            drivers_created: outcomes().map(|outcome| outcome.drivers_created).sum(),
            first_answer: first_answer(records),
            query_ms: Spread::of(outcomes().flat_map(|outcome| outcome.query_ms.clone()).collect()),
            cpu_s: records.iter().map(|record| record.cpu_s).sum(),
            memory_bytes: records.iter().map(|record| record.memory_bytes).max().unwrap_or(0),
        }
    }
}

fn tasks(total: u64, records: &[TaskRecord]) -> Tasks {
    let mut failures = BTreeMap::new();
    for (code, count) in records.iter().flat_map(|record| &record.outcome.failures) {
        *failures.entry(code.clone()).or_default() += count;
    }
    let failed = records.iter().filter(|record| !record.outcome.failures.is_empty()).count() as u64;
    let finished = records.len() as u64;
    Tasks {
        total,
        succeeded: finished - failed,
        failed,
        unfinished: total.saturating_sub(finished),
        failures,
    }
}

/// `None` if the server answered no task.
fn first_answer(records: &[TaskRecord]) -> Option<FirstAnswer> {
    let answered: Vec<_> = records
        .iter()
        .filter_map(|r| Some((r.outcome.first_answer_ms?, r.outcome.connecting_ms)))
        .collect();
    let spent: f64 = answered.iter().map(|(first, _)| first).sum();
    let connecting: f64 = answered.iter().map(|(_, connecting)| connecting).sum();
    let ms = Spread::of(answered.iter().map(|(first, _)| *first).collect())?;
    Some(FirstAnswer { ms, connecting_share: connecting / spent })
}
