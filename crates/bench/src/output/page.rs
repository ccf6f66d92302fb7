//! The page: the finding, a picture of it, and for each workload a table and two charts.

use report::{Bar, Bars, Chart, Colour, Group, Page, Series, Tone};

use super::table::{spread, table, title};
use crate::measure::Measure;
use crate::results::{CheckResult, Results, TargetResult, WorkloadResult};

/// A self-contained HTML page: the finding as its title, one picture of it, and the numbers of each workload,
/// folded.
pub fn page(results: &Results) -> String {
    let mut page = Page::new(
        &finding(results),
        &format!("{} · BoltBouncer {}", results.started, results.boltbouncer),
    );
    if results.interrupted {
        page.paragraph("This run was ended before its time. What follows is what had been measured until then.");
    }
    if let Some(error) = &results.error {
        page.paragraph(error);
    }
    page.chart(&at_a_glance(results));
    for workload in &results.workloads {
        page.list(&workload.miscounted);
        page.folded(&title(results, workload), |page| details(page, results, workload));
    }
    if !results.checks.is_empty() {
        page.heading("Checks");
        page.list(&results.checks.iter().map(CheckResult::to_string).collect::<Vec<_>>());
    }
    page.paragraph(&what_ran(results));
    page.html()
}

/// `pooled ÷ direct, p50: query 1.18 (1.15–1.21), transaction 1.24 (1.20–1.30)`, of the last target.
fn finding(results: &Results) -> String {
    let names: Vec<&str> = results.targets.iter().map(|target| target.name.as_str()).collect();
    let ratio = |workload: &WorkloadResult| {
        let ratio = workload.targets.get(1..)?.last()?.ratios.get(&Measure::P50.to_string())?;
        Some(format!("{} {}", workload.workload, spread(ratio)))
    };
    let ratios: Vec<_> = results.workloads.iter().filter_map(ratio).collect();
    match (&names[..], &ratios[..]) {
        ([first, .., last], [_, ..]) if ratios.len() <= NAMED_MAX => {
            format!("{last} ÷ {first}, p50: {}", ratios.join(", "))
        }
        _ => format!("Bolt, side by side: {}", names.join(", ")),
    }
}

/// The median latency of each target, for each workload.
fn at_a_glance(results: &Results) -> Bars {
    let group = |workload: &WorkloadResult| {
        let bar = |(index, target): (usize, &TargetResult)| {
            let value = Measure::P50.of(&target.total, &target.name)?;
            let ratio = target.ratios.get(&Measure::P50.to_string());
            let ratio = ratio.map_or_else(String::new, |ratio| format!(" ({:.2} ×)", ratio.median));
            let tone = Tone::Of(Colour::ALL[index % Colour::ALL.len()]);
            let text = format!("{value:.0} µs{ratio}");
            Some(Bar { name: target.name.clone(), value, text, tone })
        };
        let bars = workload.targets.iter().enumerate().filter_map(bar).collect();
        Group { name: format!("{}, p50", title(results, workload)), bars }
    };
    Bars { title: String::new(), groups: results.workloads.iter().map(group).collect() }
}

fn details(page: &mut Page, results: &Results, workload: &WorkloadResult) {
    let latencies = latencies(workload);
    // Two points make no chart.
    let points = latencies.series.iter().map(|series| series.points.len()).max();
    if points.is_some_and(|points| points >= POINTS_MIN) {
        page.chart(&latencies);
    }
    let ratios = ratios(results, workload);
    let rounds = ratios.series.iter().map(|series| series.points.len()).max();
    if rounds.is_some_and(|rounds| rounds >= POINTS_MIN) {
        page.chart(&ratios);
    }
    page.raw(&table(results, workload).html());
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

fn latencies(workload: &WorkloadResult) -> Chart {
    let levels = [Measure::P50, Measure::P90, Measure::P99, Measure::P999];
    let lines = workload.targets.iter().enumerate().map(|(index, target)| {
        let values = levels.iter().map(|level| level.of(&target.total, &target.name));
        // Too few operations have no p999.
        let points = values.enumerate().map_while(|(x, value)| Some((x as f64, value?)));
        line(&target.name, index, points.collect())
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

/// More workloads than this don't fit into a title.
const NAMED_MAX: usize = 3;
const POINTS_MIN: usize = 3;
