//! WITH and RETURN: expressions, grouping, DISTINCT, ORDER BY, SKIP, LIMIT, in this order.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Rows, count_of, distinct, row_size};
use crate::bound::{Aggregate, Filter, Projection};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::functions;
use crate::kinds::{AggregateKind, Binary};
use crate::row::{Row, set};
use crate::value::Value;
use crate::value::mismatch;

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

/// WHERE sees the incoming row with the results behind it.
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

/// The row behind the projection: what stays of the query around it, and the results.
fn outputs(context: &Context, projection: &Projection, row: &mut Row) -> Result<Row> {
    let mut output = context.outer.to_vec();
    output.resize(projection.kept, Value::Null);
    for item in &projection.items {
        output.push(context.eval(item, row)?);
    }
    Ok(output)
}

/// An error among the skipped rows still counts.
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

/// Sorts on first use. With a limit only the best `skip + limit` rows are kept.
fn sorted(
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
            // Sort keys see the incoming variables and, before them, the outgoing ones.
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

fn key_of(values: &[Value]) -> Vec<u8> {
    let mut key = Vec::new();
    values.iter().for_each(|value| value.put_key(&mut key));
    key
}

/// Rows that are made when the first one is asked for.
fn deferred(make: impl FnOnce() -> Result<Rows> + Send + 'static) -> Rows {
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

/// One row for each group: a row of the group with the aggregates behind its variables.
fn group(context: &Context, projection: &Arc<Projection>, input: Rows) -> Rows {
    let (context, projection) = (context.clone(), projection.clone());
    deferred(move || {
        let keys: Vec<_> = projection.keys.iter().map(|place| &projection.items[*place]).collect();
        let mut groups: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut states: Vec<(Row, Vec<State>)> = Vec::new();
        for row in input {
            let mut row = row?;
            context.control.check()?;
            let values: Result<Vec<_>> =
                keys.iter().map(|key| context.eval(key, &mut row)).collect();
            let key = key_of(&values?);
            let index = match groups.get(&key) {
                Some(index) => *index,
                None => {
                    context.control.charge(key.len() + row_size(&row))?;
                    groups.insert(key, states.len());
                    states.push((
                        row.clone(),
                        projection.aggregates.iter().map(|_| State::default()).collect(),
                    ));
                    states.len() - 1
                }
            };
            for (aggregate, state) in projection.aggregates.iter().zip(&mut states[index].1) {
                state.add(&context, aggregate, &mut row)?;
            }
        }
        // Without keys there is one group, even of no rows.
        if states.is_empty() && keys.is_empty() {
            states.push((
                Row::new(),
                projection.aggregates.iter().map(|_| State::default()).collect(),
            ));
        }
        let mut rows = Vec::with_capacity(states.len());
        for (mut row, states) in states {
            row.truncate(projection.width);
            for (index, (aggregate, state)) in projection.aggregates.iter().zip(states).enumerate()
            {
                let value = state.finish(&context, aggregate, &mut row.clone())?;
                set(&mut row, projection.width + index, value);
            }
            rows.push(row);
        }
        Ok(Box::new(rows.into_iter().map(Ok)))
    })
}

/// What an aggregate has seen. Only those that need the values keep them.
#[derive(Debug, Default)]
struct State {
    count: i64,
    mean: f64,
    total: Option<Value>,
    best: Option<Value>,
    values: Vec<Value>,
    seen: HashSet<Vec<u8>>,
}

impl State {
    fn add(&mut self, context: &Context, aggregate: &Aggregate, row: &mut Row) -> Result<()> {
        let Some(argument) = &aggregate.argument else {
            self.count += 1;
            return Ok(());
        };
        let value = context.eval(argument, row)?;
        if value.is_null() {
            return Ok(());
        }
        if aggregate.distinct {
            let key = key_of(std::slice::from_ref(&value));
            context.control.charge(key.len())?;
            if !self.seen.insert(key) {
                return Ok(());
            }
        }
        self.count += 1;
        match aggregate.kind {
            AggregateKind::Count => {}
            AggregateKind::Average => {
                let number =
                    value.as_float().ok_or_else(|| mismatch("INTEGER or FLOAT", &value))?;
                self.mean += (number - self.mean) / self.count as f64;
            }
            AggregateKind::Sum => {
                if !matches!(value, Value::Integer(_) | Value::Float(_) | Value::Duration(_)) {
                    return Err(mismatch("INTEGER, FLOAT or DURATION", &value));
                }
                self.total = Some(match self.total.take() {
                    Some(total) => functions::arithmetic(Binary::Add, total, value)?,
                    None => value,
                });
            }
            AggregateKind::Minimum => self.keep_if(value, Ordering::Less),
            AggregateKind::Maximum => self.keep_if(value, Ordering::Greater),
            _ => {
                context.control.charge(value.size())?;
                self.values.push(value);
            }
        }
        Ok(())
    }

    fn keep_if(&mut self, value: Value, order: Ordering) {
        if self.best.as_ref().is_none_or(|best| value.order(best) == order) {
            self.best = Some(value);
        }
    }

    fn finish(self, context: &Context, aggregate: &Aggregate, row: &mut Row) -> Result<Value> {
        Ok(match aggregate.kind {
            AggregateKind::Count => Value::Integer(self.count),
            AggregateKind::Sum => self.total.unwrap_or(Value::Integer(0)),
            AggregateKind::Average => (self.count > 0).then_some(self.mean).into(),
            AggregateKind::Minimum | AggregateKind::Maximum => self.best.unwrap_or(Value::Null),
            AggregateKind::Collect => Value::list(self.values),
            AggregateKind::Deviation => deviation(&self.values, 1.0)?,
            AggregateKind::DeviationOfPopulation => deviation(&self.values, 0.0)?,
            AggregateKind::PercentileContinuous | AggregateKind::PercentileDiscrete => {
                let fraction =
                    aggregate.fraction.as_ref().map(|f| context.eval(f, row)).transpose()?;
                percentile(self.values, fraction, aggregate.kind)?
            }
        })
    }
}

fn deviation(values: &[Value], correction: f64) -> Result<Value> {
    let numbers: Result<Vec<f64>> = values
        .iter()
        .map(|value| value.as_float().ok_or_else(|| mismatch("INTEGER or FLOAT", value)))
        .collect();
    let numbers = numbers?;
    let count = numbers.len() as f64;
    if count <= correction {
        return Ok(0.0.into());
    }
    let mean = numbers.iter().sum::<f64>() / count;
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    Ok((squares / (count - correction)).sqrt().into())
}

fn percentile(
    mut values: Vec<Value>,
    fraction: Option<Value>,
    kind: AggregateKind,
) -> Result<Value> {
    let fraction = fraction.as_ref().and_then(Value::as_float).filter(|f| (0.0..=1.0).contains(f));
    let fraction = fraction.ok_or_else(|| {
        Error::Argument("a percentile must be a number between 0.0 and 1.0".into())
    })?;
    values.sort_by(Value::order);
    let Some(last) = values.len().checked_sub(1) else { return Ok(Value::Null) };
    if kind == AggregateKind::PercentileDiscrete {
        let index = (fraction * values.len() as f64).ceil() as usize;
        return Ok(values[index.saturating_sub(1).min(last)].clone());
    }
    let place = fraction * last as f64;
    if place.fract() == 0.0 {
        return Ok(values[place as usize].clone());
    }
    let number = |index: usize| {
        values[index].as_float().ok_or_else(|| mismatch("INTEGER or FLOAT", &values[index]))
    };
    let (low, high) = (number(place.floor() as usize)?, number(place.ceil() as usize)?);
    Ok((low + (high - low) * place.fract()).into())
}

/// A sort with a limit is cut back to it no more often than this many rows.
const SORT_BATCH: usize = 1024;
