//! The results of a projection, in order.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use super::output::outputs;
use super::rows::{Rows, deferred, key_of, row_size};
use crate::bound::Projection;
use crate::context::Context;
use crate::error::Result;
use crate::row::Row;
use crate::value::Value;

/// Sorts on first use. With a limit only the best `skip + limit` rows are kept.
pub(super) fn sorted(
    context: &Context,
    projection: &Arc<Projection>,
    input: Rows,
    skip: usize,
    limit: Option<usize>,
) -> Rows {
    let (context, projection) = (context.clone(), projection.clone());
    let keep = limit.map(|limit| limit.saturating_add(skip));
    deferred(move || {
        let mut entries: Vec<(Vec<Value>, Row)> = Vec::new();
        let mut seen = HashSet::new();
        for row in input {
            let mut row = row?;
            context.control.check()?;
            let output = outputs(&context, &projection, &mut row)?;
            if projection.distinct && !seen.insert(key_of(&output)) {
                continue;
            }
            // A sort key sees the incoming variables, the aggregates and the results.
            row.resize(projection.width + projection.aggregates.len(), Value::Null);
            row.extend(output[projection.kept..].iter().cloned());
            let keys: Result<Vec<_>> = projection
                .order
                .iter()
                .map(|key| context.eval(&key.expression, &mut row))
                .collect();
            entries.push((keys?, output));
            match keep {
                Some(keep) if entries.len() >= keep.saturating_mul(2).max(SORT_BATCH) => {
                    sort(&projection, &mut entries);
                    entries.truncate(keep);
                }
                Some(_) => {}
                None => context.control.charge(
                    entries.last().map_or(0, |(keys, row)| row_size(keys) + row_size(row)),
                )?,
            }
        }
        sort(&projection, &mut entries);
        Ok(Box::new(entries.into_iter().map(|(_, row)| Ok(row))))
    })
}

fn sort(projection: &Projection, entries: &mut [(Vec<Value>, Row)]) {
    entries.sort_by(|(a, _), (b, _)| {
        let orders = a
            .iter()
            .zip(b)
            .zip(&projection.order)
            .map(|((a, b), key)| if key.descending { b.order(a) } else { a.order(b) });
        orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    });
}

/// A sort with a limit is cut back to it no more often than this many rows.
const SORT_BATCH: usize = 1024;
