//! WITH and RETURN: expressions, grouping, DISTINCT, ORDER BY, SKIP, LIMIT, in this order.

use std::sync::Arc;

use super::group::group;
use super::output::outputs;
use super::rows::{Rows, distinct};
use super::sort::sorted;
use crate::bound::{Expression, Filter, Projection};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::row::Row;
use crate::value::{Value, mismatch};

pub fn project(context: &Context, projection: &Arc<Projection>, input: Rows) -> Result<Rows> {
    let projection = projection.clone();
    let (skip, limit) = (
        count_of(context, projection.skip.as_ref())?,
        count_of(context, projection.limit.as_ref())?,
    );
    let input =
        if projection.aggregates.is_empty() { input } else { group(context, &projection, input) };
    if let Some(Filter::WithInput(_)) = &projection.filter {
        return Ok(filtered_with_input(context, projection, input));
    }
    let mut rows: Rows = if projection.order.is_empty() {
        let (context, items) = (context.clone(), projection.clone());
        Box::new(input.map(move |row| outputs(&context, &items, &mut row?)))
    } else {
        sorted(context, &projection, input, skip.unwrap_or(0), limit)
    };
    if projection.distinct && projection.order.is_empty() {
        rows = distinct(context.clone(), rows);
    }
    if let Some(skip) = skip.filter(|skip| *skip > 0) {
        rows = Box::new(skipped(rows, skip));
    }
    if let Some(limit) = limit {
        rows = Box::new(rows.take(limit));
    }
    if projection.filter.is_some() {
        let context = context.clone();
        rows = Box::new(rows.filter_map(move |row| {
            let Some(Filter::OfOutput(filter)) = &projection.filter else { return Some(row) };
            row.and_then(|mut row| Ok(context.is_true(filter, &mut row)?.then_some(row)))
                .transpose()
        }));
    }
    Ok(rows)
}

/// The results that WHERE lets pass, when it sees the incoming row followed by the results.
fn filtered_with_input(context: &Context, projection: Arc<Projection>, input: Rows) -> Rows {
    let context = context.clone();
    Box::new(input.filter_map(move |row| {
        let filtered = row.and_then(|mut row| {
            let output = outputs(&context, &projection, &mut row)?;
            row.resize(projection.width, Value::Null);
            row.extend(output[projection.kept..].iter().cloned());
            let Some(Filter::WithInput(filter)) = &projection.filter else {
                return Ok(Some(output));
            };
            Ok(context.is_true(filter, &mut row)?.then_some(output))
        });
        filtered.transpose()
    }))
}

/// The rows after the first `skip`. An error among the skipped rows is still an error.
fn skipped(mut rows: Rows, skip: usize) -> impl Iterator<Item = Result<Row>> + Send {
    let mut left = skip;
    std::iter::from_fn(move || {
        while left > 0 {
            left -= 1;
            if let Err(error) = rows.next()? {
                return Some(Err(error));
            }
        }
        rows.next()
    })
}

/// A non-negative number for SKIP and LIMIT.
fn count_of(context: &Context, expression: Option<&Expression>) -> Result<Option<usize>> {
    let Some(expression) = expression else { return Ok(None) };
    match context.eval(expression, &mut Row::new())? {
        Value::Integer(count) => usize::try_from(count).map(Some).map_err(|_| {
            Error::Argument(format!("Invalid input '{count}': SKIP and LIMIT must not be negative"))
        }),
        other => Err(mismatch("INTEGER", &other)),
    }
}
