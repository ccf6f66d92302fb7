//! The page: what ran, a table and two charts for each workload.

use report::{Chart, Colour, Page, Series};

use super::table::{spread, table, title};
use crate::measure::Measure;
use crate::results::{CheckResult, Results, WorkloadResult};

/// A self-contained HTML page.
pub fn page(results: &Results) -> String {
    let names: Vec<&str> = results.targets.iter().map(|target| target.name.as_str()).collect();
    let mut page = Page::new(
        &format!("Bolt, side by side: {}", names.join(", ")),
        &format!("{} · BoltBouncer {}", results.started, results.boltbouncer),
    );
    if results.interrupted {
        page.paragraph("This run was ended before its time. What follows is what had been measured until then.");
    }
    if let Some(error) = &results.error {
        page.paragraph(error);
    }
    page.paragraph(&what_ran(results));
    page.figures(&headline(results));
    for workload in &results.workloads {
        page.heading(&title(results, workload));
        page.chart(&latencies(workload));
        page.chart(&ratios(results, workload));
        page.raw(&table(results, workload).html());
        page.list(&workload.miscounted);
    }
    if !results.checks.is_empty() {
        page.heading("Checks");
        page.list(&results.checks.iter().map(CheckResult::to_string).collect::<Vec<_>>());
    }
    page.html()
}

fn what_ran(results: &Results) -> String {
    let settings = &results.settings;
    let targets: Vec<String> = results
        .targets
        .iter()
        .map(|target| {
            format!("{} is {} ({}, Bolt {})", target.name, target.uri, target.agent, target.bolt)
        })
        .collect();
    let machine = &results.machine;
    let processor = machine.processor.as_deref().unwrap_or(&machine.arch);
    let rounds = settings.rounds;
    format!(
        "{}. The targets took turns, in {rounds} rounds of {:.2} s each, on {} processors ({processor}). A ratio is the median over the rounds; half of the rounds lie in the range after it.",
        targets.join("; "),
        settings.duration_s / rounds as f64,
        machine.cpus,
    )
}

/// The ratio of p50 to the first target, for each workload and target.
fn headline(results: &Results) -> Vec<(String, String)> {
    let mut figures = Vec::new();
    for workload in &results.workloads {
        for target in &workload.targets[1..] {
            if let Some(ratio) = target.ratios.get(&Measure::P50.to_string()) {
                let name = format!(
                    "{} p50, {} ÷ {}",
                    workload.workload, target.name, workload.targets[0].name
                );
                figures.push((spread(ratio), name));
            }
        }
    }
    figures
}

fn latencies(workload: &WorkloadResult) -> Chart {
    let levels = [Measure::P50, Measure::P90, Measure::P99, Measure::P999];
    let lines = workload.targets.iter().enumerate().filter_map(|(index, target)| {
        let values = levels.iter().map(|level| level.of(&target.total, &target.name));
        let points = values.enumerate().map(|(x, value)| Some((x as f64, value?)));
        Some(line(&target.name, index, points.collect::<Option<_>>()?))
    });
    Chart {
        title: format!("Latency of {}", workload.workload),
        unit: "µs".into(),
        series: lines.collect(),
        labels: levels.iter().map(Measure::to_string).collect(),
        is_logarithmic: true,
        ..Chart::default()
    }
}

fn ratios(results: &Results, workload: &WorkloadResult) -> Chart {
    let first = &workload.targets[0];
    let lines = workload.targets.iter().enumerate().skip(1).filter_map(|(index, target)| {
        let ratio = target.ratios.get(&Measure::P50.to_string())?;
        let rounds = ratio.rounds.iter().enumerate();
        let points = rounds.filter_map(|(round, ratio)| Some((round as f64, (*ratio)?)));
        Some(line(&target.name, index, points.collect()))
    });
    let rounds = first.rounds.len();
    Chart {
        title: format!(
            "p50 of {}, divided by that of {}, round by round",
            workload.workload, first.name
        ),
        unit: format!("times {}", results.targets[0].name),
        series: lines.collect(),
        labels: (1..=rounds).map(|round| round.to_string()).collect(),
        ..Chart::default()
    }
}

fn line(name: &str, index: usize, points: Vec<(f64, f64)>) -> Series {
    let colour = Colour::ALL[index % Colour::ALL.len()];
    Series { name: name.to_owned(), colour, dashed: index >= Colour::ALL.len(), points }
}
