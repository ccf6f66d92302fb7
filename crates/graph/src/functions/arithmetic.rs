//! `+ - * / % ^` on numbers, and what `+` and `-` mean for strings, lists and times.

use super::number::float;
use super::temporal;
use super::text::appended;
use crate::error::{Error, Result};
use crate::kinds::Binary;
use crate::value::Value;

/// `+ - * / % ^`, and what `+` means for strings, lists and times.
pub fn arithmetic(operator: Binary, left: Value, right: Value) -> Result<Value> {
    match (operator, left, right) {
        (_, Value::Null, _) | (_, _, Value::Null) => Ok(Value::Null),
        (Binary::Add, Value::List(a), Value::List(b)) => Ok(Value::list([&a[..], &b[..]].concat())),
        (Binary::Add, Value::List(a), b) => Ok(Value::list([&a[..], &[b]].concat())),
        (Binary::Add, a, Value::List(b)) => Ok(Value::list([&[a], &b[..]].concat())),
        (Binary::Add, Value::String(a), b) => Ok(format!("{a}{}", appended(&b)?).into()),
        (Binary::Add, a, Value::String(b)) => Ok(format!("{}{b}", appended(&a)?).into()),
        (Binary::Add, value, Value::Duration(duration))
        | (Binary::Add, Value::Duration(duration), value) => temporal::add(&value, duration),
        (Binary::Subtract, value, Value::Duration(duration)) => {
            temporal::add(&value, duration.negated()?)
        }
        (Binary::Power, a, b) => Ok(float(&a)?.powf(float(&b)?).into()),
        (operator, Value::Integer(a), Value::Integer(b)) => integers(operator, a, b),
        (operator, a, b) => Ok(floats(operator, float(&a)?, float(&b)?).into()),
    }
}

fn integers(operator: Binary, a: i64, b: i64) -> Result<Value> {
    if b == 0 && matches!(operator, Binary::Divide | Binary::Modulo) {
        return Err(Error::Arithmetic("/ by zero".into()));
    }
    let result = match operator {
        Binary::Add => a.checked_add(b),
        Binary::Subtract => a.checked_sub(b),
        Binary::Multiply => a.checked_mul(b),
        Binary::Divide => a.checked_div(b),
        _ => Some(a.wrapping_rem(b)),
    };
    result.map(Value::Integer).ok_or_else(Error::overflow)
}

fn floats(operator: Binary, a: f64, b: f64) -> f64 {
    match operator {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide => a / b,
        _ => a % b,
    }
}
