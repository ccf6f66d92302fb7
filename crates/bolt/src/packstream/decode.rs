//! Reading PackStream. Lengths come from the other side, so memory is reserved only for bytes that have
//! arrived: a header that claims 4 GB reserves nothing.

use bytes::Bytes;

use super::{Dictionary, PackError, Structure, Value};

/// Reads values one after the other from the payload of a message.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    input: &'a [u8],
    depth_max: usize,
    elements_max: usize,
    /// How many values may still be built: one byte on the wire can become 40 bytes in memory.
    values_left: usize,
}

/// What the next value is, without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Null,
    Boolean,
    Integer,
    Float,
    Bytes,
    String,
    List,
    Dictionary,
    Structure,
    Uuid,
}

/// What a marker says: a whole small value, or how much follows. One is made for each value that is read
/// or skipped, so it owns no memory.
#[derive(Clone, Copy)]
enum Head {
    Scalar(Scalar),
    Bytes(usize),
    String(usize),
    List(usize),
    Dictionary(usize),
    Structure { fields: usize, tag: u8 },
}

#[derive(Clone, Copy)]
enum Scalar {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Uuid([u8; 16]),
}

impl From<Scalar> for Value {
    fn from(scalar: Scalar) -> Self {
        match scalar {
            Scalar::Null => Self::Null,
            Scalar::Boolean(value) => Self::Boolean(value),
            Scalar::Integer(value) => Self::Integer(value),
            Scalar::Float(value) => Self::Float(value),
            Scalar::Uuid(value) => Self::Uuid(value),
        }
    }
}

impl<'a> Reader<'a> {
    pub fn new(input: &'a [u8]) -> Self {
        Self { input, depth_max: DEPTH_MAX, elements_max: usize::MAX, values_left: VALUES_MAX }
    }

    /// A reader for bytes from a client that has not logged in. It is as strict as Neo4j.
    pub fn unauthenticated(input: &'a [u8]) -> Self {
        Self {
            input,
            depth_max: UNAUTHENTICATED_DEPTH_MAX,
            elements_max: UNAUTHENTICATED_ELEMENTS_MAX,
            values_left: VALUES_MAX,
        }
    }

