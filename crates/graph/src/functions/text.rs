//! Strings, and what turns other values into them.

use std::sync::Arc;

use regex::RegexBuilder;

use super::function::{Call, Function};
use super::temporal;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::value::{Value, mismatch};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("tostring", |call| of_value(call, |value| Ok(to_text(value)?.into()))),
    Function::new("tostringornull", |call| of_value(call, |value| Ok(to_text(value).ok().into()))),
    Function::new("toupper", |call| of_string(call, str::to_uppercase)),
    Function::new("upper", |call| of_string(call, str::to_uppercase)),
    Function::new("tolower", |call| of_string(call, str::to_lowercase)),
    Function::new("lower", |call| of_string(call, str::to_lowercase)),
    Function::new("trim", |call| of_string(call, |s| s.trim_matches(is_blank).into())),
    Function::new("btrim", |call| of_string(call, |s| s.trim_matches(is_blank).into())),
    Function::new("ltrim", |call| of_string(call, |s| s.trim_start_matches(is_blank).into())),
    Function::new("rtrim", |call| of_string(call, |s| s.trim_end_matches(is_blank).into())),
    Function::new("left", |call| unless_null(call, left)),
    Function::new("right", |call| unless_null(call, right)),
    Function::new("substring", |call| unless_null(call, substring)),
    Function::new("replace", |call| unless_null(call, replace)),
    Function::new("split", |call| unless_null(call, split)),
    Function::new("char_length", |call| unless_null(call, char_length)),
    Function::new("character_length", |call| unless_null(call, char_length)),
    // Neo4j has these two. Here they are known, and refused with any argument but null.
    Function::new("tostringlist", |call| unless_null(call, |_| None)),
    Function::new("normalize", |call| unless_null(call, |_| None)),
];

/// Null if an argument is null; else what `function` gives, which is `None` for arguments that it
/// does not take.
fn unless_null(
    call: &Call<'_>,
    function: impl FnOnce(&[Value]) -> Option<Result<Value>>,
) -> Result<Value> {
    if call.arguments.iter().any(Value::is_null) {
        return Ok(Value::Null);
    }
    function(call.arguments).unwrap_or_else(|| match call.arguments {
        [other, ..] if !matches!(other, Value::String(_)) => Err(mismatch("STRING", other)),
        _ => {
            Err(Error::Argument(format!("function '{}' does not take these arguments", call.name)))
        }
    })
}

fn of_value(call: &Call<'_>, function: fn(&Value) -> Result<Value>) -> Result<Value> {
    unless_null(call, |arguments| match arguments {
        [value] => Some(function(value)),
        _ => None,
    })
}

fn of_string(call: &Call<'_>, function: fn(&str) -> String) -> Result<Value> {
    unless_null(call, |arguments| match arguments {
        [value] => Some(string(value).map(|s| function(s).into())),
        _ => None,
    })
}

fn string(value: &Value) -> Result<&str> {
    match value {
        Value::String(string) => Ok(string),
        other => Err(mismatch("STRING", other)),
    }
}

fn left(arguments: &[Value]) -> Option<Result<Value>> {
    let [text, Value::Integer(n)] = arguments else { return None };
    Some(length(*n).and_then(|n| Ok(part(string(text)?, 0, n))))
}

fn right(arguments: &[Value]) -> Option<Result<Value>> {
    let [text, Value::Integer(n)] = arguments else { return None };
    Some(length(*n).and_then(|n| {
        let text = string(text)?;
        Ok(part(text, text.chars().count().saturating_sub(n), n))
    }))
}

fn substring(arguments: &[Value]) -> Option<Result<Value>> {
    let (text, from, n) = match arguments {
        [text, Value::Integer(from)] => (text, *from, None),
        [text, Value::Integer(from), Value::Integer(n)] => (text, *from, Some(*n)),
        _ => return None,
    };
    Some(length(from).and_then(|from| {
        let n = n.map_or(Ok(usize::MAX), length)?;
        Ok(part(string(text)?, from, n))
    }))
}

/// `n` characters from the place `from` on, or what there is of them.
fn part(text: &str, from: usize, n: usize) -> Value {
    text.chars().skip(from).take(n).collect::<String>().into()
}

