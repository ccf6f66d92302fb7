//! Writing PackStream, each value in its shortest form.

use bytes::{BufMut, BytesMut};

use super::decode::UUID;
use super::{Dictionary, Structure, Value};

/// Something that can be written as one PackStream value.
pub trait Put {
    fn put(&self, output: &mut BytesMut);
}

/// Appends `value`.
pub fn put_value(output: &mut BytesMut, value: &Value) {
    match value {
        Value::Null => output.put_u8(0xC0),
        Value::Boolean(boolean) => output.put_u8(if *boolean { 0xC3 } else { 0xC2 }),
        Value::Integer(integer) => integer.put(output),
        Value::Float(float) => float.put(output),
        Value::Bytes(bytes) => {
            put_sized_header(output, [0xCC, 0xCD, 0xCE], bytes.len());
            output.put_slice(bytes);
        }
        Value::String(string) => string.as_str().put(output),
        Value::List(values) => {
            put_list_header(output, values.len());
            values.iter().for_each(|value| put_value(output, value));
        }
        Value::Dictionary(dictionary) => dictionary.put(output),
        Value::Structure(structure) => structure.put(output),
        Value::Uuid(bytes) => {
            output.put_u8(UUID);
            output.put_slice(bytes);
        }
    }
}

impl Put for Value {
    fn put(&self, output: &mut BytesMut) {
        put_value(output, self);
    }
}

impl Put for i64 {
    fn put(&self, output: &mut BytesMut) {
        let integer = *self;
        if (-16..=127).contains(&integer) {
            output.put_i8(integer as i8);
        } else if let Ok(short) = i8::try_from(integer) {
            output.put_slice(&[0xC8, short as u8]);
        } else if let Ok(short) = i16::try_from(integer) {
            output.put_u8(0xC9);
            output.put_i16(short);
        } else if let Ok(short) = i32::try_from(integer) {
            output.put_u8(0xCA);
            output.put_i32(short);
        } else {
            output.put_u8(0xCB);
            output.put_i64(integer);
        }
    }
}

impl Put for f64 {
    fn put(&self, output: &mut BytesMut) {
        output.put_u8(0xC1);
        output.put_f64(*self);
    }
}

impl Put for &str {
    fn put(&self, output: &mut BytesMut) {
        match self.len() {
            short @ 0..16 => output.put_u8(0x80 | short as u8),
            length => put_sized_header(output, [0xD0, 0xD1, 0xD2], length),
        }
        output.put_slice(self.as_bytes());
    }
}

impl Put for Dictionary {
    fn put(&self, output: &mut BytesMut) {
        put_dictionary_header(output, self.len());
        for (key, value) in self.iter() {
            key.put(output);
            put_value(output, value);
        }
    }
}

impl Put for Structure {
    fn put(&self, output: &mut BytesMut) {
        put_structure_header(output, self.tag, self.fields.len());
        self.fields.iter().for_each(|field| put_value(output, field));
    }
}

/// Begins a list; `elements` values must follow.
pub fn put_list_header(output: &mut BytesMut, elements: usize) {
    match elements {
        short @ 0..16 => output.put_u8(0x90 | short as u8),
        length => put_sized_header(output, [0xD4, 0xD5, 0xD6], length),
    }
}

/// Begins a dictionary; `entries` pairs of a string and a value must follow.
pub fn put_dictionary_header(output: &mut BytesMut, entries: usize) {
    match entries {
        short @ 0..16 => output.put_u8(0xA0 | short as u8),
        length => put_sized_header(output, [0xD8, 0xD9, 0xDA], length),
    }
}

/// Begins a structure; `fields` values must follow.
///
/// # Panics
/// If there are more than 65,535 fields, which no decoded structure has.
pub fn put_structure_header(output: &mut BytesMut, tag: u8, fields: usize) {
    match fields {
        short @ 0..16 => output.put_u8(0xB0 | short as u8),
        short @ 16..256 => output.put_slice(&[0xDC, short as u8]),
        length => {
            output.put_u8(0xDD);
            output.put_u16(u16::try_from(length).expect("a structure has at most 65,535 fields"));
        }
    }
    output.put_u8(tag);
}

/// A marker and a length of 1, 2 or 4 bytes.
fn put_sized_header(output: &mut BytesMut, markers: [u8; 3], length: usize) {
    if let Ok(short) = u8::try_from(length) {
        output.put_slice(&[markers[0], short]);
    } else if let Ok(short) = u16::try_from(length) {
        output.put_u8(markers[1]);
        output.put_u16(short);
    } else {
        output.put_u8(markers[2]);
        output.put_u32(u32::try_from(length).expect("no message reaches 4 GiB"));
    }
}
