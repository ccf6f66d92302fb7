//! Functions of numbers, and conversions to them.

use super::function::{Call, Function};
use crate::error::{Error, Result};
use crate::value::{Value, mismatch};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("ceil", |call| of_float(call, f64::ceil)),
    Function::new("floor", |call| of_float(call, f64::floor)),
    Function::new("sqrt", |call| of_float(call, f64::sqrt)),
    Function::new("exp", |call| of_float(call, f64::exp)),
    Function::new("log", |call| of_float(call, f64::ln)),
    Function::new("log10", |call| of_float(call, f64::log10)),
    Function::new("sin", |call| of_float(call, f64::sin)),
    Function::new("cos", |call| of_float(call, f64::cos)),
    Function::new("tan", |call| of_float(call, f64::tan)),
    Function::new("asin", |call| of_float(call, f64::asin)),
    Function::new("acos", |call| of_float(call, f64::acos)),
    Function::new("atan", |call| of_float(call, f64::atan)),
    Function::new("degrees", |call| of_float(call, f64::to_degrees)),
    Function::new("radians", |call| of_float(call, f64::to_radians)),
    Function::new("atan2", |call| match call.arguments {
        [a, b] => Ok(float(a)?.atan2(float(b)?).into()),
        _ => Err(call.unknown()),
    }),
    Function::new("abs", |call| {
        of_value(call, |value| match value {
            Value::Integer(integer) => {
                integer.checked_abs().map(Value::Integer).ok_or_else(Error::overflow)
            }
            value => Ok(float(value)?.abs().into()),
        })
    }),
    Function::new("sign", |call| of_value(call, |value| Ok(sign(float(value)?)))),
    Function::new("round", rounded),
    Function::new("isnan", |call| of_value(call, |value| Ok(float(value)?.is_nan().into()))),
    Function::new("pi", |call| constant(call, std::f64::consts::PI)),
    Function::new("e", |call| constant(call, std::f64::consts::E)),
    Function::new("rand", |call| constant(call, rand::random())),
    Function::new("tointeger", |call| of_value(call, to_integer)),
    Function::new("tofloat", |call| of_value(call, to_float)),
    Function::new("toboolean", |call| of_value(call, to_boolean)),
    Function::new("tointegerornull", |call| of_value(call, |value| or_null(to_integer(value)))),
    Function::new("tofloatornull", |call| of_value(call, |value| or_null(to_float(value)))),
    Function::new("tobooleanornull", |call| of_value(call, |value| or_null(to_boolean(value)))),
];

pub(super) fn float(value: &Value) -> Result<f64> {
    value.as_float().ok_or_else(|| mismatch("INTEGER or FLOAT", value))
}

fn of_float(call: &Call<'_>, function: fn(f64) -> f64) -> Result<Value> {
    match call.arguments {
        [Value::Null] => Ok(Value::Null),
        [value] => Ok(function(float(value)?).into()),
        _ => Err(call.unknown()),
    }
}

/// A function of one argument; null for null, whatever follows it.
fn of_value(call: &Call<'_>, function: fn(&Value) -> Result<Value>) -> Result<Value> {
    match call.arguments {
        [Value::Null, ..] => Ok(Value::Null),
        [value] => function(value),
        _ => Err(call.unknown()),
    }
}

fn constant(call: &Call<'_>, float: f64) -> Result<Value> {
    if call.arguments.is_empty() { Ok(float.into()) } else { Err(call.unknown()) }
}

fn or_null(converted: Result<Value>) -> Result<Value> {
    Ok(converted.unwrap_or(Value::Null))
}

fn sign(float: f64) -> Value {
    Value::Integer(i64::from(float > 0.0) - i64::from(float < 0.0))
}

fn rounded(call: &Call<'_>) -> Result<Value> {
    match call.arguments {
        [Value::Null, ..] => Ok(Value::Null),
        [value] | [value, Value::Integer(0)] => Ok(round(float(value)?).into()),
        [value, Value::Integer(digits)] => {
            let float = float(value)?;
            let digits = usize::try_from(*digits).map_err(|_| {
                Error::Argument("Precision argument to 'round()' cannot be negative".into())
            })?;
            Ok(round_decimal(float, digits).into())
        }
        _ => Err(call.unknown()),
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

/// The same, but the names of infinity and not-a-number and a letter for the type at the end count
/// as well.
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
