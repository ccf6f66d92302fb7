//! Lists, and functions of values of any type.

use crate::context::Context;
use crate::error::{Error, Result};
use crate::value::Value;
use crate::value::mismatch;

pub(super) fn call(context: &Context, name: &str, arguments: &[Value]) -> Option<Result<Value>> {
    Some(match (name, arguments) {
        ("coalesce", values) => {
            Ok(values.iter().find(|value| !value.is_null()).cloned().unwrap_or(Value::Null))
        }
        ("nullif", [a, b]) => Ok(if a.equals(b) == Some(true) { Value::Null } else { a.clone() }),
        ("valuetype", [Value::List(_)]) => Err(Error::Unsupported("valueType() of a list".into())),
        ("valuetype", [value]) => {
            let suffix = if value.is_null() { "" } else { " NOT NULL" };
            Ok(format!("{}{suffix}", value.type_name()).into())
        }
        ("size" | "head" | "last" | "tail" | "reverse" | "isempty", [Value::Null]) => {
            Ok(Value::Null)
        }
        ("size", [Value::String(string)]) => Ok(Value::Integer(string.chars().count() as i64)),
        ("size", [Value::List(list)]) => Ok(Value::Integer(list.len() as i64)),
        ("head", [Value::List(list)]) => Ok(list.first().cloned().unwrap_or(Value::Null)),
        ("last", [Value::List(list)]) => Ok(list.last().cloned().unwrap_or(Value::Null)),
        ("tail", [Value::List(list)]) => {
            Ok(Value::list(list.get(1..).unwrap_or_default().to_vec()))
        }
        ("reverse", [Value::List(list)]) => Ok(Value::list(list.iter().rev().cloned().collect())),
        ("reverse", [Value::String(string)]) => Ok(string.chars().rev().collect::<String>().into()),
        ("isempty", [Value::List(list)]) => Ok(list.is_empty().into()),
        ("isempty", [Value::String(string)]) => Ok(string.is_empty().into()),
        ("isempty", [Value::Map(map)]) => Ok(map.is_empty().into()),
        ("size" | "head" | "last" | "tail" | "reverse" | "isempty", [other]) => {
            Err(mismatch("LIST<ANY>", other))
        }
        ("range", arguments) => whole_range(context, arguments),
        _ => return None,
    })
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
    // More than this nobody counts through: at a billion a second it is 584 years.
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

fn whole_range(context: &Context, arguments: &[Value]) -> Result<Value> {
    let numbers = range(arguments)?;
    context.control.fits(numbers.len().saturating_mul(size_of::<Value>()))?;
    Ok(Value::list(numbers.map(Value::Integer).collect()))
}
