//! The result of one query.

use bolt::{Dictionary, Value};

/// A result in memory.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
    /// The last SUCCESS.
    pub summary: Dictionary,
}

impl Table {
    /// The value of a column in a row; null if there is no such column.
    pub fn get(&self, row: usize, column: &str) -> &Value {
        let index = self.columns.iter().position(|name| name == column);
        index.and_then(|index| self.rows.get(row)?.get(index)).unwrap_or(&Value::Null)
    }
}
