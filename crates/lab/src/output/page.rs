//! The report page: the finding, one picture of it, two charts, what to do now, and folded below all that
//! somebody may want to check.

use report::{Link, Page};

use super::comparison::{Detail, comparison, table};
use super::{charts, words};
use crate::expectations;
use crate::measures::{
    CONNECTING, DONE, FAILED, LOGIN_CPU, Measure, OPENED, PEAK, REFUSED, RETRIED, WAITED,
};
use crate::results::{PatternResult, Results};
use crate::settings::Pattern;
use crate::verdict;

pub(super) fn page(results: &Results) -> String {
    let mut page = Page::new(&verdict::verdict(results).sentence, &what_ran_in_short(results));
    if results.interrupted {
        page.paragraph(words::INTERRUPTED);
    }
    if let Some(reason) = &results.failed {
        page.paragraph(&format!("{} {reason}", words::FAILED_RUN));
        page.paragraph(if results.patterns.is_empty() {
            words::NOTHING_MEASURED
        } else {
            words::MEASURED_UNTIL_THEN
        });
    }
    if results.patterns.is_empty() {
        return page.html();
    }
    let advice = advice(results);
    if let Some((first, _)) = advice.first() {
        page.lead(&format!("{}:", words::NEXT), first);
    }
    // The page's title is the picture's.
    page.chart(&report::Bars { title: String::new(), ..charts::result(results) });
    page.chart(&charts::idle(results));
    page.chart(&charts::opened_closed(results));
    page.heading(words::NEXT);
    page.advice(&advice);
    unexpected(&mut page, results);
    page.heading(words::NUMBERS);
    let telling = [FAILED, RETRIED, REFUSED, WAITED, DONE, OPENED, PEAK, CONNECTING, LOGIN_CPU];
    page.raw(&table(results, &telling, Detail::Median).html());
    page.paragraph(words::NO_GAIN);
    failures(&mut page, results);
    page.folded(words::ALL, |page| page.raw(&comparison(results).html()));
    page.folded(words::HOW, |page| how(page, results));
    page.folded(words::MEANING, |page| meaning(page, results));
    page.folded(words::PRACTICES, |page| {
        page.list(&words::BEST_PRACTICES.map(String::from));
        page.code("problematic: a driver for each call, never closed", words::PROBLEMATIC_CODE);
        page.code("improved: one driver for each process", words::IMPROVED_CODE);
    });
    page.html()
}

/// One line: what ran where, how often, and when.
fn what_ran_in_short(results: &Results) -> String {
    let settings = &results.settings;
    let server = match results.target.preset {
        Some(preset) => format!("an embedded server ({preset}: {})", preset.summary()),
        None => format!("{} at {}", results.target.agent, results.target.uri),
    };
    let rounds = match settings.rounds {
        1 => String::new(),
        rounds => format!(" Median of {rounds} rounds."),
    };
    format!(
        "{} parallel tasks with {} database calls each, on {server}.{rounds} {}, BoltBouncer {}.",
        settings.tasks, settings.calls, results.started, results.boltbouncer
    )
}

/// What follows from these numbers.
fn advice(results: &Results) -> Vec<(String, Option<Link>)> {
    let has_run = |pattern| results.names().contains(&pattern);
    // Whether the remedy lowers it.
    let falls = |measure: Measure| {
        let median = |pattern| measure.value(results, pattern).map(|value| value.median);
        let remedy = verdict::remedy(results);
        remedy.is_some_and(|remedy| median(results.names()[0]) > median(remedy))
    };
    let is_embedded = results.target.embedded;
    let uri = if is_embedded { "bolt://your-server:7687" } else { results.target.uri.as_str() };
    let mut advice = Vec::new();
    if has_run(Pattern::Pooled) && falls(OPENED) {
        advice.push((words::try_pooler(uri), None));
    }
    if has_run(Pattern::Improved) {
        advice.push((words::REUSE_DRIVERS.into(), Some(words::driver_manual())));
    }
    if falls(FAILED) {
        advice.push((words::NO_RETRIES_NEEDED.into(), Some(words::airflow_retries())));
    }
    if is_embedded {
        advice.push((words::ON_YOUR_SERVER.into(), None));
    }
    if results.airflow.is_none() {
        advice.push((words::ON_AIRFLOW.into(), None));
    }
    advice
}

fn how(page: &mut Page, results: &Results) {
    let target = &results.target;
    page.paragraph(&what_ran(results));
    page.paragraph(&format!(
        "The server: {}, Bolt {}, {}. Connections were counted by {}.",
        target.agent,
        target.bolt,
        target.uri,
        target.counted_by.explanation()
    ));
    if let Some(preset) = target.preset {
        page.paragraph(&format!("{preset}: {}", preset.reasons()));
    }
    page.list(&results.outliers());
    missed(page, results);
    others(page, results);
}

