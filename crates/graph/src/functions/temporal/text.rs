//! Temporal values to and from ISO 8601 text. What is not exactly such a text is refused.

use jiff::civil;
use jiff::tz::TimeZone;

use crate::calendar::{
    DAY, Date, DateTime, Duration, LocalDateTime, LocalTime, MONTH, NANOS, Time, Zone, civil_date,
    civil_time, days, local_of, parts,
};
use crate::error::{Error, Result};
use crate::value::Value;

pub(super) fn parse(function: &str, text: &str) -> Result<Value> {
    let invalid = || Error::Argument(format!("Text cannot be parsed to a {function}: \"{text}\""));
    if function == "duration" {
        return parse_duration(text).map(Value::Duration).ok_or_else(invalid);
    }
    let parts = Parts::of(text).ok_or_else(invalid)?;
    let value = match (function, parts) {
        ("date", Parts { date: Some(date), time: None, zone: None, .. }) => {
            Value::Date(Date(days(date)))
        }
        ("localtime", Parts { date: None, time: Some(nanos), zone: None, .. }) => {
            Value::LocalTime(LocalTime(nanos))
        }
        ("time", Parts { date: None, time: Some(nanos), zone, .. }) => {
            let offset_seconds = match zone {
                None => 0,
                Some(Zone::OffsetSeconds(offset)) => offset,
                Some(Zone::Named(_)) => return Err(invalid()),
            };
            Value::Time(Time { nanos, offset_seconds })
        }
        ("localdatetime", Parts { date: Some(date), time, zone: None, .. }) => {
            Value::LocalDateTime(local(date, time.unwrap_or(0)))
        }
        ("datetime", Parts { date: Some(date), time, zone, offset }) => {
            let local = local(date, time.unwrap_or(0));
            let zone = zone.unwrap_or(Zone::OffsetSeconds(0));
            let Some(offset) = offset else {
                return DateTime::from_local(local, zone).map(Value::DateTime);
            };
            let seconds = local.seconds - i64::from(offset);
            let datetime = DateTime { seconds, nanos: local.nanos, zone };
            if datetime.offset_seconds()? != offset {
                return Err(invalid());
            }
            Value::DateTime(datetime)
        }
        _ => return Err(invalid()),
    };
    Ok(value)
}

fn local(date: civil::Date, nanos_of_day: i64) -> LocalDateTime {
    let time = local_of(nanos_of_day);
    LocalDateTime { seconds: days(date) * DAY + time.seconds, ..time }
}

/// What a text is made of: `2024-07-01`, `T`, `12:30:00.5`, `+02:00`, `[Europe/Berlin]`.
struct Parts {
    date: Option<civil::Date>,
    time: Option<i64>,
    zone: Option<Zone>,
    /// The offset that stands before a named zone.
    offset: Option<i32>,
}

impl Parts {
    fn of(text: &str) -> Option<Self> {
        let (text, name) = match text.split_once('[') {
            Some((text, name)) => (text, Some(name.strip_suffix(']')?)),
            None => (text, None),
        };
        let (date, time) = match text.split_once('T') {
            Some(("", time)) => (None, Some(time)),
            Some((date, time)) => (Some(date), Some(time)),
            None if text.contains(':') || text.len() < 8 => (None, Some(text)),
            None => (Some(text), None),
        };
        let (time, offset) = match time {
            Some(time) => {
                let at = time.find(['Z', '+', '-']).unwrap_or(time.len());
                (
                    Some(parse_time(&time[..at])?),
                    Some(&time[at..]).filter(|offset| !offset.is_empty()),
                )
            }
            None => (None, None),
        };
        let offset = match offset {
            Some(offset) => Some(parse_offset(offset)?),
            None => None,
        };
        let date = match date {
            Some(date) => Some(parse_date(date)?),
            None => None,
        };
        let (zone, offset) = match name {
            Some(name) => (Some(parse_zone(name)?), offset),
            None => (offset.map(Zone::OffsetSeconds), None),
        };
        Some(Self { date, time, zone, offset })
    }
}

