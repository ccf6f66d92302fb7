//! The patterns side by side. The first one is what the others are compared with.

use report::Table;

use crate::measures::{self, Measure};
use crate::results::Results;

/// One row for each measure and one column for each pattern. Each pattern but the first has a second
/// column: the change against the first, in percent. Of several rounds it is the median that is shown,
/// and in brackets what lies between the rounds.
pub fn comparison(results: &Results) -> Table {
    table(results, &measures::all(), Detail::Rounds)
}

/// How much of the rounds is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    Median,
    /// And the lowest and highest round.
    Rounds,
}

/// As [`comparison`], of these measures only. Those that no pattern has are left out.
pub(super) fn table(results: &Results, measures: &[Measure], detail: Detail) -> Table {
    let names = results.names();
    let mut columns = vec![String::new()];
    for (index, pattern) in names.iter().enumerate() {
        columns.push(pattern.to_string());
        if index > 0 {
            columns.push("change".into());
        }
    }
    let is_known =
        |measure: &&Measure| names.iter().any(|name| measure.value(results, *name).is_some());
    let rows = measures.iter().filter(is_known).map(|measure| {
        let mut row = vec![measure.name.to_owned()];
        for (index, pattern) in names.iter().enumerate() {
            let value = measure.value(results, *pattern).filter(|_| detail == Detail::Rounds);
            let spread = value.and_then(|value| value.spread(measure.unit));
            let spread = spread.map_or_else(String::new, |spread| format!(" ({spread})"));
            row.push(format!("{}{spread}", measure.text(results, *pattern)));
            if index > 0 {
                row.push(measure.change(results, *pattern).text());
            }
        }
        row
    });
    Table { rows: rows.collect(), columns }
}
