//! Arithmetic, numbers and conversions to them.

use super::temporal;
use crate::ast::Binary;
use crate::error::{Error, Result};
use crate::value::Value;
use crate::value::mismatch;

/// `+ - * / % ^`, and what `+` means for strings, lists and times.
pub fn arithmetic(operator: Binary, left: Value, right: Value) -> Result<Value> {
    match (operator, left, right) {
        (_, Value::Null, _) | (_, _, Value::Null) => Ok(Value::Null),
        (Binary::Add, Value::List(a), Value::List(b)) => Ok(Value::list([&a[..], &b[..]].concat())),
        (Binary::Add, Value::List(a), b) => Ok(Value::list([&a[..], &[b]].concat())),
        (Binary::Add, a, Value::List(b)) => Ok(Value::list([&[a], &b[..]].concat())),
        (Binary::Add, Value::String(a), b) => {
            Ok(format!("{a}{}", super::text::appended(&b)?).into())
        }
        (Binary::Add, a, Value::String(b)) => {
            Ok(format!("{}{b}", super::text::appended(&a)?).into())
        }
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

pub fn overflow() -> Error {
    Error::Arithmetic("long overflow".into())
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
    result.map(Value::Integer).ok_or_else(overflow)
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

fn float(value: &Value) -> Result<f64> {
    value.as_float().ok_or_else(|| mismatch("INTEGER or FLOAT", value))
}

pub(super) fn call(name: &str, arguments: &[Value]) -> Option<Result<Value>> {
    if let Some(result) = of_one_float(name, arguments) {
        return Some(result);
    }
    Some(match (name, arguments) {
        (
            "abs" | "sign" | "round" | "tointeger" | "tofloat" | "toboolean" | "tointegerornull"
            | "tofloatornull" | "tobooleanornull" | "isnan",
            [Value::Null, ..],
        ) => Ok(Value::Null),
        ("abs", [Value::Integer(integer)]) => {
            integer.checked_abs().map(Value::Integer).ok_or_else(overflow)
        }
        ("abs", [value]) => float(value).map(|float| float.abs().into()),
        ("sign", [value]) => float(value).map(|float| {
            Value::Integer(if float > 0.0 {
                1
            } else if float < 0.0 {
                -1
            } else {
                0
            })
        }),
        ("round", [value]) | ("round", [value, Value::Integer(0)]) => {
            float(value).map(|float| round(float).into())
        }
        ("round", [value, Value::Integer(digits)]) => float(value).and_then(|float| {
            let digits = usize::try_from(*digits).map_err(|_| {
                Error::Argument("Precision argument to 'round()' cannot be negative".into())
            })?;
            Ok(round_decimal(float, digits).into())
        }),
        ("isnan", [value]) => float(value).map(|float| float.is_nan().into()),
        ("atan2", [a, b]) => float(a).and_then(|a| Ok(a.atan2(float(b)?).into())),
        ("pi", []) => Ok(std::f64::consts::PI.into()),
        ("e", []) => Ok(std::f64::consts::E.into()),
        ("rand", []) => Ok(rand::random::<f64>().into()),
        ("tointeger", [value]) => to_integer(value),
        ("tofloat", [value]) => to_float(value),
        ("toboolean", [value]) => to_boolean(value),
        ("tointegerornull", [value]) => Ok(to_integer(value).unwrap_or(Value::Null)),
        ("tofloatornull", [value]) => Ok(to_float(value).unwrap_or(Value::Null)),
        ("tobooleanornull", [value]) => Ok(to_boolean(value).unwrap_or(Value::Null)),
        _ => return None,
    })
}

fn of_one_float(name: &str, arguments: &[Value]) -> Option<Result<Value>> {
    let function: fn(f64) -> f64 = match name {
        "ceil" => f64::ceil,
        "floor" => f64::floor,
        "sqrt" => f64::sqrt,
        "exp" => f64::exp,
        "log" => f64::ln,
        "log10" => f64::log10,
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "asin" => f64::asin,
        "acos" => f64::acos,
        "atan" => f64::atan,
        "degrees" => f64::to_degrees,
        "radians" => f64::to_radians,
        _ => return None,
    };
    match arguments {
        [Value::Null] => Some(Ok(Value::Null)),
        [value] => Some(float(value).map(|float| function(float).into())),
        _ => None,
    }
}

/// To the nearest whole number; ties go up.
fn round(float: f64) -> f64 {
    let floor = float.floor();
    if float - floor >= 0.5 { floor + 1.0 } else { floor }
}

/// To so many decimals of the shortest decimal form; ties go away from zero.
fn round_decimal(float: f64, digits: usize) -> f64 {
    let text = format!("{}", float.abs());
    let Some((whole, fraction)) =
        text.split_once('.').filter(|(_, fraction)| fraction.len() > digits)
    else {
        return float;
    };
    let rounds_up = fraction.as_bytes()[digits] >= b'5';
    let mut decimals: Vec<u8> = whole.bytes().chain(fraction.bytes().take(digits)).collect();
    let mut carry = rounds_up;
    for digit in decimals.iter_mut().rev() {
        if !carry {
            break;
        }
        carry = *digit == b'9';
        *digit = if carry { b'0' } else { *digit + 1 };
    }
    if carry {
        decimals.insert(0, b'1');
    }
    decimals.insert(decimals.len() - digits, b'.');
    let rounded = String::from_utf8(decimals).ok().and_then(|text| text.parse::<f64>().ok());
    rounded.map_or(float, |rounded| rounded.copysign(float))
}

/// A number as Java reads it, without the names of infinity and not-a-number.
fn parse_float(text: &str) -> Option<f64> {
    let is_number = text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
    if is_number { text.parse().ok() } else { None }
}

/// With the names of infinity and not-a-number, and a letter for the type behind it.
fn parse_java_float(text: &str) -> Option<f64> {
    match text.trim_start_matches(['+', '-']) {
        "Infinity" | "NaN" => text.replace("Infinity", "inf").parse().ok(),
        _ => parse_float(text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text)),
    }
}

fn to_integer(value: &Value) -> Result<Value> {
    match value {
        Value::Integer(_) => Ok(value.clone()),
        Value::Float(float) => Ok(Value::Integer(*float as i64)),
        Value::Boolean(boolean) => Ok(Value::Integer(i64::from(*boolean))),
        Value::String(text) => match (text.parse(), parse_float(text)) {
            (Ok(integer), _) => Ok(Value::Integer(integer)),
            (Err(_), None) => Ok(Value::Null),
            (Err(_), Some(float)) if float.abs() < 9_223_372_036_854_775_808.0 => {
                Ok(Value::Integer(float as i64))
            }
            (Err(_), Some(_)) => Err(Error::Type(format!("integer, {text}, is too large"))),
        },
        other => Err(mismatch("STRING, INTEGER, FLOAT or BOOLEAN", other)),
    }
}

fn to_float(value: &Value) -> Result<Value> {
    match value {
        Value::Integer(integer) => Ok((*integer as f64).into()),
        Value::Float(_) => Ok(value.clone()),
        Value::String(text) => Ok(parse_java_float(text.trim()).into()),
        other => Err(mismatch("STRING, INTEGER or FLOAT", other)),
    }
}

fn to_boolean(value: &Value) -> Result<Value> {
    match value {
        Value::Boolean(_) => Ok(value.clone()),
        Value::Integer(integer) => Ok((*integer != 0).into()),
        Value::String(text) => Ok(match text.trim().to_lowercase().as_str() {
            "true" => true.into(),
            "false" => false.into(),
            _ => Value::Null,
        }),
        other => Err(mismatch("STRING, INTEGER or BOOLEAN", other)),
    }
}
