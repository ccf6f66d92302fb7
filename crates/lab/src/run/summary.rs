//! What a pattern's tasks come to, by what they say themselves and what the kernel says about them.

use std::collections::BTreeMap;

use crate::processes::TaskRecord;
use crate::results::{Connecting, FirstAnswer, Spread, Tasks};

pub(super) struct TaskSummary {
    pub tasks: Tasks,
    pub drivers_created: u64,
    pub first_answer: Option<FirstAnswer>,
    pub connecting: Connecting,
    pub query_ms: Option<Spread>,
    pub call_ms: Option<Spread>,
    pub task_s: Option<Spread>,
    pub cpu_s: f64,
    /// The memory of the largest task.
    pub memory_bytes: u64,
}

impl TaskSummary {
    /// `total` is how many tasks there should be; `records` has the attempts that ran.
    pub fn new(total: usize, records: &[TaskRecord]) -> Self {
        let outcomes = || records.iter().map(|record| &record.outcome);
        let by_task = by_task(records);
        let call_ms = Spread::of(records.iter().flat_map(calls_ms).collect());
        let slow_ms = call_ms.map_or(0.0, |ms| ms.p50) + WAITED_MS;
        Self {
            tasks: tasks(total as u64, records, &by_task, slow_ms),
            drivers_created: outcomes().map(|outcome| outcome.drivers_created).sum(),
            first_answer: first_answer(records),
            connecting: connecting(records),
            query_ms: Spread::of(outcomes().flat_map(|outcome| outcome.query_ms.clone()).collect()),
            call_ms,
            task_s: Spread::of(by_task.values().filter_map(|tries| seconds(tries)).collect()),
            cpu_s: records.iter().map(|record| record.cpu_s).sum(),
            memory_bytes: records.iter().map(|record| record.memory_bytes).max().unwrap_or(0),
        }
    }
}

type Attempts<'a> = Vec<&'a TaskRecord>;

/// Each task's attempts in their order.
fn by_task(records: &[TaskRecord]) -> BTreeMap<usize, Attempts<'_>> {
    let mut by_task: BTreeMap<usize, Attempts<'_>> = BTreeMap::new();
    for record in records {
        by_task.entry(record.task).or_default().push(record);
    }
    for attempts in by_task.values_mut() {
        attempts.sort_by_key(|record| record.attempt);
    }
    by_task
}

/// A task with a call that took longer than `slow_ms` has waited.
fn tasks(
    total: u64,
    records: &[TaskRecord],
    by_task: &BTreeMap<usize, Attempts<'_>>,
    slow_ms: f64,
) -> Tasks {
    let last = || by_task.values().filter_map(|attempts| attempts.last().copied());
    let failed = last().filter(|record| record.has_failed()).count() as u64;
    let finished = by_task.len() as u64;
    let has_waited = |attempts: &&Attempts<'_>| {
        let slow = |record: &&TaskRecord| calls_ms(record).iter().any(|ms| *ms > slow_ms);
        // What Airflow tells of a task is its last attempt, with its number.
        attempts.last().is_some_and(|last| last.attempt > 1) || attempts.iter().any(slow)
    };
    Tasks {
        total,
        succeeded: finished - failed,
        failed,
        unfinished: total.saturating_sub(finished),
        attempts: last().map(|record| record.attempt as u64).sum(),
        waited: by_task.values().filter(has_waited).count() as u64,
        failures: failures(last()),
        attempt_failures: failures(records.iter()),
    }
}

fn failures<'a>(records: impl Iterator<Item = &'a TaskRecord>) -> BTreeMap<String, u64> {
    let mut failures = BTreeMap::new();
    for (code, count) in records.flat_map(|record| &record.outcome.failures) {
        *failures.entry(code.clone()).or_default() += count;
    }
    failures
}

/// What each call took that was answered.
fn calls_ms(record: &TaskRecord) -> Vec<f64> {
    let outcome = &record.outcome;
    outcome.connecting_ms.iter().zip(&outcome.query_ms).map(|(a, b)| a + b).collect()
}

