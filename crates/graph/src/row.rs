//! A row of a running query: the values of its variables, by slot. Slots past its end are null.

use crate::value::Value;

pub type Row = Vec<Value>;

/// Sets a slot, with nulls up to it.
pub fn set(row: &mut Row, slot: usize, value: Value) {
    if slot >= row.len() {
        row.resize(slot + 1, Value::Null);
    }
    row[slot] = value;
}

pub fn get(row: &Row, slot: usize) -> &Value {
    row.get(slot).unwrap_or(&Value::Null)
}
