//! The values of Cypher: equality with null, ordering, and grouping. Nodes and relationships are
//! ids here; what they hold is in the graph.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::temporal::{Date, DateTime, Duration, LocalDateTime, LocalTime, Time};

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    String(Arc<str>),
    Bytes(Arc<[u8]>),
    List(Arc<Vec<Value>>),
    Map(Arc<Map>),
    Node(u64),
    Relationship(u64),
    Path(Arc<Path>),
    Date(Date),
    LocalTime(LocalTime),
    Time(Time),
    LocalDateTime(LocalDateTime),
    DateTime(DateTime),
    Duration(Duration),
    Point(Point),
}

/// Entries in the order in which they were written; maps are small.
pub type Map = Vec<(Arc<str>, Value)>;

/// `nodes` has one element more than `relationships`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    pub nodes: Vec<u64>,
    pub relationships: Vec<u64>,
}

/// A point of two or three dimensions in the coordinate system `srid`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub srid: i64,
    pub x: f64,
    pub y: f64,
    pub z: Option<f64>,
}

impl Value {
    pub fn string(text: impl AsRef<str>) -> Self {
        Self::String(Arc::from(text.as_ref()))
    }

    pub fn list(values: Vec<Value>) -> Self {
        Self::List(Arc::new(values))
    }

    pub fn map(entries: Map) -> Self {
        Self::Map(Arc::new(entries))
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Integer(integer) => Some(*integer as f64),
            Self::Float(float) => Some(*float),
            _ => None,
        }
    }

    /// The type's name as Neo4j's messages have it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Boolean(_) => "BOOLEAN",
            Self::Integer(_) => "INTEGER",
            Self::Float(_) => "FLOAT",
            Self::String(_) => "STRING",
            Self::Bytes(_) => "BYTES",
            Self::List(_) => "LIST<ANY>",
            Self::Map(_) => "MAP",
            Self::Node(_) => "NODE",
            Self::Relationship(_) => "RELATIONSHIP",
            Self::Path(_) => "PATH",
            Self::Date(_) => "DATE",
            Self::LocalTime(_) => "LOCAL TIME",
            Self::Time(_) => "ZONED TIME",
            Self::LocalDateTime(_) => "LOCAL DATETIME",
            Self::DateTime(_) => "ZONED DATETIME",
            Self::Duration(_) => "DURATION",
            Self::Point(_) => "POINT",
        }
    }

    /// Whether a node or relationship may hold this as a property.
    pub fn is_storable(&self) -> bool {
        match self {
            Self::List(values) => values
                .iter()
                .all(|value| !matches!(value, Self::List(_) | Self::Null) && value.is_storable()),
            Self::Map(_) | Self::Node(_) | Self::Relationship(_) | Self::Path(_) => false,
            _ => true,
        }
    }

    /// Cypher's `=`: `None` when a null decides.
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

    /// Cypher's `<`: `None` when the two can't be compared.
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
            // These have no order, but each is as large as itself.
            (Self::Duration(_) | Self::Point(_), _) => (self == other).then_some(Ordering::Equal),
            _ if self.rank() == other.rank() && !self.is_null() => Some(self.order(other)),
            _ => None,
        }
    }

    /// The order of ORDER BY, which is total: types come one after the other, null last.
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

    fn rank(&self) -> u8 {
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

    /// Appends bytes that are equal exactly for values that grouping and DISTINCT take as the same:
    /// null is null, NaN is NaN, 1 is 1.0.
    pub fn put_key(&self, key: &mut Vec<u8>) {
        key.push(self.rank());
        match self {
            Self::Null => {}
            Self::Boolean(boolean) => key.push(u8::from(*boolean)),
            Self::Integer(integer) => put_number_key(key, *integer as f64, Some(*integer)),
            Self::Float(float) => {
                let integer = *float as i64;
                let is_whole = compare_integer(integer, *float) == Some(Ordering::Equal);
                put_number_key(key, *float, is_whole.then_some(integer));
            }
            Self::String(string) => put_slice_key(key, string.as_bytes()),
            Self::Bytes(bytes) => put_slice_key(key, bytes),
            Self::Node(id) | Self::Relationship(id) => key.extend(id.to_be_bytes()),
            Self::List(values) => {
                key.extend(values.len().to_be_bytes());
                values.iter().for_each(|value| value.put_key(key));
            }
            Self::Map(entries) => {
                let mut sorted: Vec<_> = entries.iter().collect();
                sorted.sort_by(|a, b| a.0.cmp(&b.0));
                key.extend(sorted.len().to_be_bytes());
                for (name, value) in sorted {
                    put_slice_key(key, name.as_bytes());
                    value.put_key(key);
                }
            }
            // Everything else has a `Debug` form that is equal exactly for equal values.
            other => put_slice_key(key, format!("{other:?}").as_bytes()),
        }
    }

    /// Whether lists and maps are nested more than `levels` deep.
    pub fn is_deeper_than(&self, levels: usize) -> bool {
        let deeper =
            |value: &Self| levels.checked_sub(1).is_none_or(|left| value.is_deeper_than(left));
        match self {
            Self::List(list) => levels == 0 || list.iter().any(deeper),
            Self::Map(map) => levels == 0 || map.iter().any(|(_, value)| deeper(value)),
            _ => false,
        }
    }

    /// About how many bytes of memory this value holds, itself included.
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::String(string) => string.len(),
                Self::Bytes(bytes) => bytes.len(),
                Self::List(values) => values.iter().map(Self::size).sum(),
                Self::Map(entries) => {
                    entries.iter().map(|(key, value)| 32 + key.len() + value.size()).sum()
                }
                Self::Path(path) => 16 * path.nodes.len(),
                _ => 0,
            }
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident;)*) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        })*
    };
}

