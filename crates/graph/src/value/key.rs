//! Values as bytes, so that grouping and DISTINCT can look them up.

use std::cmp::Ordering;

use super::Value;
use super::order::compare_integer;

impl Value {
    /// Appends bytes. They are equal exactly for values that grouping and DISTINCT take as the
    /// same: for two nulls, for two NaNs, and for 1 and 1.0.
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
}
