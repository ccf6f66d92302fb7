//! Temporal values: `date(…)` and its kin, their parts, and sums with durations.

mod component;
mod conversion;
mod fields;
mod sum;
mod text;

use super::function::{Call, Function};
use crate::calendar::{DateTime, Moment, Zone};
use crate::error::{Error, Result};
use crate::value::Value;

pub use component::component;
pub use sum::add;
pub use text::format;

use conversion::convert;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("date", constructor),
    Function::new("time", constructor),
    Function::new("localtime", constructor),
    Function::new("datetime", constructor),
    Function::new("localdatetime", constructor),
    Function::new("duration", |call| match call.arguments {
        [argument] => construct("duration", Some(argument), call.context.now),
        _ => Err(call.unknown()),
    }),
    Function::new("datetime.fromepoch", |call| match call.arguments {
        [seconds @ Value::Integer(_), nanos @ Value::Integer(_)] => {
            from_epoch(call, &[("epochSeconds", seconds), ("nanosecond", nanos)])
        }
        _ => Err(call.unknown()),
    }),
    Function::new("datetime.fromepochmillis", |call| match call.arguments {
        [millis @ Value::Integer(_)] => from_epoch(call, &[("epochMillis", millis)]),
        _ => Err(call.unknown()),
    }),
    Function::new("duration.between", unsupported),
    Function::new("date.truncate", unsupported),
    Function::new("datetime.truncate", unsupported),
];

/// A function that makes a value of the type which it has its name from.
fn constructor(call: &Call<'_>) -> Result<Value> {
    match call.arguments {
        [] | [_] => construct(call.name, call.arguments.first(), call.context.now),
        _ => Err(call.unknown()),
    }
}

fn from_epoch(call: &Call<'_>, parts: &[(&str, &Value)]) -> Result<Value> {
    let map = parts.iter().map(|(key, value)| ((*key).into(), (*value).clone())).collect();
    construct("datetime", Some(&Value::map(map)), call.context.now)
}

fn unsupported(call: &Call<'_>) -> Result<Value> {
    Err(Error::Unsupported(format!("the function {}()", call.name)))
}

/// `date(…)`, `time(…)` and their kin. With no argument: now, in UTC.
pub fn construct(function: &str, argument: Option<&Value>, now: Moment) -> Result<Value> {
    let now = DateTime { seconds: now.seconds, nanos: now.nanos, zone: Zone::OffsetSeconds(0) };
    match argument {
        None => convert(function, &Value::DateTime(now)),
        Some(Value::Null) => Ok(Value::Null),
        Some(Value::String(text)) => text::parse(function, text),
        Some(Value::Map(map)) => fields::from_map(function, map),
        Some(value) => convert(function, value),
    }
}

#[cfg(test)]
mod tests {
    use super::text::parse;
    use super::*;
    use crate::calendar::Duration;

    fn round_trip(function: &str, text: &str) -> String {
        format(&parse(function, text).unwrap()).unwrap().unwrap()
    }

    #[test]
    fn text_forms_come_back() {
        assert_eq!(round_trip("date", "2024-02-29"), "2024-02-29");
        assert_eq!(round_trip("time", "12:30:01.5+02:00"), "12:30:01.5+02:00");
        assert_eq!(round_trip("localdatetime", "1969-12-31T23:59:59.25"), "1969-12-31T23:59:59.25");
        let zoned = "2024-07-01T12:00:00+02:00[Europe/Berlin]";
        assert_eq!(round_trip("datetime", zoned), zoned);
        assert_eq!(round_trip("duration", "P1Y2M3DT4H5M6.7S"), "P1Y2M3DT4H5M6.7S");
        assert!(parse("date", "2024-02-30").is_err());
        assert!(parse("duration", "1Y").is_err());
    }

    #[test]
    fn adding_a_month_keeps_the_calendar() {
        let date = parse("date", "2024-01-31").unwrap();
        let month = Duration::new(1, 0, 0, 0);
        assert_eq!(format(&add(&date, month).unwrap()).unwrap().unwrap(), "2024-02-29");
    }
}
