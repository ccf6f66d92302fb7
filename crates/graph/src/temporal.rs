//! Dates, times and durations. Calendars and time zones are jiff's; the types here have exactly
//! the parts that Bolt sends.

use std::sync::Arc;

use jiff::civil;
use jiff::tz::{Offset, TimeZone};

use crate::error::{Error, Result};
use crate::value::{Map, Value, map_get};

/// Days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(pub i64);

/// Nanoseconds since midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalTime(pub i64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    /// Nanoseconds since midnight on the local clock.
    pub nanos: i64,
    pub offset_seconds: i32,
}

/// Seconds since 1970-01-01T00:00 on the local clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LocalDateTime {
    pub seconds: i64,
    pub nanos: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateTime {
    /// Seconds since the epoch, UTC.
    pub seconds: i64,
    pub nanos: u32,
    pub zone: Zone,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Zone {
    OffsetSeconds(i32),
    Named(Arc<str>),
}

/// `nanos` is in 0..1_000_000_000; a negative duration has negative seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Duration {
    pub months: i64,
    pub days: i64,
    pub seconds: i64,
    pub nanos: i64,
}

impl Time {
    /// Nanoseconds since midnight UTC; two times of one instant are ordered alike.
    pub fn instant(&self) -> i64 {
        self.nanos - i64::from(self.offset_seconds) * NANOS
    }
}

impl DateTime {
    pub fn instant(&self) -> (i64, u32) {
        (self.seconds, self.nanos)
    }

    /// Seconds east of Greenwich at this instant.
    ///
    /// # Errors
    /// The zone's name is unknown.
    pub fn offset_seconds(&self) -> Result<i32> {
        match &self.zone {
            Zone::OffsetSeconds(offset) => Ok(*offset),
            Zone::Named(name) => {
                let zone = TimeZone::get(name).map_err(|_| unknown_zone(name))?;
                let instant =
                    jiff::Timestamp::from_second(self.seconds).map_err(|_| out_of_range())?;
                Ok(zone.to_offset(instant).seconds())
            }
        }
    }

    /// A date and time on the clock of a named zone, as Bolt before 5.0 sends it.
    pub fn from_local(local: LocalDateTime, zone: Zone) -> Result<Self> {
        let offset = match &zone {
            Zone::OffsetSeconds(offset) => *offset,
            Zone::Named(name) => {
                let tz = TimeZone::get(name).map_err(|_| unknown_zone(name))?;
                let zoned = tz
                    .to_ambiguous_zoned(local.to_civil()?)
                    .compatible()
                    .map_err(|_| out_of_range())?;
                zoned.offset().seconds()
            }
        };
        Ok(Self {
            seconds: local.seconds.saturating_sub(i64::from(offset)),
            nanos: local.nanos,
            zone,
        })
    }

    pub fn to_local(&self) -> Result<LocalDateTime> {
        let offset = i64::from(self.offset_seconds()?);
        Ok(LocalDateTime { seconds: self.seconds.saturating_add(offset), nanos: self.nanos })
    }
}

impl LocalDateTime {
    fn to_civil(self) -> Result<civil::DateTime> {
        let date = civil_date(self.seconds.div_euclid(DAY))?;
        let nanos = self.seconds.rem_euclid(DAY) * NANOS + i64::from(self.nanos);
        Ok(date.to_datetime(civil_time(nanos)))
    }

    fn from_civil(datetime: civil::DateTime) -> Self {
        let nanos = nanos_of_day(datetime.time());
        let seconds = days(datetime.date()) * DAY + nanos / NANOS;
        Self { seconds, nanos: (nanos % NANOS) as u32 }
    }
}

impl Duration {
    /// Brings `nanos` into its range.
    pub fn new(months: i64, days: i64, seconds: i64, nanos: i64) -> Self {
        let seconds = seconds.saturating_add(nanos.div_euclid(NANOS));
        Self { months, days, seconds, nanos: nanos.rem_euclid(NANOS) }
    }