fn replace(arguments: &[Value]) -> Option<Result<Value>> {
    let [text, Value::String(from), Value::String(to)] = arguments else { return None };
    Some(string(text).map(|text| text.replace(&**from, to).into()))
}

fn split(arguments: &[Value]) -> Option<Result<Value>> {
    let [Value::String(text), Value::String(separator)] = arguments else { return None };
    let parts: Vec<Value> = if separator.is_empty() {
        text.chars().map(|c| c.to_string().into()).collect()
    } else {
        text.split(&**separator).map(|part| Value::String(Arc::from(part))).collect()
    };
    Some(Ok(Value::list(parts)))
}

fn char_length(arguments: &[Value]) -> Option<Result<Value>> {
    let [Value::String(text)] = arguments else { return None };
    Some(Ok(Value::Integer(text.chars().count() as i64)))
}

fn length(n: i64) -> Result<usize> {
    usize::try_from(n)
        .map_err(|_| Error::Argument("a length or an index may not be negative".into()))
}

/// What `toString` gives.
fn to_text(value: &Value) -> Result<String> {
    if let Some(text) = temporal::format(value) {
        return text;
    }
    Ok(match value {
        Value::String(string) => string.to_string(),
        Value::Integer(integer) => integer.to_string(),
        Value::Float(float) => format_float(*float),
        Value::Boolean(boolean) => boolean.to_string(),
        other => {
            return Err(mismatch("BOOLEAN, STRING, INTEGER, FLOAT or a temporal value", other));
        }
    })
}

/// What `+` appends to a string, or puts before it.
pub(super) fn appended(value: &Value) -> Result<String> {
    match value {
        Value::String(_) | Value::Integer(_) | Value::Float(_) => to_text(value),
        other => Err(mismatch("STRING, INTEGER or FLOAT", other)),
    }
}

/// White space as Java has it: spaces that don't break a line are none.
fn is_blank(c: char) -> bool {
    c.is_whitespace() && !matches!(c, '\u{A0}' | '\u{2007}' | '\u{202F}')
}

/// As Java prints a double: never without a fraction or an exponent.
fn format_float(float: f64) -> String {
    match float {
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        float if float != 0.0 && !(1e-3..1e7).contains(&float.abs()) && float.is_finite() => {
            let text = format!("{float:E}");
            let (mantissa, exponent) = text.split_once('E').unwrap_or((&text, "0"));
            if mantissa.contains('.') { text } else { format!("{mantissa}.0E{exponent}") }
        }
        float => format!("{float:?}"),
    }
}

/// `=~`, which has to match the whole string.
pub fn matches_regex(context: &Context, text: &Value, pattern: &Value) -> Result<Value> {
    let (Value::String(text), Value::String(pattern)) = (text, pattern) else {
        return Ok(Value::Null);
    };
    context.control.fits(pattern.len())?;
    let regex = RegexBuilder::new(&format!("^(?:{})$", with_ascii_classes(pattern)))
        .size_limit(REGEX_BYTES_MAX)
        .build();
    let regex = regex.map_err(|_| Error::Argument("Invalid regular expression".into()))?;
    Ok(regex.is_match(text).into())
}

/// `\w`, `\d` and `\s` are of ASCII in Java, unless a flag says otherwise.
fn with_ascii_classes(pattern: &str) -> String {
    let mut rewritten = String::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            rewritten.push(c);
            continue;
        }
        match characters.next() {
            Some('w') => rewritten.push_str("[A-Za-z0-9_]"),
            Some('W') => rewritten.push_str("[^A-Za-z0-9_]"),
            Some('d') => rewritten.push_str("[0-9]"),
            Some('D') => rewritten.push_str("[^0-9]"),
            Some('s') => rewritten.push_str("[ \\t\\n\\x0B\\f\\r]"),
            Some('S') => rewritten.push_str("[^ \\t\\n\\x0B\\f\\r]"),
            Some(other) => rewritten.extend(['\\', other]),
            None => rewritten.push(c),
        }
    }
    rewritten
}

/// A compiled pattern may take this much; the engine runs in linear time.
const REGEX_BYTES_MAX: usize = 1 << 20;
