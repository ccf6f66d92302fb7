//! PackStream values: what travels inside Bolt messages. Unknown structures are kept as they are
//! and dictionaries keep their order, so that decoding and encoding lose nothing.

mod decode;
mod encode;

use std::fmt;

use bytes::Bytes;
use thiserror::Error;
use zeroize::Zeroize;

pub use decode::{Kind, Reader};
pub use encode::{Put, put_dictionary_header, put_list_header, put_structure_header, put_value};

/// One PackStream value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Bytes(Bytes),
    String(String),
    List(Vec<Value>),
    Dictionary(Dictionary),
    Structure(Structure),
    /// Bolt 6.1's marker `E0` with 16 bytes (seen in Neo4j 2026.07 and its drivers).
    Uuid([u8; 16]),
}

/// Entries in the order in which they were sent. A message has few keys, so looking at one after the
/// other is faster than hashing.
#[derive(Clone, Default, PartialEq)]
pub struct Dictionary(Vec<(String, Value)>);

/// A structure: a tag and up to 65,535 fields (more than 15 only by the undocumented markers
/// `DC` and `DD`, which Neo4j reads).
#[derive(Clone, Debug, PartialEq)]
pub struct Structure {
    pub tag: u8,
    pub fields: Vec<Value>,
}

impl Dictionary {
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `key`. If the key was sent twice the last value counts, as in Neo4j's drivers.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    pub fn remove(&mut self, key: &str) -> Option<Value> {
        let index = self.0.iter().rposition(|(name, _)| name == key)?;
        Some(self.0.remove(index).1)
    }

    /// Appends an entry without looking for an older one.
    pub fn push(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        self.0.push((key.into(), value.into()));
    }

    /// Appends an entry, for building a dictionary in one expression.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.push(key, value);
        self
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    pub fn str(&self, key: &str) -> Option<&str> {
        self.get(key)?.as_str()
    }

    pub fn integer(&self, key: &str) -> Option<i64> {
        self.get(key)?.as_integer()
    }

    pub fn boolean(&self, key: &str) -> Option<bool> {
        match self.get(key)? {
            Value::Boolean(boolean) => Some(*boolean),
            _ => None,
        }
    }

    /// The strings in the list under `key`; other elements are left out.
    pub fn strings(&self, key: &str) -> Vec<String> {
        let Some(Value::List(values)) = self.get(key) else { return Vec::new() };
        values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect()
    }
}

impl Zeroize for Dictionary {
    fn zeroize(&mut self) {
        self.0.iter_mut().for_each(|(_, value)| value.zeroize());
    }
}

impl Zeroize for Value {
    /// Overwrites text and numbers, however deeply nested. Bytes are overwritten only if nobody else
    /// holds them.
    fn zeroize(&mut self) {
        match self {
            Self::String(string) => string.zeroize(),
            Self::List(values) => values.iter_mut().for_each(Zeroize::zeroize),
            Self::Dictionary(dictionary) => dictionary.zeroize(),
            Self::Structure(structure) => structure.fields.iter_mut().for_each(Zeroize::zeroize),
            Self::Bytes(bytes) => {
                if let Ok(mut bytes) = std::mem::take(bytes).try_into_mut() {
                    bytes.as_mut().zeroize();
                }
            }
            Self::Integer(integer) => integer.zeroize(),
            Self::Null | Self::Boolean(_) | Self::Float(_) | Self::Uuid(_) => {}
        }
    }
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl IntoIterator for Dictionary {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl FromIterator<(String, Value)> for Dictionary {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl Value {
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(string) => Some(string),
            _ => None,
        }
    }

    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(integer) => Some(*integer),
            _ => None,
        }
    }

    pub fn as_dictionary(&self) -> Option<&Dictionary> {
        match self {
            Self::Dictionary(dictionary) => Some(dictionary),
            _ => None,
        }
    }
}

macro_rules! value_from {
    ($($from:ty => |$name:ident| $value:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($name: $from) -> Self {
                $value
            }
        })*
    };
}

value_from! {
    bool => |boolean| Self::Boolean(boolean);
    i64 => |integer| Self::Integer(integer);
    f64 => |float| Self::Float(float);
    &str => |string| Self::String(string.to_owned());
    String => |string| Self::String(string);
    Dictionary => |dictionary| Self::Dictionary(dictionary);
    Structure => |structure| Self::Structure(structure);
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Why bytes are not the value that was asked for. The message that held them can't be read, but the
/// connection can go on.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PackError {
    #[error("the message ends inside a value")]
    Truncated,
    #[error("{0:#04X} is not a PackStream marker")]
    UnknownMarker(u8),
    #[error("expected {expected}, found marker {found:#04X}")]
    Unexpected { expected: &'static str, found: u8 },
    #[error("a string is not UTF-8")]
    NotUtf8,
    #[error("values are nested more than {0} deep")]
    TooDeep(usize),
    #[error("there are more than {0} elements")]
    TooLong(usize),
    #[error("bytes follow the last value")]
    Trailing,
}
