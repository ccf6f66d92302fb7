//! A temporal value and a duration added up.

use jiff::civil;

use crate::calendar::{
    DAY, Date, DateTime, Duration, LocalDateTime, LocalTime, NANOS, Time, civil_date, days,
    out_of_range,
};
use crate::error::{Error, Result};
use crate::value::Value;

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