    /// An average length, for ordering.
    pub fn average_nanos(&self) -> i128 {
        let days = i128::from(self.months) * 3_044_718_750 / 100_000 + i128::from(self.days);
        (days * i128::from(DAY) + i128::from(self.seconds)) * i128::from(NANOS)
            + i128::from(self.nanos)
    }

    fn zip(self, other: Self, add: impl Fn(i64, i64) -> i64) -> Self {
        Self::new(
            add(self.months, other.months),
            add(self.days, other.days),
            add(self.seconds, other.seconds),
            add(self.nanos, other.nanos),
        )
    }
}

/// The moment at which a statement began; every `datetime()` in it gives the same.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub seconds: i64,
    pub nanos: u32,
}

impl Moment {
    pub fn now() -> Self {
        let now = jiff::Timestamp::now();
        Self { seconds: now.as_second(), nanos: now.subsec_nanosecond().unsigned_abs() }
    }

    pub fn milliseconds(&self) -> i64 {
        self.seconds * 1000 + i64::from(self.nanos / 1_000_000)
    }
}

/// `date(…)`, `time(…)` and their kin. With no argument: now, in UTC.
pub fn construct(function: &str, argument: Option<&Value>, now: Moment) -> Result<Value> {
    let now = DateTime { seconds: now.seconds, nanos: now.nanos, zone: Zone::OffsetSeconds(0) };
    match argument {
        None => convert(function, &Value::DateTime(now)),
        Some(Value::Null) => Ok(Value::Null),
        Some(Value::String(text)) => parse(function, text),
        Some(Value::Map(map)) => from_map(function, map),
        Some(value) => convert(function, value),
    }
}

fn convert(function: &str, value: &Value) -> Result<Value> {
    let not_convertible =
        || Error::Type(format!("Cannot convert {} with {function}()", value.type_name()));
    let (local, offset, zone) = match value {
        Value::DateTime(datetime) => {
            (datetime.to_local()?, Some(datetime.offset_seconds()?), Some(datetime.zone.clone()))
        }
        Value::LocalDateTime(local) => (*local, None, None),
        Value::Date(date) if matches!(function, "date" | "localdatetime" | "datetime") => {
            (LocalDateTime { seconds: date.0 * DAY, nanos: 0 }, None, None)
        }
        Value::Time(time) if matches!(function, "time" | "localtime") => {
            (local_of(time.nanos), Some(time.offset_seconds), None)
        }
        Value::LocalTime(time) if matches!(function, "time" | "localtime") => {
            (local_of(time.0), None, None)
        }
        _ => return Err(not_convertible()),
    };
    let nanos_of_day = local.seconds.rem_euclid(DAY) * NANOS + i64::from(local.nanos);
    Ok(match function {
        "date" => Value::Date(Date(local.seconds.div_euclid(DAY))),
        "localtime" => Value::LocalTime(LocalTime(nanos_of_day)),
        "time" => Value::Time(Time { nanos: nanos_of_day, offset_seconds: offset.unwrap_or(0) }),
        "localdatetime" => Value::LocalDateTime(local),
        "datetime" => Value::DateTime(DateTime::from_local(
            local,
            zone.unwrap_or(Zone::OffsetSeconds(offset.unwrap_or(0))),
        )?),
        _ => return Err(not_convertible()),
    })
}

fn local_of(nanos_of_day: i64) -> LocalDateTime {
    LocalDateTime { seconds: nanos_of_day / NANOS, nanos: (nanos_of_day % NANOS) as u32 }
}

fn parse(function: &str, text: &str) -> Result<Value> {
    let invalid = || Error::Argument(format!("Text cannot be parsed to a {function}: \"{text}\""));
    if function == "duration" {
        return parse_duration(text).map(Value::Duration).ok_or_else(invalid);
    }
    let (local, zone) = split_zone(text);
    let zone = match zone {
        Some(zone) => Some(parse_zone(zone).ok_or_else(invalid)?),
        None => None,
    };
    Ok(match function {
        "date" => Value::Date(Date(days(local.parse().map_err(|_| invalid())?))),
        "localtime" => {
            Value::LocalTime(LocalTime(nanos_of_day(local.parse().map_err(|_| invalid())?)))
        }
        "time" => {
            let offset_seconds = match zone {
                None => 0,
                Some(Zone::OffsetSeconds(offset)) => offset,
                Some(Zone::Named(_)) => return Err(invalid()),
            };
            let time = local.trim_start_matches(['T', 't']).parse().map_err(|_| invalid())?;
            Value::Time(Time { nanos: nanos_of_day(time), offset_seconds })
        }
        "localdatetime" => {
            Value::LocalDateTime(LocalDateTime::from_civil(local.parse().map_err(|_| invalid())?))
        }
        _ => {
            let local = LocalDateTime::from_civil(local.parse().map_err(|_| invalid())?);
            Value::DateTime(DateTime::from_local(local, zone.unwrap_or(Zone::OffsetSeconds(0)))?)
        }
    })
}

