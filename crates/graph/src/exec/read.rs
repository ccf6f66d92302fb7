//! Clauses that read, as operators on streams of rows. A row is made when it is asked for, and
//! nothing is kept that sorting, grouping or DISTINCT do not need.

use std::sync::Arc;

use super::matching::matches;
use super::project::project;
use super::rows::{Rows, flat_map, one, or_else, union};
use crate::bound::{Call, Clause, Expression, Pattern, Query, Unwound};
use crate::context::Context;
use crate::error::Result;
use crate::functions;
use crate::row::{Row, set};
use crate::value::Value;

/// Runs a query that does not write, from the row that it stands in.
pub fn read(context: &Context, query: &Query, row: Row) -> Result<Rows> {
    let context = &Context { outer: Arc::new(row.clone()), ..context.clone() };
    let parts: Result<Vec<_>> =
        query.parts.iter().map(|part| clauses(context, part, one(row.clone()))).collect();
    Ok(union(context, parts?, query.keeps_duplicates))
}

fn clauses(context: &Context, clauses: &[Clause], input: Rows) -> Result<Rows> {
    clauses.iter().try_fold(input, |rows, clause| apply(context, clause, rows))
}

/// One reading clause over the rows before it.
pub(super) fn apply(context: &Context, clause: &Clause, input: Rows) -> Result<Rows> {
    Ok(match clause {
        Clause::Match { optional, patterns, filter } => {
            match_rows(context, *optional, patterns, filter.as_ref(), input)
        }
        Clause::Unwind { items, slot } => unwind(context, items, *slot, input),
        Clause::Project(projection) => project(context, projection, input)?,
        Clause::Call(call) => call_rows(context, call, input),
        Clause::Subquery { query, optional, width, .. } => {
            let (context, query, width, optional) =
                (context.clone(), query.clone(), *width, *optional);
            flat_map(input, move |row| {
                let inner = read(&context, &query, row.clone())?;
                Ok(beside(row, width, inner, query.returns, optional))
            })
        }
        Clause::Finish => Box::new(input.filter(Result::is_err)),
        Clause::Create(_)
        | Clause::Merge { .. }
        | Clause::Set(_)
        | Clause::Remove(_)
        | Clause::Delete { .. }
        | Clause::Foreach { .. } => unreachable!("a query that writes is run by `Writer`"),
    })
}

/// The row that called a subquery, followed by each row of the subquery's result. A subquery
/// without RETURN leaves the row as it is, once.
pub(super) fn beside(
    mut row: Row,
    width: usize,
    inner: Rows,
    returns: bool,
    optional: bool,
) -> Rows {
    row.resize(width, Value::Null);
    if !returns {
        let failed = inner.filter(Result::is_err);
        return Box::new(failed.chain(std::iter::once(Ok(row))));
    }
    let outer = row.clone();
    let rows = inner.map(move |columns| Ok([outer.clone(), columns?].concat()));
    if optional { Box::new(or_else(rows, row)) } else { Box::new(rows) }
}

fn match_rows(
    context: &Context,
    optional: bool,
    patterns: &Arc<[Pattern]>,
    filter: Option<&Arc<Expression>>,
    input: Rows,
) -> Rows {
    let (context, patterns, filter) = (context.clone(), patterns.clone(), filter.cloned());
    flat_map(input, move |row| {
        let (context, filter) = (context.clone(), filter.clone());
        let found = matches(&context, patterns.clone(), row.clone())?;
        let kept = found.filter_map(move |row| {
            let Some(filter) = &filter else { return Some(row) };
            row.and_then(|mut row| Ok(context.is_true(filter, &mut row)?.then_some(row)))
                .transpose()
        });
        let rows: Rows = if optional { Box::new(or_else(kept, row)) } else { Box::new(kept) };
        Ok(rows)
    })
}

fn unwind(context: &Context, items: &Arc<Unwound>, slot: usize, input: Rows) -> Rows {
    let (context, items) = (context.clone(), items.clone());
    flat_map(input, move |mut row| {
        let items = unwound(&context, &items, &mut row)?;
        let control = context.control.clone();
        let rows: Rows = Box::new(items.map(move |item| {
            control.check()?;
            let mut row = row.clone();
            set(&mut row, slot, item);
            Ok(row)
        }));
        Ok(rows)
    })
}

fn unwound(
    context: &Context,
    items: &Unwound,
    row: &mut Row,
) -> Result<Box<dyn Iterator<Item = Value> + Send>> {
    let list = match items {
        Unwound::Range(arguments) => {
            let arguments: Result<Vec<_>> =
                arguments.iter().map(|item| context.eval(item, row)).collect();
            return Ok(Box::new(functions::range(&arguments?)?.map(Value::Integer)));
        }
        Unwound::List(list) => list,
    };
    Ok(match context.eval(list, row)? {
        Value::Null => Box::new(std::iter::empty()),
        Value::List(list) => Box::new((0..list.len()).map(move |index| list[index].clone())),
        single => Box::new(std::iter::once(single)),
    })
}

fn call_rows(context: &Context, call: &Arc<Call>, input: Rows) -> Rows {
    let (context, call) = (context.clone(), call.clone());
    flat_map(input, move |mut row| {
        let arguments = call.arguments.iter();
        let arguments: Result<Vec<_>> =
            arguments.map(|argument| context.eval(argument, &mut row)).collect();
        let results = context.procedures.call(&call.procedure, &arguments?, &context)?;
        let (context, call) = (context.clone(), call.clone());
        let rows: Rows = Box::new(results.into_iter().filter_map(move |result| {
            let mut row = row.clone();
            for (column, slot) in &call.yields {
                set(&mut row, *slot, result[*column].clone());
            }
            match &call.filter {
                Some(filter) => {
                    context.is_true(filter, &mut row).map(|holds| holds.then_some(row)).transpose()
                }
                None => Some(Ok(row)),
            }
        }));
        Ok(rows)
    })
}
