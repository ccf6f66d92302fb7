//! Grouping: one row for each group, and the aggregates of its rows.

use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::rows::{Rows, deferred, key_of, row_size};
use crate::bound::{Aggregate, Projection};
use crate::context::Context;
use crate::error::{Error, Result};
use crate::functions;
use crate::kinds::{AggregateKind, Binary};
use crate::row::{Row, set};
use crate::value::{Value, mismatch};

/// One row for each group: the variables of one of its rows, followed by the aggregates.
pub(super) fn group(context: &Context, projection: &Arc<Projection>, input: Rows) -> Rows {
    let (context, projection) = (context.clone(), projection.clone());
    deferred(move || {
        let keys: Vec<_> = projection.keys.iter().map(|place| &projection.items[*place]).collect();
        let mut groups: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut states: Vec<(Row, Vec<Accumulator>)> = Vec::new();
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
                        projection.aggregates.iter().map(|_| Accumulator::default()).collect(),
                    ));
                    states.len() - 1
                }
            };
            for (aggregate, state) in projection.aggregates.iter().zip(&mut states[index].1) {
                state.add(&context, aggregate, &mut row)?;
            }
        }
        // Without keys there is always one group, even when there are no rows.
        if states.is_empty() && keys.is_empty() {
            states.push((
                Row::new(),
                projection.aggregates.iter().map(|_| Accumulator::default()).collect(),
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

/// What an aggregate has seen in the rows of one group. The values are kept only by aggregates that
/// need all of them.
#[derive(Debug, Default)]
struct Accumulator {
    count: i64,
    mean: f64,
    total: Option<Value>,
    best: Option<Value>,
    values: Vec<Value>,
    seen: HashSet<Vec<u8>>,
}

impl Accumulator {
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