/// `…[Europe/Berlin]`, `…+02:00`, `…Z`
fn split_zone(text: &str) -> (&str, Option<&str>) {
    let time_at = text.find(['T', 't']).or_else(|| text.find(':')).unwrap_or(text.len());
    if let Some((local, zone)) = text.split_once('[') {
        let (local, _offset) = split_zone(local);
        return (local, zone.strip_suffix(']'));
    }
    match text[time_at..].find(['Z', 'z', '+', '-']) {
        Some(at) => (&text[..time_at + at], Some(&text[time_at + at..])),
        None => (text, None),
    }
}

fn parse_zone(text: &str) -> Option<Zone> {
    if text.eq_ignore_ascii_case("z") {
        return Some(Zone::OffsetSeconds(0));
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return TimeZone::get(text).ok().map(|_| Zone::Named(text.into())),
    };
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    let part = |range: std::ops::Range<usize>| {
        digits.get(range).map_or(Some(0), |d| d.parse::<i32>().ok())
    };
    let seconds = part(0..2)? * 3600 + part(2..4)? * 60 + part(4..6)?;
    Some(Zone::OffsetSeconds(sign * Offset::from_seconds(seconds).ok()?.seconds()))
}

fn parse_duration(text: &str) -> Option<Duration> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let mut rest = text.strip_prefix('P')?;
    let (mut total, mut in_time) = (Duration::default(), false);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            (rest, in_time) = (time, true);
            continue;
        }
        let end = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let amount: f64 = rest[..end].parse().ok()?;
        let part = match (&rest[end..=end], in_time) {
            ("Y", false) => parts(amount, 12 * MONTH),
            ("M", false) => parts(amount, MONTH),
            ("W", false) => parts(amount, 7 * DAY),
            ("D", false) => parts(amount, DAY),
            ("H", true) => parts(amount, 3600),
            ("M", true) => parts(amount, 60),
            ("S", true) => parts(amount, 1),
            _ => return None,
        };
        total = total.zip(part, |a, b| a + b);
        rest = &rest[end + 1..];
    }
    Some(if negative { total.zip(total, |a, _| -a) } else { total })
}

/// `amount` units of `unit` seconds; whole months and days stay months and days.
fn parts(amount: f64, unit: i64) -> Duration {
    if unit >= MONTH {
        let months = amount * (unit / MONTH) as f64;
        let rest = parts(months.fract() * MONTH as f64 / DAY as f64, DAY);
        return Duration { months: months.trunc() as i64, ..rest };
    }
    if unit >= DAY {
        let days = amount * (unit / DAY) as f64;
        let rest = parts(days.fract() * DAY as f64, 1);
        return Duration { days: days.trunc() as i64, ..rest };
    }
    let seconds = amount * unit as f64;
    Duration::new(0, 0, seconds.trunc() as i64, (seconds.fract() * NANOS as f64).round() as i64)
}

