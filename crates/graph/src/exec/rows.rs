//! Streams of rows, and what the clauses do with them whatever the rows hold.

use std::collections::HashSet;

use crate::context::Context;
use crate::error::Result;
use crate::row::Row;
use crate::value::Value;

pub type Rows = Box<dyn Iterator<Item = Result<Row>> + Send>;

pub(super) fn one(row: Row) -> Rows {
    Box::new(std::iter::once(Ok(row)))
}

/// `rows`, or `otherwise` if there are none.
pub(super) fn or_else(
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

/// Turns each row into rows, lazily; an error ends the stream where it stands.
pub(super) fn flat_map(
    input: Rows,
    mut expand: impl FnMut(Row) -> Result<Rows> + Send + 'static,
) -> Rows {
    Box::new(input.flat_map(move |row| {
        let rows = row.and_then(&mut expand);
        rows.unwrap_or_else(|error| Box::new(std::iter::once(Err(error))))
    }))
}

/// Rows that are made when the first one is asked for.
pub(super) fn deferred(make: impl FnOnce() -> Result<Rows> + Send + 'static) -> Rows {
    let mut make = Some(make);
    let mut rows: Option<Rows> = None;
    Box::new(std::iter::from_fn(move || {
        if let Some(make) = make.take() {
            match make() {
                Ok(made) => rows = Some(made),
                Err(error) => return Some(Err(error)),
            }
        }
        rows.as_mut()?.next()
    }))
}

pub(super) fn union(context: &Context, mut parts: Vec<Rows>, keeps_duplicates: bool) -> Rows {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    let all: Rows = Box::new(parts.into_iter().flatten());
    if keeps_duplicates { all } else { distinct(context.clone(), all) }
}

pub(super) fn distinct(context: Context, input: Rows) -> Rows {
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
pub(super) fn gather(context: &Context, rows: Rows) -> Result<Vec<Row>> {
    let mut gathered = Vec::new();
    for row in rows {
        let row = row?;
        context.control.check()?;
        context.control.charge(row_size(&row))?;
        gathered.push(row);
    }
    Ok(gathered)
}

pub(super) fn row_size(row: &Row) -> usize {
    ROW_BYTES + row.iter().map(Value::size).sum::<usize>()
}

/// Bytes that are equal exactly for values that make one group.
pub(super) fn key_of(values: &[Value]) -> Vec<u8> {
    let mut key = Vec::new();
    values.iter().for_each(|value| value.put_key(&mut key));
    key
}

/// What a row costs in addition to its values.
const ROW_BYTES: usize = 48;
