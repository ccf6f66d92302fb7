//! The values of Cypher. A node or a relationship is only an id here; what it holds is in the
//! graph.

mod key;
mod order;

use std::sync::Arc;

use crate::calendar::{Date, DateTime, Duration, LocalDateTime, LocalTime, Time};
use crate::error::Error;

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

/// The error of a value that has another type than `expected`.
pub(crate) fn mismatch(expected: &str, found: &Value) -> Error {
    Error::Type(format!("Type mismatch: expected {expected} but was {}", found.type_name()))
}
