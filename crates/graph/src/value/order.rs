//! Which values are equal, and which comes before which: `=`, `<` and ORDER BY.

use std::cmp::Ordering;

use super::{Map, Point, Value, map_get};

impl Value {
    /// Cypher's `=`. `None`, which is null, when a null inside leaves the answer open.
    pub fn equals(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Null, _) | (_, Self::Null) => None,
            (Self::Integer(_) | Self::Float(_), Self::Integer(_) | Self::Float(_)) => {
                Some(compare_numbers(self, other) == Some(Ordering::Equal))
            }
            (Self::List(a), Self::List(b)) if a.len() == b.len() => {
                all_equal(a.iter().zip(b.iter()).map(|(a, b)| a.equals(b)))
            }
            (Self::Map(a), Self::Map(b)) if a.len() == b.len() => {
                all_equal(a.iter().map(|(key, value)| match map_get(b, key) {
                    Some(other) => value.equals(other),
                    None => Some(false),
                }))
            }
            _ => Some(self == other),
        }
    }

    /// What Cypher's `<` goes by. `None` when the two can't be compared.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Integer(_) | Self::Float(_), Self::Integer(_) | Self::Float(_)) => {
                compare_numbers(self, other)
            }
            (Self::List(a), Self::List(b)) => {
                for (a, b) in a.iter().zip(b.iter()) {
                    match a.compare(b)? {
                        Ordering::Equal => {}
                        decided => return Some(decided),
                    }
                }
                Some(a.len().cmp(&b.len()))
            }
            // These have no order; only equal ones compare.
            (Self::Duration(_) | Self::Point(_), _) => (self == other).then_some(Ordering::Equal),
            _ if self.rank() == other.rank() && !self.is_null() => Some(self.order(other)),
            _ => None,
        }
    }

    /// The order of ORDER BY. It has a place for every value: one type comes after the other, and
    /// null is last.
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Boolean(a), Self::Boolean(b)) => a.cmp(b),
            (Self::String(a), Self::String(b)) => a.cmp(b),
            (Self::Bytes(a), Self::Bytes(b)) => a.cmp(b),
            (Self::Node(a), Self::Node(b)) | (Self::Relationship(a), Self::Relationship(b)) => {
                a.cmp(b)
            }
            (Self::Date(a), Self::Date(b)) => a.cmp(b),
            (Self::LocalTime(a), Self::LocalTime(b)) => a.cmp(b),
            (Self::Time(a), Self::Time(b)) => {
                (a.instant(), a.offset_seconds).cmp(&(b.instant(), b.offset_seconds))
            }
            (Self::LocalDateTime(a), Self::LocalDateTime(b)) => a.cmp(b),
            (Self::DateTime(a), Self::DateTime(b)) => a.order_key().cmp(&b.order_key()),
            (Self::Duration(a), Self::Duration(b)) => a.average_nanos().cmp(&b.average_nanos()),
            (Self::Path(a), Self::Path(b)) => {
                (&a.nodes, &a.relationships).cmp(&(&b.nodes, &b.relationships))
            }
            (Self::Point(a), Self::Point(b)) => order_points(a, b),
            (Self::List(a), Self::List(b)) => {
                order_all(a.iter().zip(b.iter()).map(|(a, b)| a.order(b)))
                    .then(a.len().cmp(&b.len()))
            }
            (Self::Map(a), Self::Map(b)) => order_maps(a, b),
            _ if self.rank() == other.rank() => compare_numbers(self, other).unwrap_or_else(|| {
                let is_nan = |value: &Self| value.as_float().is_some_and(f64::is_nan);
                is_nan(self).cmp(&is_nan(other))
            }),
            _ => self.rank().cmp(&other.rank()),
        }
    }

    /// The place of the value's type in the order of ORDER BY.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Map(_) => 0,
            Self::Node(_) => 1,
            Self::Relationship(_) => 2,
            Self::List(_) => 3,
            Self::Path(_) => 4,
            Self::Point(_) => 5,
            Self::DateTime(_) => 6,
            Self::LocalDateTime(_) => 7,
            Self::Date(_) => 8,
            Self::Time(_) => 9,
            Self::LocalTime(_) => 10,
            Self::Duration(_) => 11,
            Self::String(_) => 12,
            Self::Bytes(_) => 13,
            Self::Boolean(_) => 14,
            Self::Integer(_) | Self::Float(_) => 15,
            Self::Null => 16,
        }
    }
}

fn all_equal(pairs: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut equal = Some(true);
    for pair in pairs {
        match pair {
            Some(false) => return Some(false),
            None => equal = None,
            Some(true) => {}
        }
    }
    equal
}

fn compare_numbers(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => Some(a.cmp(b)),
        (Value::Integer(a), Value::Float(b)) => compare_integer(*a, *b),
        (Value::Float(a), Value::Integer(b)) => compare_integer(*b, *a).map(Ordering::reverse),
        _ => a.as_float()?.partial_cmp(&b.as_float()?),
    }
}

/// Exact, also for integers that no float can hold.
pub(super) fn compare_integer(integer: i64, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    // A float that is larger than every integer becomes the largest one, which compares rightly.
    let whole = float.trunc() as i128;
    let by_whole = i128::from(integer).cmp(&whole);
    Some(by_whole.then_with(|| 0.0_f64.partial_cmp(&float.fract()).unwrap_or(Ordering::Equal)))
}

/// By size, then by the sorted keys, then by the values of these.
fn order_maps(a: &Map, b: &Map) -> Ordering {
    let sorted = |map: &Map| {
        let mut entries = map.clone();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        entries
    };
    let (a, b) = (sorted(a), sorted(b));
    let pairs = || a.iter().zip(&b);
    let by_size = a.len().cmp(&b.len());
    by_size
        .then_with(|| order_all(pairs().map(|(a, b)| a.0.cmp(&b.0))))
        .then_with(|| order_all(pairs().map(|(a, b)| a.1.order(&b.1))))
}

fn order_all(mut orders: impl Iterator<Item = Ordering>) -> Ordering {
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn order_points(a: &Point, b: &Point) -> Ordering {
    let key = |p: &Point| [p.x, p.y, p.z.unwrap_or(0.0)];
    a.srid.cmp(&b.srid).then(order_all(key(a).iter().zip(key(b)).map(|(a, b)| a.total_cmp(&b))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_decides_an_equality_only_when_nothing_else_does() {
        let list = |values: &[Value]| Value::list(values.to_vec());
        assert_eq!(Value::Null.equals(&Value::Null), None);
        assert_eq!(
            list(&[1.into(), Value::Null]).equals(&list(&[2.into(), Value::Null])),
            Some(false)
        );
        assert_eq!(list(&[1.into(), Value::Null]).equals(&list(&[1.into(), Value::Null])), None);
        assert_eq!(Value::Integer(1).equals(&Value::Float(1.0)), Some(true));
        assert_eq!(Value::Float(f64::NAN).equals(&Value::Float(f64::NAN)), Some(false));
    }

    #[test]
    fn order_by_is_total_and_puts_null_last() {
        let mut values =
            [Value::Null, 2.into(), "a".into(), Value::Float(f64::NAN), 1.5.into(), true.into()];
        values.sort_by(Value::order);
        let printed = format!("{values:?}");
        assert_eq!(
            printed,
            r#"[String("a"), Boolean(true), Float(1.5), Integer(2), Float(NaN), Null]"#
        );
    }

    impl From<i32> for Value {
        fn from(integer: i32) -> Self {
            Self::Integer(integer.into())
        }
    }
}
