//! Temporal values from maps of their parts.

use jiff::civil;

use super::conversion::convert;
use super::text::parse_zone;
use crate::calendar::{
    DAY, DateTime, Duration, LocalDateTime, MONTH, NANOS, Zone, narrow, out_of_range, parts,
    unknown_zone,
};
use crate::error::{Error, Result};
use crate::value::{Map, Value, map_get};

/// What `date({year: …})` and its kin stand for.
pub(super) fn from_map(function: &str, map: &Map) -> Result<Value> {
    if function == "duration" {
        return duration_from_map(map);
    }
    for (key, _) in map {
        if !MAP_KEYS.contains(&&**key) {
            return Err(Error::Unsupported(format!("`{key}` in {function}({{…}})")));
        }
    }
    check_map_keys(function, map)?;
    let integer = |key, default| match map_get(map, key) {
        None => Ok(default),
        Some(Value::Integer(integer)) => Ok(*integer),
        Some(_) => Err(Error::Argument(format!("{key} must be an integer value"))),
    };
    if let Some(instant) = from_epoch(map)? {
        return convert(function, &Value::DateTime(instant));
    }
    let date = civil::Date::new(
        narrow(integer("year", 1970)?)?,
        narrow(integer("month", 1)?)?,
        narrow(integer("day", 1)?)?,
    )
    .map_err(|_| out_of_range())?;
    let subsecond = integer("millisecond", 0)? * 1_000_000
        + integer("microsecond", 0)? * 1000
        + integer("nanosecond", 0)?;
    let time = civil::Time::new(
        narrow(integer("hour", 0)?)?,
        narrow(integer("minute", 0)?)?,
        narrow(integer("second", 0)?)?,
        narrow(subsecond)?,
    )
    .map_err(|_| out_of_range())?;
    let zone = zone_of(map)?;
    let local = LocalDateTime::from_civil(date.to_datetime(time));
    convert(function, &Value::DateTime(DateTime::from_local(local, zone)?))
}

fn zone_of(map: &Map) -> Result<Zone> {
    match map_get(map, "timezone") {
        None => Ok(Zone::OffsetSeconds(0)),
        Some(Value::String(name)) => parse_zone(name).ok_or_else(|| unknown_zone(name)),
        Some(_) => Err(Error::Argument("timezone must be a string".into())),
    }
}

/// An instant counted from the epoch. Only nanoseconds and a zone may be given with it.
fn from_epoch(map: &Map) -> Result<Option<DateTime>> {
    let (seconds, mut nanos) = match (map_get(map, "epochSeconds"), map_get(map, "epochMillis")) {
        (None, None) => return Ok(None),
        (Some(Value::Integer(seconds)), None) => (*seconds, 0),
        (None, Some(Value::Integer(millis))) => {
            (millis.div_euclid(1000), millis.rem_euclid(1000) * 1_000_000)
        }
        _ => return Err(Error::Argument("an epoch must be one integer".into())),
    };
    for (key, value) in map {
        match (&**key, value) {
            ("epochSeconds" | "epochMillis" | "timezone", _) => {}
            ("nanosecond", Value::Integer(more)) => nanos += more,
            _ => return Err(Error::Unsupported(format!("`{key}` beside an epoch"))),
        }
    }
    let nanos = u32::try_from(nanos)
        .ok()
        .filter(|nanos| i64::from(*nanos) < NANOS)
        .ok_or_else(out_of_range)?;
    let datetime = DateTime { seconds, nanos, zone: zone_of(map)? };
    datetime.to_local()?.to_civil()?;
    Ok(Some(datetime))
}

/// Every part needs the larger one before it, and a type takes only its own parts.
fn check_map_keys(function: &str, map: &Map) -> Result<()> {
    let has = |key: &str| map_get(map, key).is_some();
    let (takes_date, takes_time) = match function {
        "date" => (true, false),
        "time" | "localtime" => (false, true),
        _ => (true, true),
    };
    let takes_zone = matches!(function, "time" | "datetime");
    let is_epoch = (has("epochSeconds") || has("epochMillis"))
        && matches!(function, "datetime" | "localdatetime");
    if is_epoch {
        return Ok(());
    }
    let foreign = |takes: bool, keys: &[&str]| !takes && keys.iter().any(|key| has(key));
    let needs = |part: &str, larger: &str| has(part) && !has(larger);
    let subseconds = ["millisecond", "microsecond", "nanosecond"];
    let is_wrong = foreign(takes_date, &["year", "month", "day"])
        || foreign(takes_time, &["hour", "minute", "second"])
        || foreign(takes_time, &subseconds)
        || foreign(takes_zone, &["timezone"])
        || foreign(false, &["epochSeconds", "epochMillis"])
        || (takes_date && !has("year"))
        || (!takes_date && !has("hour"))
        || needs("day", "month")
        || needs("minute", "hour")
        || needs("second", "minute")
        || subseconds.iter().any(|part| needs(part, "second"));
    if is_wrong {
        Err(Error::Argument(format!("{function}({{…}}) needs its parts from the largest on")))
    } else {
        Ok(())
    }
}

fn duration_from_map(map: &Map) -> Result<Value> {
    if map.is_empty() {
        return Err(Error::Argument("At least one temporal unit must be specified.".into()));
    }
    let mut total = Duration::default();
    for (key, value) in map {
        let amount = value
            .as_float()
            .ok_or_else(|| Error::Argument(format!("{key} must be a number value")))?;
        let part = match &**key {
            "years" => parts(amount, 12 * MONTH),
            "quarters" => parts(amount, 3 * MONTH),
            "months" => parts(amount, MONTH),
            "weeks" => parts(amount, 7 * DAY),
            "days" => parts(amount, DAY),
            "hours" => parts(amount, 3600),
            "minutes" => parts(amount, 60),
            "seconds" => parts(amount, 1),
            "milliseconds" => Duration::new(0, 0, 0, (amount * 1e6) as i64),
            "microseconds" => Duration::new(0, 0, 0, (amount * 1e3) as i64),
            "nanoseconds" => Duration::new(0, 0, 0, amount as i64),
            _ => return Err(Error::Argument(format!("{key} is not a part of a duration"))),
        };
        total = total.plus(part)?;
    }
    Ok(Value::Duration(total))
}

const MAP_KEYS: [&str; 12] = [
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "millisecond",
    "microsecond",
    "nanosecond",
    "timezone",
    "epochSeconds",
    "epochMillis",
];
