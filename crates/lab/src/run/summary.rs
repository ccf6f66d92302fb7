//! What a pattern's samples and tasks come to.

use crate::counter::Totals;
use crate::processes::TaskRecord;
use crate::results::{Connections, FirstAnswer, PatternResult, Sample, Spread, Tasks};
use crate::settings::Pattern;

pub(super) fn connections(totals: Totals, samples: &[Sample]) -> Connections {
    let peak = |part: fn(&Sample) -> u64| samples.iter().map(part).max().unwrap_or(0);
    let sampled = (peak(|s| s.open), peak(|s| s.idle), peak(|s| s.in_use));
    let (peak_open, peak_idle, peak_in_use) = totals.peaks.unwrap_or(sampled);
    Connections {
        opened: totals.opened,
        closed: totals.closed,
        peak_open,
        peak_idle,
        peak_in_use,
        others: 0,
    }
}

/// What the tasks themselves and the kernel say of them.
pub(crate) fn summed_up(pattern: Pattern, tasks: usize, records: Vec<TaskRecord>) -> PatternResult {
    let mut failures = std::collections::BTreeMap::new();
    for (code, count) in records.iter().flat_map(|record| &record.outcome.failures) {
        *failures.entry(code.clone()).or_default() += count;
    }
    let failed = records.iter().filter(|record| !record.outcome.failures.is_empty()).count() as u64;
    let (total, finished) = (tasks as u64, records.len() as u64);
    let answered: Vec<_> = records
        .iter()
        .filter_map(|r| Some((r.outcome.first_answer_ms?, r.outcome.connecting_ms)))
        .collect();
    let spent: f64 = answered.iter().map(|(first, _)| first).sum();
    let connecting: f64 = answered.iter().map(|(_, connecting)| connecting).sum();
    let first = Spread::of(answered.iter().map(|(first, _)| *first).collect());
    PatternResult {
        name: pattern,
        tasks: Tasks {
            total,
            succeeded: finished - failed,
            failed,
            unfinished: total.saturating_sub(finished),
            failures,
        },
        drivers_created: records.iter().map(|record| record.outcome.drivers_created).sum(),
        first_answer: first.map(|ms| FirstAnswer { ms, connecting_share: connecting / spent }),
        query_ms: Spread::of(
            records.iter().flat_map(|record| record.outcome.query_ms.clone()).collect(),
        ),
        task_cpu_s: records.iter().map(|record| record.cpu_s).sum(),
        task_memory_bytes: records.iter().map(|record| record.memory_bytes).max().unwrap_or(0),
        user_agent: String::new(),
        calls_per_task: 0,
        connections: Connections::default(),
        pooler: None,
        airflow: None,
        from_ms: 0,
        to_ms: 0,
        wall_s: 0.0,
        server_cpu_s: None,
        server_memory_bytes: None,
        missed_samples: 0,
        counting_error: None,
        samples: Vec::new(),
    }
}
