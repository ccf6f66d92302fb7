//! Numbers on the command line. Whoever writes `5s`, `1k` or `-5` is told what to write instead.

use std::fmt::Display;
use std::str::FromStr;

/// A whole number of things.
///
/// # Errors
/// A sentence that says what to write.
pub fn count<T: FromStr + Display>(text: &str) -> Result<T, String> {
    whole(text, "a whole number", &[("k", 1e3), ("m", 1e6)])
}

/// A whole number of milliseconds.
///
/// # Errors
/// A sentence that says what to write.
pub fn milliseconds<T: FromStr + Display>(text: &str) -> Result<T, String> {
    whole(text, "whole milliseconds", &MILLISECONDS)
}

/// A whole number of seconds.
///
/// # Errors
/// A sentence that says what to write.
pub fn seconds<T: FromStr + Display>(text: &str) -> Result<T, String> {
    whole(text, "whole seconds", &SECONDS)
}

/// Seconds, with a fraction if need be.
///
/// # Errors
/// A sentence that says what to write.
pub fn fractional_seconds(text: &str) -> Result<f64, String> {
    number(text, "seconds, such as 0.5 or 10", &SECONDS)
}

/// Milliseconds, with a fraction if need be.
///
/// # Errors
/// A sentence that says what to write.
pub fn fractional_milliseconds(text: &str) -> Result<f64, String> {
    number(text, "milliseconds, such as 0.5 or 20", &MILLISECONDS)
}

/// So many in a second.
///
/// # Errors
/// A sentence that says what to write.
pub fn rate(text: &str) -> Result<f64, String> {
    number(text, "a number, such as 250", &[("k", 1e3), ("/s", 1.0)])
}

/// # Errors
/// Names the option that is 0, what that would do, and what to give.
pub fn refuse_zero(
    would: &str,
    numbers: impl IntoIterator<Item = (usize, &'static str)>,
) -> Result<(), anyhow::Error> {
    match numbers.into_iter().find(|(value, _)| *value == 0) {
        Some((_, name)) => anyhow::bail!("{name} 0 would {would}; give at least 1"),
        None => Ok(()),
    }
}

type Units<'a> = &'a [(&'a str, f64)];

fn whole<T: FromStr + Display>(text: &str, wanted: &str, units: Units<'_>) -> Result<T, String> {
    text.parse().map_err(|_| {
        let meant = meant(text, units).filter(|meant| meant.fract() == 0.0);
        hint(wanted, meant.and_then(|meant| format!("{meant}").parse::<T>().ok()))
    })
}

fn number(text: &str, wanted: &str, units: Units<'_>) -> Result<f64, String> {
    // What is no number, infinite or negative is for the command to refuse, which knows its limits.
    text.parse().map_err(|_| hint(wanted, meant(text, units)))
}

fn hint<T: Display>(wanted: &str, meant: Option<T>) -> String {
    match meant {
        Some(meant) => format!("write {wanted}; here that is {meant}"),
        None => format!("write {wanted}"),
    }
}

/// The number that somebody means who has written one of these units after it.
fn meant(text: &str, units: Units<'_>) -> Option<f64> {
    let text = text.trim().to_ascii_lowercase().replace('_', "");
    let split = text.find(|letter: char| letter != '.' && !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at(split);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim())?;
    Some(number.parse::<f64>().ok()? * factor)
}

const SECONDS: [(&str, f64); 5] =
    [("s", 1.0), ("sec", 1.0), ("ms", 0.001), ("min", 60.0), ("h", 3600.0)];
const MILLISECONDS: [(&str, f64); 4] = [("ms", 1.0), ("s", 1e3), ("sec", 1e3), ("min", 60e3)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_units_are_turned_into_what_to_write() {
        assert_eq!(count("100"), Ok(100_usize));
        let told = [
            (count::<usize>("-5"), "write a whole number"),
            (count::<usize>("1k"), "write a whole number; here that is 1000"),
            (count::<usize>("1.5"), "write a whole number"),
            (count::<usize>("many"), "write a whole number"),
            (milliseconds::<usize>("5s"), "write whole milliseconds; here that is 5000"),
            (milliseconds::<usize>("200 ms"), "write whole milliseconds; here that is 200"),
            (seconds::<usize>("2min"), "write whole seconds; here that is 120"),
            (seconds::<usize>("10ms"), "write whole seconds"),
            (seconds::<usize>("99999999999999999999"), "write whole seconds"),
        ];
        for (read, wanted) in told {
            assert_eq!(read, Err(wanted.to_owned()));
        }
        assert_eq!(fractional_seconds("0.5"), Ok(0.5));
        let told = fractional_seconds("500ms").unwrap_err();
        assert_eq!(told, "write seconds, such as 0.5 or 10; here that is 0.5");
        assert_eq!(fractional_milliseconds("-1"), Ok(-1.0));
        assert!(rate("2k").unwrap_err().ends_with("that is 2000"));
    }
}