fn from_map(function: &str, map: &Map) -> Result<Value> {
    if function == "duration" {
        return duration_from_map(map);
    }
    for (key, _) in map {
        if !MAP_KEYS.contains(&&**key) {
            return Err(Error::Unsupported(format!("`{key}` in {function}({{…}})")));
        }
    }
    let integer = |key, default| match map_get(map, key) {
        None => Ok(default),
        Some(Value::Integer(integer)) => Ok(*integer),
        Some(_) => Err(Error::Argument(format!("{key} must be an integer value"))),
    };
    if let Some(seconds) = map_get(map, "epochSeconds").or(map_get(map, "epochMillis")) {
        let Value::Integer(amount) = seconds else { return Err(out_of_range()) };
        let millis = map_get(map, "epochMillis").is_some();
        let (seconds, nanos) = if millis {
            (amount.div_euclid(1000), amount.rem_euclid(1000) * 1_000_000)
        } else {
            (*amount, integer("nanosecond", 0)?)
        };
        let nanos = u32::try_from(nanos).map_err(|_| out_of_range())?;
        return convert(
            function,
            &Value::DateTime(DateTime { seconds, nanos, zone: Zone::OffsetSeconds(0) }),
        );
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
    let zone = match map_get(map, "timezone") {
        None => Zone::OffsetSeconds(0),
        Some(Value::String(name)) => parse_zone(name).ok_or_else(|| unknown_zone(name))?,
        Some(_) => return Err(Error::Argument("timezone must be a string".into())),
    };
    let local = LocalDateTime::from_civil(date.to_datetime(time));
    convert(function, &Value::DateTime(DateTime::from_local(local, zone)?))
}

fn duration_from_map(map: &Map) -> Result<Value> {
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
        total = total.zip(part, |a, b| a + b);
    }
    Ok(Value::Duration(total))
}

/// `value + sign × duration`
pub fn add(value: &Value, duration: Duration, sign: i64) -> Result<Value> {
    let d = Duration::default().zip(duration, |_, part| sign * part);
    let shifted = |local: LocalDateTime| -> Result<LocalDateTime> {
        let date = civil_date(local.seconds.div_euclid(DAY))?;
        let span = jiff::Span::new().try_months(d.months).and_then(|span| span.try_days(d.days));
        let date = span.and_then(|span| date.checked_add(span)).map_err(|_| out_of_range())?;
        let nanos = i64::from(local.nanos) + d.nanos;
        let seconds = days(date) * DAY + local.seconds.rem_euclid(DAY) + d.seconds + nanos / NANOS;
        Ok(LocalDateTime { seconds, nanos: (nanos % NANOS) as u32 })
    };
    let time = |nanos: i64| (nanos + (d.seconds % DAY) * NANOS + d.nanos).rem_euclid(DAY * NANOS);
    Ok(match value {
        Value::Date(date) => {
            let moved = shifted(LocalDateTime { seconds: date.0 * DAY, nanos: 0 })?;
            Value::Date(Date(moved.seconds.div_euclid(DAY)))
        }
        Value::LocalDateTime(local) => Value::LocalDateTime(shifted(*local)?),
        Value::DateTime(datetime) => Value::DateTime(DateTime::from_local(
            shifted(datetime.to_local()?)?,
            datetime.zone.clone(),
        )?),
        Value::LocalTime(local) => Value::LocalTime(LocalTime(time(local.0))),
        Value::Time(zoned) => Value::Time(Time { nanos: time(zoned.nanos), ..*zoned }),
        Value::Duration(other) => Value::Duration(other.zip(d, |a, b| a + b)),
        other => {
            return Err(Error::Type(format!("Cannot add a duration to {}", other.type_name())));
        }
    })
}

