//! The parts of temporal values: `date.year`.

use super::text::format_offset;
use crate::calendar::{DAY, Duration, LocalDateTime, Zone, local_of};
use crate::error::{Error, Result};
use crate::value::Value;

/// A part such as `.year` or `.epochSeconds`.
///
/// # Errors
/// The type has no such part, or this engine does not compute it.
pub fn component(value: &Value, key: &str) -> Result<Value> {
    let missing = || Error::Unsupported(format!("the component `{key}` of {}", value.type_name()));
    if let Value::Duration(d) = value {
        return duration_component(d, key).map(Value::Integer).ok_or_else(missing);
    }
    let (local, has_date, has_time) = match value {
        Value::Date(date) => (LocalDateTime { seconds: date.0 * DAY, nanos: 0 }, true, false),
        Value::LocalDateTime(local) => (*local, true, true),
        Value::DateTime(datetime) => (datetime.to_local()?, true, true),
        Value::LocalTime(time) => (local_of(time.0), false, true),
        Value::Time(time) => (local_of(time.nanos), false, true),
        _ => return Err(missing()),
    };
    if let (Value::DateTime(datetime), "timezone") = (value, key) {
        return Ok(match &datetime.zone {
            Zone::Named(name) => Value::String(name.clone()),
            Zone::OffsetSeconds(offset) => Value::string(format_offset(*offset)),
        });
    }
    if let (Value::DateTime(datetime), "epochSeconds" | "epochMillis") = (value, key) {
        let millis = datetime.seconds * 1000 + i64::from(datetime.nanos / 1_000_000);
        return Ok(Value::Integer(if key == "epochSeconds" { datetime.seconds } else { millis }));
    }
    let civil = local.to_civil()?;
    let of_date = match key {
        "year" => Some(civil.year().into()),
        "quarter" => Some(i64::from(civil.month() - 1) / 3 + 1),
        "month" => Some(civil.month().into()),
        "day" => Some(civil.day().into()),
        "dayOfWeek" | "weekDay" => Some(civil.weekday().to_monday_one_offset().into()),
        "ordinalDay" => Some(civil.day_of_year().into()),
        "week" => Some(civil.date().iso_week_date().week().into()),
        _ => None,
    };
    let of_time = match key {
        "hour" => Some(civil.hour().into()),
        "minute" => Some(civil.minute().into()),
        "second" => Some(civil.second().into()),
        "millisecond" => Some(i64::from(local.nanos / 1_000_000)),
        "microsecond" => Some(i64::from(local.nanos / 1000)),
        "nanosecond" => Some(i64::from(local.nanos)),
        _ => None,
    };
    let part = of_date.filter(|_| has_date).or(of_time.filter(|_| has_time));
    part.map(Value::Integer).ok_or_else(missing)
}

fn duration_component(d: &Duration, key: &str) -> Option<i64> {
    Some(match key {
        "years" => d.months / 12,
        "months" => d.months,
        "monthsOfYear" => d.months % 12,
        "weeks" => d.days / 7,
        "days" => d.days,
        "hours" => d.seconds / 3600,
        "minutes" => d.seconds / 60,
        "minutesOfHour" => d.seconds / 60 % 60,
        "seconds" => d.seconds,
        "secondsOfMinute" => d.seconds % 60,
        "milliseconds" => d.seconds * 1000 + d.nanos / 1_000_000,
        "nanosecondsOfSecond" => d.nanos,
        _ => return None,
    })
}
