//! What came out, in one sentence, three rows and a next step. The terminal, the report and the picture
//! say the same.

use crate::measures::{
    CONNECTING, Change, DONE, FAILED, LOGIN_CPU, Measure, OPENED, PEAK, REFUSED, RETRIED, Unit,
};
use crate::results::Results;
use crate::settings::Pattern;

#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// `The same 100 tasks: 43 failed without a pool, none with one; 380 connections became 4.`
    pub sentence: String,
    /// The measures that carry it, most telling first.
    pub rows: Vec<Measure>,
}

pub fn verdict(results: &Results) -> Verdict {
    Verdict { sentence: sentence(results), rows: rows(results) }
}

/// What the first pattern is compared with: the pooler if there is one, else what ran last.
pub(crate) fn remedy(results: &Results) -> Option<Pattern> {
    let names = results.names();
    let others = names.get(1..)?;
    others.iter().copied().find(|name| *name == Pattern::Pooled).or(others.last().copied())
}

fn sentence(results: &Results) -> String {
    let Some(first) = results.names().first().copied() else {
        return "No pattern came to its end.".into();
    };
    let tasks = results.typical(first).map_or(0, |round| round.tasks.total);
    let median = |measure: Measure, pattern| {
        measure.value(results, pattern).map_or(0.0, |value| value.median)
    };
    let count = |measure, pattern| Unit::Count.write(median(measure, pattern));
    let Some(remedy) = remedy(results) else {
        return format!(
            "{tasks} tasks opened {} connections, {} of them at once; {} failed.",
            count(OPENED, first),
            count(PEAK, first),
            none_or(&count(FAILED, first)),
        );
    };
    let (without, with) = words(first, remedy);
    let connections =
        format!("{} connections became {}", count(OPENED, first), count(OPENED, remedy));
    let failed = (median(FAILED, first), median(FAILED, remedy));
    if failed != (0.0, 0.0) {
        return format!(
            "The same {tasks} tasks: {} failed {without}, {} {with}; {connections}.",
            none_or(&Unit::Count.write(failed.0)),
            none_or(&Unit::Count.write(failed.1)),
        );
    }
    let connecting = (median(CONNECTING, first), median(CONNECTING, remedy));
    let is_shorter = matches!(CONNECTING.change(results, remedy), Change::Percent(p) if p < 0.0);
    if is_shorter && connecting.0 >= TELLING_S {
        return format!(
            "The same {tasks} tasks: {} of connecting {without}, {} {with}; {connections}.",
            Unit::Seconds.write(connecting.0),
            Unit::Seconds.write(connecting.1),
        );
    }
    format!("The same {tasks} tasks, {without} and {with}: {connections}. None failed.")
}

fn none_or(count: &str) -> &str {
    if count == "0" { "none" } else { count }
}

/// How the first pattern and its remedy differ, in words.
fn words(first: Pattern, remedy: Pattern) -> (&'static str, &'static str) {
    match (first, remedy) {
        (_, Pattern::Pooled) => ("without a pool", "with one"),
        (_, Pattern::Improved) => ("with a driver for each call", "with one for each process"),
        _ => ("as they were", "the other way"),
    }
}

/// The three measures that differ most tellingly; if too few differ, the first ones that are known.
fn rows(results: &Results) -> Vec<Measure> {
    let remedy = remedy(results);
    let differs = |measure: &&Measure| {
        let change = remedy.map(|remedy| measure.change(results, remedy));
        matches!(change, Some(Change::Percent(_)))
    };
    let mut rows: Vec<Measure> = TELLING.iter().filter(differs).copied().collect();
    for measure in TELLING {
        let is_known = results.names().iter().any(|name| measure.value(results, *name).is_some());
        if rows.len() < ROWS && is_known && !rows.contains(&measure) {
            rows.push(measure);
        }
    }
    rows.truncate(ROWS);
    rows.sort_by_key(|row| TELLING.iter().position(|measure| measure == row));
    rows
}

const TELLING: [Measure; 8] = [FAILED, REFUSED, OPENED, CONNECTING, PEAK, RETRIED, LOGIN_CPU, DONE];
const ROWS: usize = 3;
/// Less time than this, over all tasks, convinces nobody.
const TELLING_S: f64 = 5.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::testing::{pattern, results};

    #[test]
    fn failed_tasks_come_first() {
        let mut problematic = pattern(Pattern::Problematic, 380, 66);
        problematic.tasks.failed = 43;
        let of = |patterns| verdict(&results(patterns));
        let verdict = of(vec![
            problematic.clone(),
            pattern(Pattern::Improved, 100, 32),
            pattern(Pattern::Pooled, 4, 4),
        ]);
        assert_eq!(
            verdict.sentence,
            "The same 100 tasks: 43 failed without a pool, none with one; 380 connections became 4."
        );
        assert_eq!(verdict.rows, [FAILED, OPENED, PEAK]);
        assert_eq!(DONE.text(&results(vec![problematic.clone()]), Pattern::Problematic), "never");
        let one = of(vec![problematic]);
        assert_eq!(
            one.sentence,
            "100 tasks opened 380 connections, 66 of them at once; 43 failed."
        );
        assert_eq!(of(Vec::new()).sentence, "No pattern came to its end.");
    }

    #[test]
    fn where_nothing_fails_time_speaks_and_then_connections() {
        let mut problematic = pattern(Pattern::Problematic, 500, 160);
        problematic.connecting.total_s = 52.0;
        let mut pooled = pattern(Pattern::Pooled, 4, 4);
        pooled.connecting.total_s = 1.2;
        let slow = verdict(&results(vec![problematic, pooled.clone()]));
        assert_eq!(
            slow.sentence,
            "The same 100 tasks: 52.0 s of connecting without a pool, 1.20 s with one; 500 connections became 4."
        );
        pooled.connecting.total_s = 0.0;
        let quick = verdict(&results(vec![pattern(Pattern::Problematic, 500, 160), pooled]));
        let sentence = "The same 100 tasks, without a pool and with one: 500 connections became 4. None failed.";
        assert_eq!(quick.sentence, sentence);
        let improved = vec![pattern(Pattern::Problematic, 5, 5), pattern(Pattern::Improved, 1, 1)];
        assert!(verdict(&results(improved)).sentence.contains("with one for each process"));
    }

    #[test]
    fn rounds_are_judged_by_their_median() {
        let failed = [41, 43, 90].map(|failed| {
            let mut round = pattern(Pattern::Problematic, 380, 66);
            round.tasks.failed = failed;
            round
        });
        let pooled = [4, 4, 5].map(|opened| pattern(Pattern::Pooled, opened, 4));
        let rounds: Vec<_> = failed.into_iter().chain(pooled).collect();
        let sentence = verdict(&results(rounds)).sentence;
        assert!(
            sentence.contains(": 43 failed without") && sentence.contains("became 4."),
            "{sentence}"
        );
    }
}
