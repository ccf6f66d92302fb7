//! Lists, and functions of values of any type.

use super::function::{Call, Function};
use crate::error::{Error, Result};
use crate::value::{Value, mismatch};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("coalesce", |call| {
        let known = call.arguments.iter().find(|value| !value.is_null());
        Ok(known.cloned().unwrap_or(Value::Null))
    }),
    Function::new("nullif", |call| match call.arguments {
        [a, b] => Ok(if a.equals(b) == Some(true) { Value::Null } else { a.clone() }),
        _ => Err(call.unknown()),
    }),
    Function::new("valuetype", value_type),
    Function::new("size", |call| {
        of_list(call, |value| match value {
            Value::String(string) => Some(Value::Integer(string.chars().count() as i64)),
            Value::List(list) => Some(Value::Integer(list.len() as i64)),
            _ => None,
        })
    }),
    Function::new("head", |call| {
        of_list(call, |value| Some(items(value)?.first().cloned().unwrap_or(Value::Null)))
    }),
    Function::new("last", |call| {
        of_list(call, |value| Some(items(value)?.last().cloned().unwrap_or(Value::Null)))
    }),
    Function::new("tail", |call| {
        of_list(call, |value| {
            Some(Value::list(items(value)?.get(1..).unwrap_or_default().to_vec()))
        })
    }),
    Function::new("reverse", |call| {
        of_list(call, |value| match value {
            Value::List(list) => Some(Value::list(list.iter().rev().cloned().collect())),
            Value::String(string) => Some(string.chars().rev().collect::<String>().into()),
            _ => None,
        })
    }),
    Function::new("isempty", |call| {
        of_list(call, |value| match value {
            Value::List(list) => Some(list.is_empty().into()),
            Value::String(string) => Some(string.is_empty().into()),
            Value::Map(map) => Some(map.is_empty().into()),
            _ => None,
        })
    }),
    Function::new("range", whole_range),
];

/// A function of one list, which is null for null; some of them take strings and maps as well.
fn of_list(call: &Call<'_>, function: fn(&Value) -> Option<Value>) -> Result<Value> {
    match call.arguments {
        [Value::Null] => Ok(Value::Null),
        [value] => function(value).ok_or_else(|| mismatch("LIST<ANY>", value)),
        _ => Err(call.unknown()),
    }
}

fn items(value: &Value) -> Option<&[Value]> {
    match value {
        Value::List(list) => Some(list),
        _ => None,
    }
}

fn value_type(call: &Call<'_>) -> Result<Value> {
    match call.arguments {
        [Value::List(_)] => Err(Error::Unsupported("valueType() of a list".into())),
        [value] => {
            let suffix = if value.is_null() { "" } else { " NOT NULL" };
            Ok(format!("{}{suffix}", value.type_name()).into())
        }
        _ => Err(call.unknown()),
    }
}

fn whole_range(call: &Call<'_>) -> Result<Value> {
    let numbers = range(call.arguments)?;
    call.context.control.fits(numbers.len().saturating_mul(size_of::<Value>()))?;
    Ok(Value::list(numbers.map(Value::Integer).collect()))
}

/// The numbers that `range(start, end, step)` stands for, made one by one.
///
/// # Errors
/// A bound isn't an integer, or the step is 0.
pub fn range(arguments: &[Value]) -> Result<impl ExactSizeIterator<Item = i64> + Send + use<>> {
    let integer = |value: &Value| match value {
        Value::Integer(integer) => Ok(*integer),
        other => Err(mismatch("INTEGER", other)),
    };
    let (start, end, step) = match arguments {
        [start, end] => (integer(start)?, integer(end)?, 1),
        [start, end, step] => (integer(start)?, integer(end)?, integer(step)?),
        _ => return Err(Error::Argument("range() takes two or three arguments".into())),
    };
    if step == 0 {
        return Err(Error::Argument("Step argument to 'range()' cannot be zero".into()));
    }
    let distance = i128::from(end) - i128::from(start);
    let count = if distance.signum() == -i128::from(step.signum()) {
        0
    } else {
        distance / i128::from(step) + 1
    };
    // A larger count makes no difference: at a billion a second this one takes 584 years.
    let count = u64::try_from(count).unwrap_or(u64::MAX) as usize;
    Ok(Range { next: start, step, left: count })
}

struct Range {
    next: i64,
    step: i64,
    left: usize,
}

impl Iterator for Range {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        self.left = self.left.checked_sub(1)?;
        let number = self.next;
        self.next = number.wrapping_add(self.step);
        Some(number)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Range {}
