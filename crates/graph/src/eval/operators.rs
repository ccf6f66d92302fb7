//! Operators whose result null may decide.

use std::cmp::Ordering;

use crate::error::Result;
use crate::kinds::Binary;
use crate::value::{Value, mismatch};

pub(super) fn compare(operator: Binary, left: &Value, right: &Value) -> Value {
    match operator {
        Binary::Equal => left.equals(right).into(),
        Binary::NotEqual => left.equals(right).map(|equal| !equal).into(),
        _ => {
            let order = left.compare(right);
            let is_nan = |value: &Value| value.as_float().is_some_and(f64::is_nan);
            // NaN compares with numbers, and is never less or greater.
            if order.is_none()
                && (is_nan(left) || is_nan(right))
                && left.as_float().and(right.as_float()).is_some()
            {
                return Value::Boolean(false);
            }
            order
                .map(|order| match operator {
                    Binary::Less => order == Ordering::Less,
                    Binary::LessOrEqual => order != Ordering::Greater,
                    Binary::Greater => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                })
                .into()
        }
    }
}

pub(super) fn logic(operator: Binary, left: &Value, right: &Value) -> Result<Value> {
    let truth = |value: &Value| match value {
        Value::Boolean(boolean) => Ok(Some(*boolean)),
        Value::Null => Ok(None),
        other => Err(mismatch("BOOLEAN", other)),
    };
    let (left, right) = (truth(left)?, truth(right)?);
    Ok(match operator {
        Binary::And if left == Some(false) || right == Some(false) => Some(false),
        Binary::Or if left == Some(true) || right == Some(true) => Some(true),
        Binary::And => left.zip(right).map(|_| true),
        Binary::Or => left.zip(right).map(|_| false),
        _ => left.zip(right).map(|(left, right)| left != right),
    }
    .into())
}

pub(super) fn contains(value: &Value, list: &Value) -> Result<Value> {
    let list = match list {
        Value::Null => return Ok(Value::Null),
        Value::List(list) => list,
        other => return Err(mismatch("LIST<ANY>", other)),
    };
    let mut result = Some(false);
    for item in list.iter() {
        match value.equals(item) {
            Some(true) => return Ok(true.into()),
            None => result = None,
            Some(false) => {}
        }
    }
    Ok(result.into())
}

/// Null for operands that aren't strings, as in Neo4j.
pub(super) fn search(operator: Binary, left: &Value, right: &Value) -> Value {
    let (Value::String(text), Value::String(part)) = (left, right) else { return Value::Null };
    match operator {
        Binary::StartsWith => text.starts_with(&**part),
        Binary::EndsWith => text.ends_with(&**part),
        _ => text.contains(&**part),
    }
    .into()
}
