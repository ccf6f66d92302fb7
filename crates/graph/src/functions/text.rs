//! Strings, and what turns other values into them.

use regex::RegexBuilder;

use super::temporal;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::value::Value;
use crate::value::mismatch;

pub(super) fn call(name: &str, arguments: &[Value]) -> Option<Result<Value>> {
    if !NAMES.contains(&name) {
        return None;
    }
    if arguments.iter().any(Value::is_null) {
        return Some(Ok(Value::Null));
    }
    let text = |f: &dyn Fn(&str) -> String| match &arguments[0] {
        Value::String(string) => Ok(f(string).into()),
        other => Err(mismatch("STRING", other)),
    };
    Some(match (name, arguments) {
        ("tostring", [value]) => to_text(value).map(Into::into),
        ("tostringornull", [value]) => Ok(to_text(value).ok().into()),
        ("toupper" | "upper", [_]) => text(&|s| s.to_uppercase()),
        ("tolower" | "lower", [_]) => text(&|s| s.to_lowercase()),
        ("trim" | "btrim", [_]) => text(&|s| s.trim_matches(is_blank).into()),
        ("ltrim", [_]) => text(&|s| s.trim_start_matches(is_blank).into()),
        ("rtrim", [_]) => text(&|s| s.trim_end_matches(is_blank).into()),
        ("left", [_, Value::Integer(n)]) => {
            length(*n).and_then(|n| text(&|s| s.chars().take(n).collect()))
        }
        ("right", [_, Value::Integer(n)]) => length(*n)
            .and_then(|n| text(&|s| s.chars().skip(s.chars().count().saturating_sub(n)).collect())),
        ("substring", [_, Value::Integer(from)]) => {
            length(*from).and_then(|from| text(&|s| s.chars().skip(from).collect()))
        }
        ("substring", [_, Value::Integer(from), Value::Integer(n)]) => length(*from)
            .and_then(|from| Ok((from, length(*n)?)))
            .and_then(|(from, n)| text(&|s| s.chars().skip(from).take(n).collect())),
        ("replace", [_, Value::String(from), Value::String(to)]) => {
            text(&|s| s.replace(&**from, to))
        }
        ("split", [Value::String(string), Value::String(separator)]) if separator.is_empty() => {
            Ok(Value::list(string.chars().map(|c| c.to_string().into()).collect()))
        }
        ("split", [Value::String(string), Value::String(separator)]) => {
            Ok(super::strings(string.split(&**separator)))
        }
        ("char_length" | "character_length", [Value::String(string)]) => {
            Ok(Value::Integer(string.chars().count() as i64))
        }
        (_, [other, ..]) if !matches!(other, Value::String(_)) => Err(mismatch("STRING", other)),
        _ => Err(Error::Argument(format!("function '{name}' does not take these arguments"))),
    })
}

fn length(n: i64) -> Result<usize> {
    usize::try_from(n)
        .map_err(|_| Error::Argument("a length or an index may not be negative".into()))
}

/// What `toString` gives, and `+` puts behind a string.
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

/// What `+` puts beside a string.
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
const NAMES: [&str; 19] = [
    "tostring",
    "tostringornull",
    "toupper",
    "upper",
    "tolower",
    "lower",
    "trim",
    "btrim",
    "ltrim",
    "rtrim",
    "left",
    "right",
    "substring",
    "replace",
    "split",
    "char_length",
    "character_length",
    "tostringlist",
    "normalize",
];