    /// The bytes that have not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.input
    }

    /// Fails unless everything was read.
    pub fn finish(&self) -> Result<(), PackError> {
        if self.input.is_empty() { Ok(()) } else { Err(PackError::Trailing) }
    }

    /// Reads the next value with all that it holds.
    pub fn value(&mut self) -> Result<Value, PackError> {
        self.value_within(self.depth_max)
    }

    /// The kind of the next value, which stays unread.
    pub fn peek(&self) -> Result<Kind, PackError> {
        let marker = *self.input.first().ok_or(PackError::Truncated)?;
        Ok(match marker {
            0xC0 => Kind::Null,
            0xC2 | 0xC3 => Kind::Boolean,
            0xC1 => Kind::Float,
            0x00..=0x7F | 0xF0..=0xFF | 0xC8..=0xCB => Kind::Integer,
            0xCC..=0xCE => Kind::Bytes,
            0x80..=0x8F | 0xD0..=0xD2 => Kind::String,
            0x90..=0x9F | 0xD4..=0xD6 => Kind::List,
            0xA0..=0xAF | 0xD8..=0xDA => Kind::Dictionary,
            0xB0..=0xBF | 0xDC | 0xDD => Kind::Structure,
            UUID => Kind::Uuid,
            unknown => return Err(PackError::UnknownMarker(unknown)),
        })
    }

    /// Passes over the next value without building it. Nesting costs no stack here.
    pub fn skip(&mut self) -> Result<(), PackError> {
        let mut pending = 1_u64;
        while pending > 0 {
            pending -= 1;
            match self.head()? {
                Head::Scalar(_) => {}
                Head::Bytes(length) | Head::String(length) => {
                    self.take(length)?;
                }
                Head::List(elements) => pending += elements as u64,
                Head::Dictionary(entries) => pending += 2 * entries as u64,
                Head::Structure { fields, .. } => pending += fields as u64,
            }
        }
        Ok(())
    }

    /// Reads a structure's header: its tag and the number of fields that follow.
    pub fn structure(&mut self) -> Result<(u8, usize), PackError> {
        let found = self.marker()?;
        match self.head()? {
            Head::Structure { fields, tag } => Ok((tag, fields)),
            _ => Err(PackError::Unexpected { expected: "a structure", found }),
        }
    }

    /// Reads a dictionary's header: the number of entries, each a string and a value, that follow.
    pub fn dictionary_header(&mut self) -> Result<usize, PackError> {
        let found = self.marker()?;
        match self.head()? {
            Head::Dictionary(entries) => Ok(entries),
            _ => Err(PackError::Unexpected { expected: "a dictionary", found }),
        }
    }

    /// Reads a list's header: the number of elements that follow.
    pub fn list_header(&mut self) -> Result<usize, PackError> {
        let found = self.marker()?;
        match self.head()? {
            Head::List(elements) => Ok(elements),
            _ => Err(PackError::Unexpected { expected: "a list", found }),
        }
    }

    /// Reads a dictionary.
    pub fn dictionary(&mut self) -> Result<Dictionary, PackError> {
        let entries = self.dictionary_header()?;
        self.entries(entries, self.depth_max)
    }

    /// Reads a string without copying it.
    pub fn str(&mut self) -> Result<&'a str, PackError> {
        let found = self.marker()?;
        match self.head()? {
            Head::String(length) => self.utf8(length),
            _ => Err(PackError::Unexpected { expected: "a string", found }),
        }
    }

    pub fn integer(&mut self) -> Result<i64, PackError> {
        let found = self.marker()?;
        match self.head()? {
            Head::Scalar(Scalar::Integer(integer)) => Ok(integer),
            _ => Err(PackError::Unexpected { expected: "an integer", found }),
        }
    }

    fn value_within(&mut self, depth: usize) -> Result<Value, PackError> {
        self.values_left = self.values_left.checked_sub(1).ok_or(PackError::TooLong(VALUES_MAX))?;
        let depth_max = self.depth_max;
        let inner = || depth.checked_sub(1).ok_or(PackError::TooDeep(depth_max));
        Ok(match self.head()? {
            Head::Scalar(scalar) => scalar.into(),
            Head::Bytes(length) => Value::Bytes(Bytes::copy_from_slice(self.take(length)?)),
            Head::String(length) => Value::String(self.utf8(length)?.to_owned()),
            Head::List(elements) => Value::List(self.values(elements, inner()?)?),
            Head::Dictionary(entries) => Value::Dictionary(self.entries(entries, inner()?)?),
            Head::Structure { fields, tag } => {
                Value::Structure(Structure { tag, fields: self.values(fields, inner()?)? })
            }
        })
    }

    fn values(&mut self, count: usize, depth: usize) -> Result<Vec<Value>, PackError> {
        let mut values = Vec::with_capacity(self.believable(count)?);
        for _ in 0..count {
            values.push(self.value_within(depth)?);
        }
        Ok(values)
    }

    fn entries(&mut self, count: usize, depth: usize) -> Result<Dictionary, PackError> {
        let mut entries = Vec::with_capacity(self.believable(count)?);
        for _ in 0..count {
            entries.push((self.str()?.to_owned(), self.value_within(depth)?));
        }
        Ok(Dictionary(entries))
    }

    /// A capacity for `count` elements, but no more than the bytes that have arrived can fill.
    fn believable(&self, count: usize) -> Result<usize, PackError> {
        if count > self.elements_max {
            return Err(PackError::TooLong(self.elements_max));
        }
        // Every element takes at least one byte.
        if count > self.input.len() {
            return Err(PackError::Truncated);
        }
        Ok(count.min(RESERVED_MAX))
    }

    fn marker(&self) -> Result<u8, PackError> {
        self.input.first().copied().ok_or(PackError::Truncated)
    }

    #[inline]
    fn head(&mut self) -> Result<Head, PackError> {
        let marker = self.byte()?;
        Ok(match marker {
            0x00..=0x7F | 0xF0..=0xFF => Head::Scalar(Scalar::Integer(i64::from(marker as i8))),
            0x80..=0x8F => Head::String(low_nibble(marker)),
            0x90..=0x9F => Head::List(low_nibble(marker)),
            0xA0..=0xAF => Head::Dictionary(low_nibble(marker)),
            0xB0..=0xBF => self.structure_head(low_nibble(marker))?,
            0xC0 => Head::Scalar(Scalar::Null),
            0xC1 => Head::Scalar(Scalar::Float(f64::from_be_bytes(self.array()?))),
            0xC2 => Head::Scalar(Scalar::Boolean(false)),
            0xC3 => Head::Scalar(Scalar::Boolean(true)),
            0xC8 => Head::Scalar(Scalar::Integer(i8::from_be_bytes(self.array()?).into())),
            0xC9 => Head::Scalar(Scalar::Integer(i16::from_be_bytes(self.array()?).into())),
            0xCA => Head::Scalar(Scalar::Integer(i32::from_be_bytes(self.array()?).into())),
            0xCB => Head::Scalar(Scalar::Integer(i64::from_be_bytes(self.array()?))),
            0xCC..=0xCE => Head::Bytes(self.length(marker - 0xCC)?),
            0xD0..=0xD2 => Head::String(self.length(marker - 0xD0)?),
            0xD4..=0xD6 => Head::List(self.length(marker - 0xD4)?),
            0xD8..=0xDA => Head::Dictionary(self.length(marker - 0xD8)?),
            0xDC | 0xDD => {
                let fields = self.length(marker - 0xDC)?;
                self.structure_head(fields)?
            }
            UUID => Head::Scalar(Scalar::Uuid(self.array()?)),
            unknown => return Err(PackError::UnknownMarker(unknown)),
        })
    }

    fn structure_head(&mut self, fields: usize) -> Result<Head, PackError> {
        Ok(Head::Structure { fields, tag: self.byte()? })
    }

    /// A length of 1, 2 or 4 bytes for `width` 0, 1 or 2.
    fn length(&mut self, width: u8) -> Result<usize, PackError> {
        Ok(match width {
            0 => usize::from(self.byte()?),
            1 => usize::from(u16::from_be_bytes(self.array()?)),
            _ => u32::from_be_bytes(self.array()?) as usize,
        })
    }

    fn utf8(&mut self, length: usize) -> Result<&'a str, PackError> {
        std::str::from_utf8(self.take(length)?).map_err(|_| PackError::NotUtf8)
    }

    fn byte(&mut self) -> Result<u8, PackError> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PackError> {
        let (array, rest) = self.input.split_first_chunk().ok_or(PackError::Truncated)?;
        self.input = rest;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], PackError> {
        let (taken, rest) = self.input.split_at_checked(length).ok_or(PackError::Truncated)?;
        self.input = rest;
        Ok(taken)
    }
}