/// What a task took that worked in the end.
fn seconds(attempts: &[&TaskRecord]) -> Option<f64> {
    let last = attempts.last().filter(|record| !record.has_failed())?;
    Some(last.ended_s - attempts.first()?.started_s)
}

fn connecting(records: &[TaskRecord]) -> Connecting {
    let total_s = records.iter().flat_map(|r| &r.outcome.connecting_ms).sum::<f64>() / 1000.0;
    let ran_s: f64 = records.iter().map(|record| record.ended_s - record.started_s).sum();
    Connecting { total_s, share: if ran_s > 0.0 { (total_s / ran_s).min(1.0) } else { 0.0 } }
}

/// `None` if the server answered no task.
fn first_answer(records: &[TaskRecord]) -> Option<FirstAnswer> {
    let of = |record: &TaskRecord| {
        let outcome = &record.outcome;
        Some((outcome.first_answer_ms?, *outcome.connecting_ms.first()?))
    };
    let answered: Vec<_> = records.iter().filter_map(of).collect();
    let spent: f64 = answered.iter().map(|(first, _)| first).sum();
    let connecting: f64 = answered.iter().map(|(_, connecting)| connecting).sum();
    let ms = Spread::of(answered.iter().map(|(first, _)| *first).collect())?;
    Some(FirstAnswer { ms, connecting_share: connecting / spent })
}

/// A call that took so much longer than the others has waited for something.
const WAITED_MS: f64 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Outcome;

    fn record(
        task: usize,
        attempt: usize,
        from: f64,
        to: f64,
        failure: Option<&str>,
    ) -> TaskRecord {
        let failures = failure.map(|code| (code.to_owned(), 1)).into_iter().collect();
        let outcome = Outcome {
            drivers_created: 1,
            first_answer_ms: Some(40.0),
            connecting_ms: vec![10.0],
            query_ms: if failure.is_some() { Vec::new() } else { vec![5.0] },
            failures,
        };
        TaskRecord {
            task,
            attempt,
            started_s: from,
            ended_s: to,
            outcome,
            cpu_s: 0.1,
            memory_bytes: 1,
        }
    }

    #[test]
    fn a_task_that_was_tried_again_and_worked_has_not_failed() {
        let records = [
            record(0, 1, 0.0, 1.0, Some("ServiceUnavailable")),
            record(0, 2, 2.0, 3.0, None),
            record(1, 1, 0.0, 1.0, Some("ServiceUnavailable")),
            record(1, 2, 2.0, 2.5, Some("SessionExpired")),
            record(2, 1, 0.0, 1.0, None),
        ];
        let summary = TaskSummary::new(4, &records);
        let tasks = &summary.tasks;
        assert_eq!((tasks.succeeded, tasks.failed, tasks.unfinished), (2, 1, 1));
        assert_eq!((tasks.attempts, tasks.waited), (5, 2));
        assert_eq!(tasks.failures, BTreeMap::from([("SessionExpired".into(), 1)]));
        assert_eq!(tasks.attempt_failures["ServiceUnavailable"], 2);
        let (connecting, task_s) = (summary.connecting, summary.task_s.unwrap());
        assert!((connecting.total_s - 0.05).abs() < 1e-9, "{connecting:?}");
        assert!((connecting.share - 0.05 / 4.5).abs() < 1e-9, "{connecting:?}");
        assert_eq!((task_s.count, task_s.max), (2, 3.0));
    }

    #[test]
    fn a_task_has_waited_if_one_of_its_calls_took_much_longer_than_others() {
        let mut records: Vec<_> = (0..9).map(|task| record(task, 1, 0.0, 1.0, None)).collect();
        records[3].outcome.query_ms = vec![120.0];
        assert_eq!(TaskSummary::new(9, &records).tasks.waited, 1);
    }
}
