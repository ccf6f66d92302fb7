//! Patterns and whole queries inside an expression.

use std::sync::Arc;

use crate::bound::{Expression, Pattern, Query};
use crate::context::Context;
use crate::error::Result;
use crate::exec;
use crate::kinds::SubqueryKind;
use crate::row::Row;
use crate::value::Value;

impl Context {
    pub(super) fn pattern_comprehension(
        &self,
        pattern: &Arc<[Pattern]>,
        filter: Option<&Expression>,
        map: &Expression,
        row: &Row,
    ) -> Result<Value> {
        let mut results = Vec::new();
        for found in exec::matches(self, pattern.clone(), row.clone())? {
            let mut found = found?;
            if filter.map_or(Ok(true), |filter| self.is_true(filter, &mut found))? {
                results.push(self.eval(map, &mut found)?);
            }
        }
        Ok(Value::list(results))
    }

    pub(super) fn pattern_exists(&self, pattern: &Arc<[Pattern]>, row: &Row) -> Result<Value> {
        let mut found = exec::matches(self, pattern.clone(), row.clone())?;
        Ok(found.next().transpose()?.is_some().into())
    }

    pub(super) fn subquery(&self, kind: SubqueryKind, query: &Query, row: &Row) -> Result<Value> {
        let mut rows = exec::read(self, query, row.clone())?;
        match kind {
            SubqueryKind::Exists => Ok(rows.next().transpose()?.is_some().into()),
            SubqueryKind::Count => {
                rows.try_fold(0_i64, |count, row| row.map(|_| count + 1)).map(Value::Integer)
            }
            SubqueryKind::Collect => {
                let mut values = Vec::new();
                for row in rows {
                    let value = row?.into_iter().next().unwrap_or(Value::Null);
                    self.control.charge(value.size())?;
                    values.push(value);
                }
                Ok(Value::list(values))
            }
        }
    }
}
