//! Dates, times and durations. Calendars and time zones are jiff's; the types here have exactly
//! the parts that Bolt sends.

mod fields;
mod text;

use std::sync::Arc;

use jiff::civil;
use jiff::tz::TimeZone;

use crate::error::{Error, Result};
use crate::value::Value;

pub use text::format;

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
    /// Orders by the instant, and date-times of one instant by their clocks.
    pub fn order_key(&self) -> (i64, u32, i32) {
        (self.seconds, self.nanos, self.offset_seconds().unwrap_or(0))
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

    /// A date and time on the clock of a zone, as Bolt before 5.0 sends it. A time that the clock
    /// skips is as much later; of a time that it shows twice, the first is meant.
    pub fn from_local(local: LocalDateTime, zone: Zone) -> Result<Self> {
        let seconds = match &zone {
            Zone::OffsetSeconds(offset) => local.seconds.saturating_sub(i64::from(*offset)),
            Zone::Named(name) => {
                let tz = TimeZone::get(name).map_err(|_| unknown_zone(name))?;
                let zoned = tz
                    .to_ambiguous_zoned(local.to_civil()?)
                    .compatible()
                    .map_err(|_| out_of_range())?;
                zoned
                    .timestamp()
                    .as_second()
                    .saturating_sub(i64::from(zoned.timestamp().subsec_nanosecond() < 0))
            }
        };
        Ok(Self { seconds, nanos: local.nanos, zone })
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
        let seconds = i128::from(self.months) * i128::from(MONTH)
            + i128::from(self.days) * i128::from(DAY)
            + i128::from(self.seconds);
        seconds * i128::from(NANOS) + i128::from(self.nanos)
    }

    /// # Errors
    /// A part does not fit 64 bits.
    pub fn plus(self, other: Self) -> Result<Self> {
        let sum = (|| {
            let nanos = self.nanos + other.nanos;
            Some(Self {
                months: self.months.checked_add(other.months)?,
                days: self.days.checked_add(other.days)?,
                seconds: self.seconds.checked_add(other.seconds)?.checked_add(nanos / NANOS)?,
                nanos: nanos % NANOS,
            })
        })();
        sum.ok_or_else(|| Error::Arithmetic("long overflow".into()))
    }

    pub fn negated(self) -> Result<Self> {
        let negated = (|| {
            let carry = i64::from(self.nanos > 0);
            Some(Self {
                months: self.months.checked_neg()?,
                days: self.days.checked_neg()?,
                seconds: self.seconds.checked_neg()?.checked_sub(carry)?,
                nanos: (NANOS - self.nanos) % NANOS,
            })
        })();
        negated.ok_or_else(|| Error::Arithmetic("long overflow".into()))
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
        Some(Value::String(text)) => text::parse(function, text),
        Some(Value::Map(map)) => fields::from_map(function, map),
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
        Value::Date(date) if function == "date" => {
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

/// `value + duration`: months, then days, then the exact time.
pub fn add(value: &Value, d: Duration) -> Result<Value> {
    let time = |nanos: i64| (nanos + (d.seconds % DAY) * NANOS + d.nanos).rem_euclid(DAY * NANOS);
    Ok(match value {
        // Less than a day moves no date, whichever way.
        Value::Date(date) => Value::Date(Date(days(shifted(
            date.0,
            d.months,
            d.days.saturating_add(d.seconds / DAY),
        )?))),
        Value::LocalDateTime(local) => Value::LocalDateTime(exact(moved(*local, d)?, d)?),
        Value::DateTime(datetime) => {
            // Months and days are the calendar's; hours are counted on the instant, across changes
            // of the clock.
            let at = DateTime::from_local(moved(datetime.to_local()?, d)?, datetime.zone.clone())?;
            let instant = exact(LocalDateTime { seconds: at.seconds, nanos: at.nanos }, d)?;
            Value::DateTime(DateTime {
                seconds: instant.seconds,
                nanos: instant.nanos,
                zone: at.zone,
            })
        }
        Value::LocalTime(local) => Value::LocalTime(LocalTime(time(local.0))),
        Value::Time(zoned) => Value::Time(Time { nanos: time(zoned.nanos), ..*zoned }),
        Value::Duration(other) => Value::Duration(other.plus(d)?),
        other => {
            return Err(Error::Type(format!("Cannot add a duration to {}", other.type_name())));
        }
    })
}

/// A date so many months and then days later; of a day that the month lacks, its last one.
fn shifted(from_days: i64, months: i64, more_days: i64) -> Result<civil::Date> {
    let later = (|| {
        let month = civil_date(from_days)
            .ok()?
            .checked_add(jiff::Span::new().try_months(months).ok()?)
            .ok()?;
        month.checked_add(jiff::Span::new().try_days(more_days).ok()?).ok()
    })();
    later.ok_or_else(out_of_range)
}

fn moved(at: LocalDateTime, d: Duration) -> Result<LocalDateTime> {
    let date = shifted(at.seconds.div_euclid(DAY), d.months, d.days)?;
    Ok(LocalDateTime { seconds: days(date) * DAY + at.seconds.rem_euclid(DAY), ..at })
}

fn exact(at: LocalDateTime, d: Duration) -> Result<LocalDateTime> {
    let nanos = i64::from(at.nanos) + d.nanos;
    let seconds = at
        .seconds
        .checked_add(d.seconds)
        .and_then(|s| s.checked_add(nanos / NANOS))
        .ok_or_else(out_of_range)?;
    let moved = LocalDateTime { seconds, nanos: (nanos % NANOS) as u32 };
    moved.to_civil()?;
    Ok(moved)
}

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
            Zone::OffsetSeconds(offset) => Value::string(text::format_offset(*offset)),
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

fn civil_date(days: i64) -> Result<civil::Date> {
    let span = jiff::Span::new().try_days(days).map_err(|_| out_of_range())?;
    civil::date(1970, 1, 1).checked_add(span).map_err(|_| out_of_range())
}

fn days(date: civil::Date) -> i64 {
    let since = date.since((jiff::Unit::Day, civil::date(1970, 1, 1)));
    i64::from(since.expect("the days between two dates can be counted").get_days())
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

#[cfg(test)]
mod tests {
    use super::text::parse;
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
        assert_eq!(format(&add(&date, month).unwrap()).unwrap().unwrap(), "2024-02-29");
    }
}
