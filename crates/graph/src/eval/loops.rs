//! Expressions that evaluate another one for each element of a list.

use crate::bound::Expression;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::kinds::Quantifier;
use crate::row::{Row, set};
use crate::value::{Value, mismatch};

impl Context {
    pub(super) fn list_comprehension(
        &self,
        slot: usize,
        list: &Value,
        filter: Option<&Expression>,
        map: Option<&Expression>,
        row: &mut Row,
    ) -> Result<Value> {
        let mut results = Vec::new();
        let found = self.for_each(list, slot, row, |row, item| {
            if filter.map_or(Ok(true), |filter| self.is_true(filter, row))? {
                let mapped = map.map(|map| self.eval(map, row)).transpose()?;
                results.push(mapped.unwrap_or(item));
            }
            self.control.fits(results.len() * size_of::<Value>())?;
            Ok(true)
        })?;
        Ok(if found { Value::list(results) } else { Value::Null })
    }

    /// `total` is the slot of the accumulator, and its first value.
    pub(super) fn reduce(
        &self,
        (accumulator, mut total): (usize, Value),
        slot: usize,
        list: &Value,
        step: &Expression,
        row: &mut Row,
    ) -> Result<Value> {
        let found = self.for_each(list, slot, row, |row, _| {
            set(row, accumulator, total.clone());
            total = self.eval(step, row)?;
            self.check_grown(&total)?;
            Ok(true)
        })?;
        Ok(if found { total } else { Value::Null })
    }

    pub(super) fn quantifier(
        &self,
        kind: Quantifier,
        slot: usize,
        list: &Value,
        filter: &Expression,
        row: &mut Row,
    ) -> Result<Value> {
        let (mut holding, mut failing, mut unknown) = (0, 0, 0);
        let found = self.for_each(list, slot, row, |row, _| {
            match self.eval(filter, row)? {
                Value::Boolean(true) => holding += 1,
                Value::Boolean(false) => failing += 1,
                _ => unknown += 1,
            }
            Ok(true)
        })?;
        let decided = match kind {
            _ if !found => None,
            Quantifier::All if failing > 0 => Some(false),
            Quantifier::Any if holding > 0 => Some(true),
            Quantifier::None if holding > 0 => Some(false),
            Quantifier::Single if holding > 1 => Some(false),
            _ if unknown > 0 => None,
            Quantifier::All | Quantifier::None => Some(true),
            Quantifier::Any => Some(false),
            Quantifier::Single => Some(holding == 1),
        };
        Ok(decided.into())
    }

    /// Calls `step` with each element in `slot` until it says stop; `false` if the list is null.
    fn for_each(
        &self,
        list: &Value,
        slot: usize,
        row: &mut Row,
        mut step: impl FnMut(&mut Row, Value) -> Result<bool>,
    ) -> Result<bool> {
        let list = match list {
            Value::Null => return Ok(false),
            Value::List(list) => list.clone(),
            other => return Err(mismatch("LIST<ANY>", other)),
        };
        let width = row.len();
        for item in list.iter() {
            self.control.check()?;
            set(row, slot, item.clone());
            if !step(row, item.clone())? {
                break;
            }
        }
        row.truncate(width);
        Ok(true)
    }

    /// Only a loop can nest values without end, and everything that walks values recurses.
    fn check_grown(&self, value: &Value) -> Result<()> {
        if value.is_deeper_than(NESTING_MAX) {
            return Err(Error::Unsupported(format!("values nested more than {NESTING_MAX} deep")));
        }
        self.control.fits(value.size())
    }
}

/// As deep as the codec reads parameters.
const NESTING_MAX: usize = 128;
