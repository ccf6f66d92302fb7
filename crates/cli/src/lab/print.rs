//! What the lab says in the terminal: first what will happen, where, and for how long; then what came
//! out, in one sentence and three rows; then what to do next. It fits into 80 columns.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::Path;

use anstream::println;
use anstyle::{AnsiColor, Style};
use lab::measures::{self, Measure};
use lab::results::Results;
use lab::{Engine, Pattern, Preset, ServerChoice, Settings, expectations, verdict};
use report::wrapped;

use crate::terminal::say;

pub fn presets() {
    for preset in Preset::ALL {
        println!("{BOLD}{preset}{BOLD:#}: {}", preset.summary());
        indented(preset.reasons());
        println!();
    }
}

/// What will happen.
pub fn opening(settings: &Settings) {
    let tasks = format!(
        "{} parallel tasks, {} at once, each a process with {} database calls, {}.",
        settings.tasks,
        settings.parallelism.min(settings.tasks),
        settings.calls,
        place(settings)
    );
    paragraph(&tasks);
    let names: Vec<_> = settings.patterns.iter().map(ToString::to_string).collect();
    let rounds = match settings.rounds {
        1 => String::new(),
        rounds => format!(", each in {rounds} rounds"),
    };
    let time = match settings.engine {
        Engine::Local(_) => format!(" It takes about {} s.", expected_s(settings)),
        Engine::NativeAirflow(_) | Engine::ExistingAirflow { .. } => {
            " It takes some minutes.".into()
        }
    };
    paragraph(&format!("Patterns: {}{rounds}.{time}", names.join(", ")));
    println!();
}

fn place(settings: &Settings) -> String {
    match &settings.server {
        ServerChoice::Embedded(preset) => {
            format!("on an embedded server (preset {preset}: {})", preset.summary())
        }
        ServerChoice::Neo4j { target, .. } => format!("on {target}"),
    }
}

/// Seconds, to the next five. A busy machine takes longer.
fn expected_s(settings: &Settings) -> u64 {
    let of_pattern = |pattern: &Pattern| {
        let (tasks, calls) = pattern.load(settings);
        let waves = tasks.div_ceil(settings.parallelism) as f64;
        waves * (STARTING_S + calls as f64 * settings.hold.as_secs_f64()) + BETWEEN_S
    };
    let total: f64 = settings.patterns.iter().map(of_pattern).sum();
    ((total * settings.rounds as f64 / 5.0).ceil() * 5.0) as u64
}

/// What came out.
pub fn ending(results: &Results, folder: &Path, all: bool) {
    if all {
        println!("{}", lab::output::comparison(results).text());
        println!("Connections were counted by {}.", results.target.counted_by.explanation());
    }
    notes(results);
    let verdict = verdict::verdict(results);
    rows(results, &verdict.rows);
    println!();
    for line in wrapped(&verdict.sentence, WIDTH) {
        println!("{BOLD}{}{BOLD:#}", harmless::line(&line));
    }
    println!();
    paragraph(&next_step(results));
    if !all {
        paragraph("All numbers: --all, or the report.");
    }
    say(folder.join("report.html").display());
    say(folder.display());
}

/// The measures that tell the most: a line for each, a column for each pattern.
fn rows(results: &Results, measures: &[Measure]) {
    let names = results.names();
    let head: String = names.iter().map(|name| format!("{name:>COLUMN$}")).collect();
    println!("{:NAMES$}{MUTED}{head}{MUTED:#}", "");
    for measure in measures {
        anstream::print!("{:NAMES$}", measure.name);
        for name in &names {
            let value = measure.value(results, *name).map_or(0.0, |value| value.median);
            let style = match (*measure == measures::FAILED, value > 0.0) {
                (true, true) => HARM,
                (true, false) => GOOD,
                (false, _) => Style::new(),
            };
            anstream::print!("{style}{:>COLUMN$}{style:#}", measure.text(results, *name));
        }
        println!();
    }
}

/// What a reader has to know before the numbers.
fn notes(results: &Results) {
    for sentence in expectations::unmet(results) {
        noted(format_args!("not as expected: {sentence}"));
    }
    for sentence in results.outliers() {
        noted(sentence);
    }
    for pattern in &results.patterns {
        if pattern.missed_samples > 0 {
            noted(format_args!(
                "{}: the server did not answer {} of the lab's samples",
                pattern.name, pattern.missed_samples
            ));
        }
    }
    for name in results.names() {
        let failures = results.rounds_of(name).flat_map(|round| round.tasks.failures.keys());
        let codes: BTreeSet<&str> = failures.map(String::as_str).collect();
        if !codes.is_empty() {
            let codes: Vec<&str> = codes.into_iter().collect();
            noted(format_args!("{name}: tasks failed with {}", codes.join(", ")));
        }
    }
}

fn next_step(results: &Results) -> String {
    let has_pooled = results.names().contains(&Pattern::Pooled);
    match (results.target.embedded, has_pooled) {
        (true, _) if results.airflow.is_none() => {
            "Next: `boltbouncer lab --uri bolt://…` shows the same on your own server, \
             `boltbouncer lab --engine airflow` on a real Airflow."
                .into()
        }
        (_, true) => format!(
            "Next: run `boltbouncer serve --upstream {}`, and set NEO4J_URI=bolt://localhost:7688 \
             for your tasks.",
            if results.target.embedded { "bolt://your-server" } else { &results.target.uri }
        ),
        (_, false) => "Next: add the pattern `pooled` to see what a pooler changes.".into(),
    }
}

fn paragraph(text: &str) {
    wrapped(text, WIDTH).iter().for_each(|line| println!("{}", harmless::line(line)));
}

fn indented(text: &str) {
    wrapped(text, WIDTH - 2).iter().for_each(|line| println!("  {line}"));
}

/// A remark, which a server may have worded.
fn noted(text: impl Display) {
    paragraph(&format!("! {text}"));
}

const WIDTH: usize = 80;
const NAMES: usize = 36;
const COLUMN: usize = 14;
const BOLD: Style = Style::new().bold();
const MUTED: Style = Style::new().dimmed();
const HARM: Style = AnsiColor::Red.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What it takes to start a task.
const STARTING_S: f64 = 0.1;
/// Between two patterns, connections are waited for that are still open.
const BETWEEN_S: f64 = 0.3;
