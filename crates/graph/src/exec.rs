//! Clauses as operators on streams of rows. Reading is lazy: a row is made when it is asked for,
//! and nothing is kept that sorting, grouping or DISTINCT do not need. Writing runs clause by
//! clause, so that no clause sees half of another's work.

mod matching;
mod project;
mod shortest;
mod write;

use std::collections::HashSet;
use std::sync::Arc;

use crate::bound::{Call, Clause, Expression, Pattern, Query, Unwound};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::functions;
use crate::row::{Row, set};
use crate::value::Value;
use crate::value::mismatch;

pub use matching::matches;
pub use shortest::shortest_path;
pub use write::{Counters, Writer};

pub type Rows = Box<dyn Iterator<Item = Result<Row>> + Send>;

/// Runs a query that does not write, from the row that it stands in.
pub fn read(context: &Context, query: &Query, row: Row) -> Result<Rows> {
    let context = &Context { outer: Arc::new(row.clone()), ..context.clone() };
    let parts: Result<Vec<_>> =
        query.parts.iter().map(|part| clauses(context, part, one(row.clone()))).collect();
    Ok(union(context, parts?, query.keeps_duplicates))
}

pub(crate) fn union(context: &Context, mut parts: Vec<Rows>, keeps_duplicates: bool) -> Rows {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let all: Rows = Box::new(parts.into_iter().flatten());
    if keeps_duplicates { all } else { distinct(context.clone(), all) }
}

fn one(row: Row) -> Rows {
    Box::new(std::iter::once(Ok(row)))
}

fn clauses(context: &Context, clauses: &[Clause], input: Rows) -> Result<Rows> {
    clauses.iter().try_fold(input, |rows, clause| apply(context, clause, rows))
}

/// One reading clause over the rows before it.
pub(crate) fn apply(context: &Context, clause: &Clause, input: Rows) -> Result<Rows> {
    Ok(match clause {
        Clause::Match { optional, patterns, filter } => {
            match_rows(context, *optional, patterns, filter.as_ref(), input)
        }
        Clause::Unwind { items, slot } => unwind(context, items, *slot, input),
        Clause::Project(projection) => project::project(context, projection, input)?,
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

/// What a subquery yields, behind the row that called it; a subquery without RETURN leaves the row
/// as it is, once.
pub(crate) fn beside(
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

/// `rows`, or `otherwise` if there are none.
fn or_else(
    mut rows: impl Iterator<Item = Result<Row>> + Send,
    otherwise: Row,
) -> impl Iterator<Item = Result<Row>> + Send {
    let mut otherwise = Some(otherwise);
    std::iter::from_fn(move || {
        let row = rows.next();
        let instead = otherwise.take();
        row.or_else(|| instead.map(Ok))
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

/// Turns each row into rows, lazily; an error ends the stream where it stands.
fn flat_map(input: Rows, mut expand: impl FnMut(Row) -> Result<Rows> + Send + 'static) -> Rows {
    Box::new(input.flat_map(move |row| {
        let rows = row.and_then(&mut expand);
        rows.unwrap_or_else(|error| Box::new(std::iter::once(Err(error))))
    }))
}

pub(crate) fn distinct(context: Context, input: Rows) -> Rows {
    let mut seen = HashSet::new();
    Box::new(input.filter_map(move |row| {
        let row = match row {
            Ok(row) => row,
            Err(error) => return Some(Err(error)),
        };
        let mut key = Vec::new();
        row.iter().for_each(|value| value.put_key(&mut key));
        if let Err(error) = context.control.charge(key.len() + ROW_BYTES) {
            return Some(Err(error));
        }
        seen.insert(key).then_some(Ok(row))
    }))
}

/// Gathers rows that an operator has to keep, and counts their memory.
pub(crate) fn gather(context: &Context, rows: Rows) -> Result<Vec<Row>> {
    let mut gathered = Vec::new();
    for row in rows {
        let row = row?;
        context.control.check()?;
        context.control.charge(row_size(&row))?;
        gathered.push(row);
    }
    Ok(gathered)
}

pub(crate) fn row_size(row: &Row) -> usize {
    ROW_BYTES + row.iter().map(Value::size).sum::<usize>()
}

/// A non-negative number for SKIP and LIMIT.
pub(crate) fn count_of(
    context: &Context,
    expression: Option<&Expression>,
) -> Result<Option<usize>> {
    let Some(expression) = expression else { return Ok(None) };
    match context.eval(expression, &mut Row::new())? {
        Value::Integer(count) => usize::try_from(count).map(Some).map_err(|_| {
            Error::Argument(format!("Invalid input '{count}': SKIP and LIMIT must not be negative"))
        }),
        other => Err(mismatch("INTEGER", &other)),
    }
}

/// What a row costs beside its values.
const ROW_BYTES: usize = 48;
