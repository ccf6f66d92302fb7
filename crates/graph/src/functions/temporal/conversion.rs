//! One temporal type made of another: `date(datetime)`.

use crate::calendar::{DAY, Date, DateTime, LocalDateTime, LocalTime, NANOS, Time, Zone, local_of};
use crate::error::{Error, Result};
use crate::value::Value;

pub(super) fn convert(function: &str, value: &Value) -> Result<Value> {
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
