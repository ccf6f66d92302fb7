//! Dates, times and durations. The calendar and the time zones are those of the crate `jiff`; the
//! types here have exactly the parts that Bolt sends.

use std::sync::Arc;

use jiff::civil;
use jiff::tz::TimeZone;

use crate::error::{Error, Result};

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
    /// Nanoseconds since midnight UTC, the same for all clocks that show this instant.
    pub fn instant(&self) -> i64 {
        self.nanos - i64::from(self.offset_seconds) * NANOS
    }
}

impl DateTime {
    /// What date-times are ordered by: the instant, and for the same instant the offset.
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

    /// A date and time on the clock of a zone, as Bolt before 5.0 sends it. A clock that is put
    /// forward skips some times; such a time is moved on by as much as was skipped. A clock that is
    /// put back shows some times twice; the first one is meant.
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
    pub(crate) fn to_civil(self) -> Result<civil::DateTime> {
        let date = civil_date(self.seconds.div_euclid(DAY))?;
        let nanos = self.seconds.rem_euclid(DAY) * NANOS + i64::from(self.nanos);
        Ok(date.to_datetime(civil_time(nanos)))
    }

    pub(crate) fn from_civil(datetime: civil::DateTime) -> Self {
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
        sum.ok_or_else(Error::overflow)
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
        negated.ok_or_else(Error::overflow)
    }
}

/// The moment at which a statement began. Every `datetime()` in the statement gives this moment.
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

pub(crate) fn local_of(nanos_of_day: i64) -> LocalDateTime {
    LocalDateTime { seconds: nanos_of_day / NANOS, nanos: (nanos_of_day % NANOS) as u32 }
}

/// A duration of `amount` units, each `unit` seconds long. Whole months and days are kept as months
/// and days.
pub(crate) fn parts(amount: f64, unit: i64) -> Duration {
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

pub(crate) fn civil_date(days: i64) -> Result<civil::Date> {
    let span = jiff::Span::new().try_days(days).map_err(|_| out_of_range())?;
    civil::date(1970, 1, 1).checked_add(span).map_err(|_| out_of_range())
}

pub(crate) fn days(date: civil::Date) -> i64 {
    let since = date.since((jiff::Unit::Day, civil::date(1970, 1, 1)));
    i64::from(since.expect("the days between two dates can be counted").get_days())
}

pub(crate) fn civil_time(nanos_of_day: i64) -> civil::Time {
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

pub(crate) fn narrow<T: TryFrom<i64>>(number: i64) -> Result<T> {
    T::try_from(number).map_err(|_| out_of_range())
}

pub(crate) fn out_of_range() -> Error {
    Error::Argument("a date or time is out of range".into())
}

pub(crate) fn unknown_zone(name: &str) -> Error {
    Error::Argument(format!("`{name}` is not a known time zone"))
}

pub(crate) const NANOS: i64 = 1_000_000_000;
pub(crate) const DAY: i64 = 86_400;
/// Neo4j's average month: 30.436875 days.
pub(crate) const MONTH: i64 = 2_629_746;
