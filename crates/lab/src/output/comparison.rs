//! The patterns side by side. The first one is what the others are compared with.

use report::Table;

use crate::results::{PatternResult, Results};

/// One row for each measure and one column for each pattern. Each pattern but the first has a second
/// column: the change against the first, in percent.
pub fn comparison(results: &Results) -> Table {
    let mut columns = vec![String::new()];
    for (index, pattern) in results.patterns.iter().enumerate() {
        columns.push(pattern.name.to_string());
        if index > 0 {
            columns.push("change".into());
        }
    }
    // A run without a pooler has no rows about it.
    let is_known = |measure: fn(&PatternResult) -> Option<f64>| {
        results.patterns.iter().any(|pattern| measure(pattern).is_some())
    };
    let measures = measures().into_iter().filter(|(_, measure, _)| is_known(*measure));
    let rows = measures.map(|(name, measure, format)| {
        let mut row = vec![name.to_owned()];
        let first = results.patterns.first().and_then(measure);
        for (index, pattern) in results.patterns.iter().enumerate() {
            let value = measure(pattern);
            row.push(value.map_or_else(|| "–".into(), format));
            if index > 0 {
                row.push(
                    first
                        .zip(value)
                        .map_or_else(String::new, |(first, value)| change(first, value)),
                );
            }
        }
        row
    });
    Table { columns, rows: rows.collect() }
}

/// `−80 %`; empty if the first value is zero, as there is nothing to compare with then.
pub(super) fn change(first: f64, value: f64) -> String {
    if first == 0.0 {
        return String::new();
    }
    let percent = (value - first) / first * 100.0;
    match percent {
        p if p <= -0.5 => format!("−{:.0} %", -p),
        p if p >= 0.5 => format!("+{p:.0} %"),
        _ => "0 %".into(),
    }
}

type Measure = (&'static str, fn(&PatternResult) -> Option<f64>, fn(f64) -> String);

fn measures() -> Vec<Measure> {
    let count: fn(f64) -> String = |value| format!("{value:.0}");
    let ms: fn(f64) -> String = |value| format!("{value:.1} ms");
    let seconds: fn(f64) -> String = |value| format!("{value:.2} s");
    let percent: fn(f64) -> String = |value| format!("{:.0} %", value * 100.0);
    let mib: fn(f64) -> String = |value| format!("{:.1} MiB", value / f64::from(1 << 20));
    vec![
        ("tasks", |p| Some(p.tasks.total as f64), count),
        ("tasks failed", |p| Some(p.tasks.failed as f64), count),
        ("drivers created", |p| Some(p.drivers_created as f64), count),
        ("connections opened", |p| Some(p.connections.opened as f64), count),
        ("connections closed", |p| Some(p.connections.closed as f64), count),
        ("peak open", |p| Some(p.connections.peak_open as f64), count),
        ("peak idle", |p| Some(p.connections.peak_idle as f64), count),
        ("peak in use", |p| Some(p.connections.peak_in_use as f64), count),
        ("clients of the pooler, peak", |p| Some(p.pooler?.peak_clients as f64), count),
        ("opened, as the pooler counts", |p| Some(p.pooler?.upstream_opened as f64), count),
        ("first answer, p50", |p| Some(p.first_answer?.ms.p50), ms),
        ("… spent on connecting", |p| Some(p.first_answer?.connecting_share), percent),
        ("query, p50", |p| Some(p.query_ms?.p50), ms),
        ("query, p99", |p| Some(p.query_ms?.p99), ms),
        ("wall time", |p| Some(p.wall_s), seconds),
        ("tasks at once, peak", |p| Some(p.airflow.as_ref()?.peak_running as f64), count),
        ("task duration, p50", |p| Some(p.airflow.as_ref()?.task_s?.p50), seconds),
        ("task duration, p99", |p| Some(p.airflow.as_ref()?.task_s?.p99), seconds),
        ("processor time of the tasks", |p| Some(p.task_cpu_s), seconds),
        ("memory of the largest task", |p| Some(p.task_memory_bytes as f64), mib),
        ("processor time of the server", |p| p.server_cpu_s, seconds),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_in_percent_of_the_first() {
        assert_eq!(change(500.0, 100.0), "−80 %");
        assert_eq!(change(100.0, 150.0), "+50 %");
        assert_eq!(change(3.0, 3.0), "0 %");
        assert_eq!(change(0.0, 3.0), "");
    }
}