/// A part such as `.year` or `.epochSeconds`; null for what the type has not.
pub fn component(value: &Value, key: &str) -> Result<Value> {
    if let Value::Duration(d) = value {
        return Ok(duration_component(d, key).map_or(Value::Null, Value::Integer));
    }
    let (local, has_date, has_time) = match value {
        Value::Date(date) => (LocalDateTime { seconds: date.0 * DAY, nanos: 0 }, true, false),
        Value::LocalDateTime(local) => (*local, true, true),
        Value::DateTime(datetime) => (datetime.to_local()?, true, true),
        Value::LocalTime(time) => (local_of(time.0), false, true),
        Value::Time(time) => (local_of(time.nanos), false, true),
        _ => return Ok(Value::Null),
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
    Ok(part.map_or(Value::Null, Value::Integer))
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

/// ISO 8601, as `toString` gives it; `None` for values that are no times.
pub fn format(value: &Value) -> Option<Result<String>> {
    let date = |days: i64| civil_date(days).map(|date| date.to_string());
    let local = |local: LocalDateTime| local.to_civil().map(|civil| civil.to_string());
    Some(match value {
        Value::Date(days) => date(days.0),
        Value::LocalTime(time) => Ok(civil_time(time.0).to_string()),
        Value::Time(time) => {
            Ok(format!("{}{}", civil_time(time.nanos), format_offset(time.offset_seconds)))
        }
        Value::LocalDateTime(datetime) => local(*datetime),
        Value::DateTime(datetime) => (|| {
            let text = local(datetime.to_local()?)? + &format_offset(datetime.offset_seconds()?);
            Ok(match &datetime.zone {
                Zone::Named(name) => format!("{text}[{name}]"),
                Zone::OffsetSeconds(_) => text,
            })
        })(),
        Value::Duration(duration) => Ok(format_duration(duration)),
        _ => return None,
    })
}

fn format_offset(seconds: i32) -> String {
    if seconds == 0 {
        return "Z".into();
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", seconds.abs() / 3600, seconds.abs() / 60 % 60)
}

fn format_duration(d: &Duration) -> String {
    let mut text = String::from("P");
    let mut put = |amount: i64, unit: &str| {
        if amount != 0 {
            text.push_str(&format!("{amount}{unit}"));
        }
    };
    put(d.months / 12, "Y");
    put(d.months % 12, "M");
    put(d.days, "D");
    if d.seconds != 0 || d.nanos != 0 {
        text.push('T');
        let total = i128::from(d.seconds) * i128::from(NANOS) + i128::from(d.nanos);
        let (whole, nanos) =
            ((total / i128::from(NANOS)) as i64, (total % i128::from(NANOS)).abs());
        let mut put = |amount: i64, unit: &str| {
            if amount != 0 {
                text.push_str(&format!("{amount}{unit}"));
            }
        };
        put(whole / 3600, "H");
        put(whole / 60 % 60, "M");
        let seconds = whole % 60;
        if nanos > 0 {
            let sign = if total < 0 && seconds == 0 { "-" } else { "" };
            text.push_str(format!("{sign}{seconds}.{nanos:09}").trim_end_matches('0'));
            text.push('S');
        } else if seconds != 0 {
            text.push_str(&format!("{seconds}S"));
        }
    }
    if text == "P" { "PT0S".into() } else { text }
}

fn civil_date(days: i64) -> Result<civil::Date> {
    let span = jiff::Span::new().try_days(days).map_err(|_| out_of_range())?;
    civil::date(1970, 1, 1).checked_add(span).map_err(|_| out_of_range())
}

fn days(date: civil::Date) -> i64 {
    let midnight = date.to_zoned(TimeZone::UTC).expect("every civil date exists in UTC");
    midnight.timestamp().as_second().div_euclid(DAY)
}

fn civil_time(nanos_of_day: i64) -> civil::Time {
    let (seconds, nanos) = (nanos_of_day / NANOS % DAY, nanos_of_day % NANOS);
    civil::time(
        (seconds / 3600) as i8,
        (seconds / 60 % 60) as i8,
        (seconds % 60) as i8,
        nanos as i32,
    )
}

fn nanos_of_day(time: civil::Time) -> i64 {
    let seconds =
        i64::from(time.hour()) * 3600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    seconds * NANOS + i64::from(time.subsec_nanosecond())
}

fn narrow<T: TryFrom<i64>>(number: i64) -> Result<T> {
    T::try_from(number).map_err(|_| out_of_range())
}

fn out_of_range() -> Error {
    Error::Argument("a date or time is out of range".into())
}

fn unknown_zone(name: &str) -> Error {
    Error::Argument(format!("`{name}` is not a known time zone"))
}

const NANOS: i64 = 1_000_000_000;
const DAY: i64 = 86_400;
/// Neo4j's average month: 30.436875 days.
const MONTH: i64 = 2_629_746;
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

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(format(&add(&date, month, 1).unwrap()).unwrap().unwrap(), "2024-02-29");
    }
}