/// `2024-02-29` or `20240229`
fn parse_date(text: &str) -> Option<civil::Date> {
    let digits: String = match text.as_bytes() {
        [_, _, _, _, b'-', _, _, b'-', _, _] => text.replace('-', ""),
        [_, _, _, _, _, _, _, _] => text.to_owned(),
        _ => return None,
    };
    civil::Date::new(
        number(digits.get(..4)?)?,
        number(digits.get(4..6)?)?,
        number(digits.get(6..)?)?,
    )
    .ok()
}

/// `12`, `12:30`, `12:30:01`, `12:30:01.5`, in nanoseconds.
fn parse_time(text: &str) -> Option<i64> {
    let (whole, fraction) =
        text.split_once('.').map_or((text, None), |(whole, f)| (whole, Some(f)));
    let parts: Vec<i64> = whole
        .split(':')
        .map(|part| if part.len() == 2 { number(part) } else { None })
        .collect::<Option<_>>()?;
    let nanos = match fraction {
        Some(digits) if parts.len() == 3 && (1..=9).contains(&digits.len()) => {
            number(&format!("{digits:0<9}"))?
        }
        Some(_) => return None,
        None => 0,
    };
    let part =
        |index: usize, end: i64| Some(*parts.get(index).unwrap_or(&0)).filter(|part| *part < end);
    if parts.len() > 3 {
        return None;
    }
    Some((part(0, 24)? * 3600 + part(1, 60)? * 60 + part(2, 60)?) * NANOS + nanos)
}

/// `Z`, `+02`, `+0200`, `+02:00`, in seconds.
fn parse_offset(text: &str) -> Option<i32> {
    let sign = match text.as_bytes() {
        b"Z" => return Some(0),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    let digits = match text.as_bytes() {
        [_, _, _, b':', _, _] => text[1..].replace(':', ""),
        [_, _, _] | [_, _, _, _, _] => text[1..].to_owned(),
        _ => return None,
    };
    let hours: i32 = number(digits.get(..2)?)?;
    let minutes: i32 = digits.get(2..4).map_or(Some(0), number)?;
    let seconds = hours * 3600 + minutes * 60;
    Some(sign * seconds).filter(|_| minutes < 60 && seconds <= 18 * 3600)
}

/// Digits and nothing else.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

pub(super) fn parse_zone(text: &str) -> Option<Zone> {
    match parse_offset(text) {
        Some(offset) => Some(Zone::OffsetSeconds(offset)),
        None => TimeZone::get(text).ok().map(|_| Zone::Named(text.into())),
    }
}

/// `P1Y2M3DT4H5M6.7S`: each part once and in this order.
fn parse_duration(text: &str) -> Option<Duration> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (date, time) =
        text.strip_prefix('P')?.split_once('T').map_or((&text[1..], None), |(d, t)| (d, Some(t)));
    let mut total =
        sum_of_parts(date, &[("Y", 12 * MONTH), ("M", MONTH), ("W", 7 * DAY), ("D", DAY)])?;
    match time {
        Some("") => return None,
        Some(time) => {
            total = total.plus(sum_of_parts(time, &[("H", 3600), ("M", 60), ("S", 1)])?).ok()?;
        }
        None if date.is_empty() => return None,
        None => {}
    }
    if negative { total.negated().ok() } else { Some(total) }
}

fn sum_of_parts(mut text: &str, units: &[(&str, i64)]) -> Option<Duration> {
    let mut total = Duration::default();
    let mut units = units.iter();
    while !text.is_empty() {
        let end = text.find(|c: char| c.is_ascii_alphabetic())?;
        let amount: f64 = text[..end].parse().ok()?;
        let (_, unit) = units.find(|(name, _)| *name == &text[end..=end])?;
        total = total.plus(parts(amount, *unit)).ok()?;
        text = &text[end + 1..];
    }
    Some(total)
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

pub(super) fn format_offset(seconds: i32) -> String {
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