value_from! {
    bool => Boolean;
    i64 => Integer;
    f64 => Float;
    &str => String;
    String => String;
    Arc<str> => String;
    Vec<Value> => List;
    Map => Map;
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

pub fn map_get<'a>(map: &'a Map, key: &str) -> Option<&'a Value> {
    map.iter().find(|(name, _)| &**name == key).map(|(_, value)| value)
}

/// Sets, replaces or, with null, removes an entry.
pub fn map_set(map: &mut Map, key: &Arc<str>, value: Value) {
    match map.iter().position(|(name, _)| name == key) {
        Some(index) if value.is_null() => drop(map.remove(index)),
        Some(index) => map[index].1 = value,
        None if value.is_null() => {}
        None => map.push((key.clone(), value)),
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

/// Exact, also where the integer is no float.
fn compare_integer(integer: i64, float: f64) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    // Larger floats than any integer saturate, and still compare rightly.
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

fn put_number_key(key: &mut Vec<u8>, float: f64, integer: Option<i64>) {
    match integer {
        Some(integer) => key.extend([&[0][..], &integer.to_be_bytes()].concat()),
        None if float.is_nan() => key.push(2),
        None => key.extend([&[1][..], &float.to_bits().to_be_bytes()].concat()),
    }
}

fn put_slice_key(key: &mut Vec<u8>, bytes: &[u8]) {
    key.extend(bytes.len().to_be_bytes());
    key.extend_from_slice(bytes);
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
    fn grouping_takes_one_and_one_point_zero_as_the_same() {
        let key = |value: Value| {
            let mut key = Vec::new();
            value.put_key(&mut key);
            key
        };
        assert_eq!(key(Value::Integer(1)), key(Value::Float(1.0)));
        assert_eq!(key(Value::Float(f64::NAN)), key(Value::Float(f64::NAN)));
        assert_ne!(key(Value::Integer(1)), key(Value::string("1")));
        assert_ne!(key(Value::Integer(i64::MAX)), key(Value::Integer(i64::MAX - 1)));
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