fn what_ran(results: &Results) -> String {
    let settings = &results.settings;
    let at_once =
        settings.parallelism.map_or_else(String::new, |most| format!(", at most {most} at once"));
    let retries = match (settings.retries, settings.retry_delay_ms) {
        (Some(0), _) | (None, _) => String::new(),
        (Some(retries), delay) => {
            format!(
                " A task that fails is tried again up to {retries} times, after {} ms.",
                delay.unwrap_or(0)
            )
        }
    };
    let tasks = format!(
        "{} parallel tasks{at_once}, each a process of its own with {} database calls and {} ms of other work after each.{retries} Driver: {}. Query: {}",
        settings.tasks, settings.calls, settings.hold_ms, settings.driver, settings.query,
    );
    let Some(airflow) = &results.airflow else { return tasks };
    let parts = [&airflow.executor, &airflow.database].into_iter().flatten();
    let parts: String = parts.map(|part| format!(", {part}")).collect();
    let python = airflow.python.as_ref().map_or_else(String::new, |v| format!(", Python {v}"));
    format!("Apache Airflow {}{parts}{python} ran {tasks}", airflow.version)
}

fn unexpected(page: &mut Page, results: &Results) {
    let unmet = expectations::unmet(results);
    if !unmet.is_empty() {
        page.heading(words::UNEXPECTED);
        page.list(&unmet);
    }
}

fn failures(page: &mut Page, results: &Results) {
    let line = |pattern: &PatternResult| {
        let codes = pattern.tasks.attempt_failures.iter();
        let codes: Vec<_> = codes.map(|(code, count)| format!("{count} × {code}")).collect();
        format!("{}: {}", of_round(pattern, results), codes.join(", "))
    };
    let has_failures = |pattern: &&PatternResult| !pattern.tasks.attempt_failures.is_empty();
    let failed: Vec<_> = results.patterns.iter().filter(has_failures).map(line).collect();
    if !failed.is_empty() {
        page.folded(words::FAILURES, |page| page.list(&failed));
    }
}

/// The pattern's name, and its round if there are several.
fn of_round(pattern: &PatternResult, results: &Results) -> String {
    match results.settings.rounds {
        1 => pattern.name.to_string(),
        _ => format!("{}, round {}", pattern.name, pattern.round),
    }
}

fn missed(page: &mut Page, results: &Results) {
    let line = |pattern: &PatternResult| {
        let why = pattern.counting_error.as_deref().unwrap_or("the totals are complete");
        let pattern_name = of_round(pattern, results);
        format!("{pattern_name}: {} samples missed; {why}", pattern.missed_samples)
    };
    let is_missing =
        |pattern: &&PatternResult| pattern.missed_samples > 0 || pattern.counting_error.is_some();
    let missed: Vec<_> = results.patterns.iter().filter(is_missing).map(line).collect();
    if !missed.is_empty() {
        page.heading(words::MISSED);
        page.paragraph(words::MISSED_ARE);
        page.list(&missed);
    }
}

fn others(page: &mut Page, results: &Results) {
    let others: Vec<_> = results
        .patterns
        .iter()
        .filter(|pattern| pattern.connections.others > 0)
        .map(|pattern| {
            format!("{}: {} connections", of_round(pattern, results), pattern.connections.others)
        })
        .collect();
    if !others.is_empty() {
        page.heading(words::OTHERS);
        page.paragraph(words::OTHERS_ARE);
        page.list(&others);
    }
}

fn meaning(page: &mut Page, results: &Results) {
    for pattern in results.names().into_iter().filter_map(|name| results.typical(name)) {
        page.paragraph(&explanation(pattern, results));
    }
    page.paragraph(words::REUSE);
    page.advice(&[(words::COSTS.into(), Some(words::neo4j_threads()))]);
}

fn explanation(pattern: &PatternResult, results: &Results) -> String {
    let c = pattern.connections;
    let ran = format!(
        "{}: {} tasks created {} drivers. That opened {} connections, {} at once.",
        of_round(pattern, results),
        pattern.tasks.total,
        pattern.drivers_created,
        c.opened,
        c.peak_open
    );
    let why = words::why(pattern.name);
    let pool = match (pattern.name, pattern.pooler) {
        (Pattern::Pooled, Some(numbers)) => format!(
            " It had a pool of {}. All their connections went to it, {} at once; it checked the password at the server, and lent one of its own connections to whoever had a query, for as long as that ran.",
            results.settings.pool_size, numbers.peak_clients
        ),
        (Pattern::Pooled, None) => " It ran already. What it held before the pattern is in the peaks, not in what was opened.".into(),
        _ => String::new(),
    };
    let shared = if pattern.pooler.is_some() && results.target.embedded {
        " It shared a process with the embedded server, so that the server's processor time includes its own."
    } else {
        ""
    };
    format!("{ran} {why}{pool}{shared}")
}
