//! The report's pictures: the result as bars, and two charts over time, idle connections and connections
//! opened and closed. The reference set-up has the same two. Of several rounds they show the typical one.

use report::{Bar, Bars, Chart, Colour, Group, Limit, Series, Tone};

use crate::measures::{FAILED, Measure};
use crate::results::{PatternResult, Results, Sample};
use crate::settings::Pattern;
use crate::verdict;

/// What came out, at a glance.
pub(super) fn result(results: &Results) -> Bars {
    let verdict = verdict::verdict(results);
    let group = |measure: &Measure| {
        let bar = |pattern: &Pattern| {
            let value = measure.value(results, *pattern)?;
            let is_harm = *measure == FAILED;
            Some(Bar {
                name: pattern.to_string(),
                value: value.median,
                text: measure.unit.write(value.median),
                tone: if is_harm { Tone::Harm } else { Tone::Of(colour(*pattern)) },
            })
        };
        let bars = results.names().iter().filter_map(bar).collect();
        Group { name: measure.name.to_owned(), bars }
    };
    Bars { title: verdict.sentence, groups: verdict.rows.iter().map(group).collect() }
}

pub(super) fn idle(results: &Results) -> Chart {
    let series = typical(results).map(|pattern| Series {
        name: format!("{}: idle", pattern.name),
        colour: colour(pattern.name),
        dashed: false,
        points: points(pattern, |sample| sample.idle),
    });
    Chart {
        title: "Idle connections".into(),
        unit: "connections at the server, over seconds".into(),
        series: series.collect(),
        limits: results.target.limits.connections.map(limit).into_iter().collect(),
        ..Chart::default()
    }
}

pub(super) fn opened_closed(results: &Results) -> Chart {
    let series = typical(results).flat_map(|pattern| {
        let line = |name: &str, dashed, of: fn(&Sample) -> u64| Series {
            name: format!("{}: {name}", pattern.name),
            colour: colour(pattern.name),
            dashed,
            points: points(pattern, of),
        };
        [
            line("opened", false, |sample| sample.opened),
            line("closed", true, |sample| sample.closed),
        ]
    });
    Chart {
        title: "Connections opened and closed".into(),
        unit: "connections since the pattern's start, over seconds".into(),
        series: series.collect(),
        ..Chart::default()
    }
}

/// A line that no number of connections gets past.
fn limit(connections: usize) -> Limit {
    Limit { label: format!("the server's limit: {connections}"), value: connections as f64 }
}

pub(super) fn colour(pattern: Pattern) -> Colour {
    match pattern {
        Pattern::Problematic => Colour::Vermilion,
        Pattern::Improved => Colour::Blue,
        Pattern::Pooled => Colour::Green,
        Pattern::Stress => Colour::Purple,
        Pattern::Hook => Colour::Orange,
    }
}

fn typical(results: &Results) -> impl Iterator<Item = &PatternResult> {
    results.names().into_iter().filter_map(|pattern| results.typical(pattern))
}

/// Counted from the pattern's start, so that patterns lie over each other.
fn points(pattern: &PatternResult, of: fn(&Sample) -> u64) -> Vec<(f64, f64)> {
    let point = |sample: &Sample| {
        let since_ms = sample.at_ms.saturating_sub(pattern.from_ms);
        (since_ms as f64 / 1000.0, of(sample) as f64)
    };
    pattern.samples.iter().map(point).collect()
}
