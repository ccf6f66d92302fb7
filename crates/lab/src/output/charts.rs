//! The report's two charts: idle connections over time, and connections opened and closed. The reference
//! set-up has the same two.

use report::{Band, Chart, Colour, Series};

use crate::results::{PatternResult, Results, Sample};
use crate::settings::Pattern;

pub(super) fn idle(results: &Results) -> Chart {
    let series = results.patterns.iter().map(|pattern| Series {
        name: format!("{}: idle", pattern.name),
        colour: colour(pattern.name),
        dashed: false,
        points: points(pattern, |sample| sample.idle),
    });
    Chart {
        title: "Idle connections".into(),
        unit: "connections at the server, over seconds".into(),
        series: series.collect(),
        bands: bands(results),
        ..Chart::default()
    }
}

pub(super) fn opened_closed(results: &Results) -> Chart {
    let series = results.patterns.iter().flat_map(|pattern| {
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
        bands: bands(results),
        ..Chart::default()
    }
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

fn points(pattern: &PatternResult, of: fn(&Sample) -> u64) -> Vec<(f64, f64)> {
    pattern.samples.iter().map(|sample| (sample.at_ms as f64 / 1000.0, of(sample) as f64)).collect()
}

fn bands(results: &Results) -> Vec<Band> {
    let band = |pattern: &PatternResult| Band {
        label: pattern.name.to_string(),
        colour: colour(pattern.name),
        from: pattern.from_ms as f64 / 1000.0,
        to: pattern.to_ms as f64 / 1000.0,
    };
    results.patterns.iter().map(band).collect()
}