fn low_nibble(marker: u8) -> usize {
    usize::from(marker & 0x0F)
}

pub(super) const UUID: u8 = 0xE0;
/// Deep enough for any real query; shallow enough for a 2 MiB stack in a debug build.
const DEPTH_MAX: usize = 128;
/// Neo4j's own limits before login.
const UNAUTHENTICATED_DEPTH_MAX: usize = 4;
const UNAUTHENTICATED_ELEMENTS_MAX: usize = 64;
/// A message with more values than this is refused. Values that are only skipped do not count.
const VALUES_MAX: usize = 8_000_000;
/// Memory for this many elements is reserved at most. A longer list grows as it is read.
const RESERVED_MAX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<Value, PackError> {
        Reader::new(bytes).value()
    }

    #[test]
    fn hostile_lengths_reserve_nothing_and_fail() {
        let four_gigabytes = [0xFF; 4];
        for marker in [0xCE, 0xD2, 0xD6, 0xDA] {
            let wire = [&[marker][..], &four_gigabytes].concat();
            assert_eq!(decode(&wire), Err(PackError::Truncated), "{marker:X}");
            assert_eq!(Reader::new(&wire).skip(), Err(PackError::Truncated), "{marker:X}");
        }
        assert_eq!(decode(&[0xDD, 0xFF, 0xFF, 0x4E]), Err(PackError::Truncated));
    }

    #[test]
    fn nesting_is_bounded_for_values_and_free_for_skipping() {
        let nested = |depth: usize| [vec![0x91; depth], vec![0xC0]].concat();
        assert!(decode(&nested(DEPTH_MAX)).is_ok());
        assert_eq!(decode(&nested(DEPTH_MAX + 1)), Err(PackError::TooDeep(DEPTH_MAX)));
        assert_eq!(Reader::new(&nested(1_000_000)).skip(), Ok(()));
    }

    #[test]
    fn a_stranger_gets_neo4js_limits() {
        let value = |wire: &[u8]| Reader::unauthenticated(wire).value();
        assert_eq!(value(&[0x91, 0x91, 0x91, 0x91, 0x91, 0xC0]), Err(PackError::TooDeep(4)));
        let long = [vec![0xD4, 65], vec![0xC0; 65]].concat();
        assert_eq!(value(&long), Err(PackError::TooLong(64)));
    }

    #[test]
    fn long_structures_and_uuids_are_read() {
        let long = [vec![0xDC, 17, 0x55], vec![0x01; 17]].concat();
        let expected = Structure { tag: 0x55, fields: vec![Value::Integer(1); 17] };
        assert_eq!(decode(&long), Ok(Value::Structure(expected)));
        let uuid = [vec![0xE0], (0..16).collect()].concat();
        assert_eq!(decode(&uuid), Ok(Value::Uuid(std::array::from_fn(|i| i as u8))));
        assert_eq!(Reader::new(&uuid).peek(), Ok(Kind::Uuid));
    }

    #[test]
    fn markers_that_mean_nothing_are_named() {
        for marker in [0xC4, 0xC7, 0xCF, 0xD3, 0xD7, 0xDB, 0xDE, 0xDF, 0xE1, 0xEF] {
            assert_eq!(decode(&[marker]), Err(PackError::UnknownMarker(marker)));
            assert_eq!(Reader::new(&[marker]).peek(), Err(PackError::UnknownMarker(marker)));
        }
    }

    #[test]
    fn a_key_that_is_not_a_string_is_refused() {
        let refused = Err(PackError::Unexpected { expected: "a string", found: 0x01 });
        assert_eq!(decode(&[0xA1, 0x01, 0x01]), refused);
    }
}
