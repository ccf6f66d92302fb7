//! The table of a workload: one row for each number, one column for each target and for each ratio.

use std::collections::BTreeSet;

use report::Table;

use crate::measure::{Measure, Unit};
use crate::ratio::Ratio;
use crate::results::{Results, WorkloadResult};
use crate::sample::Sample;
use crate::workload::Workload;

/// Each target but the first has two columns: its numbers, and their ratios to the first target's.
pub fn table(results: &Results, workload: &WorkloadResult) -> Table {
    let first = &results.targets[0].name;
    let mut columns = vec![title(results, workload)];
    for (index, target) in workload.targets.iter().enumerate() {
        columns.push(target.name.clone());
        if index > 0 {
            columns.push(format!("÷ {first}"));
        }
    }
    let rows = measures(workload).into_iter().filter_map(|measure| row(workload, &measure));
    Table { columns, rows: rows.chain(errors(workload)).collect() }
}

/// `query, 8 clients`
pub(super) fn title(results: &Results, workload: &WorkloadResult) -> String {
    let settings = &results.settings;
    let clients = if settings.clients == 1 { "client" } else { "clients" };
    let rate = settings.rate.map_or_else(String::new, |rate| format!(", {rate} per second"));
    format!("{}, {} {clients}{rate}", workload.workload, settings.clients)
}

fn row(workload: &WorkloadResult, measure: &Measure) -> Option<Vec<String>> {
    let first = &workload.targets[0];
    let mut row = vec![name(measure)];
    let mut is_known = false;
    for (index, target) in workload.targets.iter().enumerate() {
        let value = measure.of(&target.total, &target.name);
        is_known |= value.is_some();
        row.push(value.map_or_else(|| "–".into(), |value| number(value, measure.unit())));
        if index > 0 {
            let ratio = target.ratio(measure, first);
            row.push(ratio.as_ref().map_or_else(String::new, spread));
        }
    }
    is_known.then_some(row)
}

/// `1.24 (1.20–1.29)`: the median of the rounds' ratios, and the quartiles.
pub(super) fn spread(ratio: &Ratio) -> String {
    match ratio.rounds.len() {
        1 => format!("{:.2}", ratio.median),
        _ => {
            format!("{:.2} ({:.2}–{:.2})", ratio.median, ratio.lower_quartile, ratio.upper_quartile)
        }
    }
}

fn measures(workload: &WorkloadResult) -> Vec<Measure> {
    let mut measures =
        vec![Measure::P50, Measure::P90, Measure::P99, Measure::P999, Measure::Throughput];
    measures.extend((workload.workload == Workload::Stream).then_some(Measure::Records));
    let processes = workload.targets.iter().flat_map(|target| target.total.cpu_s.keys());
    let processes: BTreeSet<&String> = processes.collect();
    measures.extend(processes.iter().map(|name| Measure::Cpu(Some((*name).clone()))));
    measures.extend(processes.iter().map(|name| Measure::Memory(Some((*name).clone()))));
    measures
}

fn name(measure: &Measure) -> String {
    match measure {
        Measure::Throughput => "operations per second".into(),
        Measure::Records => "records per second".into(),
        Measure::Cpu(Some(process)) => format!("processor time of {process} per operation"),
        Measure::Memory(Some(process)) => format!("memory of {process}"),
        other => other.to_string(),
    }
}

/// Rows for processor time as a whole, operations, and errors by code.
fn errors(workload: &WorkloadResult) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut add = |name: String, of: &dyn Fn(&Sample) -> String| {
        let mut row = vec![name];
        for (index, target) in workload.targets.iter().enumerate() {
            row.push(of(&target.total));
            row.extend((index > 0).then(String::new));
        }
        rows.push(row);
    };
    let samples = || workload.targets.iter().map(|target| &target.total);
    for process in samples().flat_map(|sample| sample.cpu_s.keys()).collect::<BTreeSet<_>>() {
        let seconds = |sample: &Sample| {
            sample.cpu_s.get(process).map_or_else(|| "–".into(), |s| format!("{s:.2} s"))
        };
        add(format!("processor time of {process}"), &seconds);
    }
    add("operations".into(), &|sample| sample.operations.to_string());
    add("errors".into(), &|sample| sample.errors.values().sum::<u64>().to_string());
    for code in samples().flat_map(|sample| sample.errors.keys()).collect::<BTreeSet<_>>() {
        add(format!("… {code}"), &|sample| {
            sample.errors.get(code).copied().unwrap_or_default().to_string()
        });
    }
    rows
}

/// A number as people read it.
fn number(value: f64, unit: Option<Unit>) -> String {
    let three = |value: f64| match value {
        v if v < 10.0 => format!("{v:.2}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    };
    match unit {
        Some(Unit::Microseconds) if value >= 1e6 => format!("{} s", three(value / 1e6)),
        Some(Unit::Microseconds) if value >= 1e4 => format!("{} ms", three(value / 1e3)),
        Some(Unit::Microseconds) => format!("{} µs", three(value)),
        Some(Unit::Bytes) => format!("{:.1} MiB", value / f64::from(1 << 20)),
        Some(Unit::Count) => format!("{value:.0}"),
        Some(Unit::PerSecond) | None => three(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_unit_that_people_would_choose() {
        let us = |value| number(value, Some(Unit::Microseconds));
        assert_eq!(us(7.123), "7.12 µs");
        assert_eq!(us(1234.5), "1234 µs");
        assert_eq!(us(12_345.0), "12.3 ms");
        assert_eq!(us(2_500_000.0), "2.50 s");
        assert_eq!(number(3_145_728.0, Some(Unit::Bytes)), "3.0 MiB");
    }
}
