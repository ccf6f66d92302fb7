//! Queries that write, clause by clause. A statement that fails half-way leaves a graph that nobody
//! may see: the transaction drops it.

mod create;
mod delete;
mod property;
mod writer;

use std::sync::Arc;

use super::read::{apply, beside};
use super::rows::{Rows, gather, union};
use crate::bound::{Clause, Expression, Query};
use crate::error::Result;
use crate::row::{Row, set};
use crate::value::{Value, mismatch};
use create::check_directed;

pub use writer::{Counters, Writer};

impl Writer {
    pub fn query(&mut self, query: &Query, row: &Row) -> Result<Vec<Row>> {
        let outer = std::mem::replace(&mut self.context.outer, Arc::new(row.clone()));
        let rows = self.parts(query, row);
        self.context.outer = outer;
        rows
    }

    fn parts(&mut self, query: &Query, row: &Row) -> Result<Vec<Row>> {
        let mut parts: Vec<Rows> = Vec::new();
        for part in &query.parts {
            let mut rows = vec![row.clone()];
            for clause in part {
                rows = self.clause(clause, rows)?;
            }
            parts.push(Box::new(rows.into_iter().map(Ok)));
        }
        let rows = union(&self.context, parts, query.keeps_duplicates);
        rows.collect()
    }

    fn clause(&mut self, clause: &Clause, rows: Vec<Row>) -> Result<Vec<Row>> {
        match clause {
            Clause::Create(patterns) => self.each(rows, |writer, row| {
                check_directed(patterns)?;
                patterns.iter().try_for_each(|pattern| writer.create(pattern, row))
            }),
            Clause::Merge { pattern, on_create, on_match } => {
                let mut merged = Vec::new();
                for row in rows {
                    merged.append(&mut self.merge(pattern, on_create, on_match, row)?);
                }
                Ok(merged)
            }
            Clause::Set(items) => self.each(rows, |writer, row| writer.set_all(items, row)),
            Clause::Remove(items) => self.each(rows, |writer, row| {
                items.iter().try_for_each(|item| writer.remove(item, row))
            }),
            Clause::Delete { detach, targets } => self.delete_all(*detach, targets, rows),
            Clause::Foreach { slot, list, body } => {
                self.each(rows, |writer, row| writer.foreach(*slot, list, body, row))
            }
            Clause::Subquery { query, optional, width } if query.writes => {
                let mut results = Vec::new();
                for row in rows {
                    let inner = self.query(query, &row)?;
                    let inner: Rows = Box::new(inner.into_iter().map(Ok));
                    let rows = beside(row, *width, inner, query.returns, *optional);
                    results.append(&mut gather(&self.context, rows)?);
                }
                Ok(results)
            }
            reading => {
                let input: Rows = Box::new(rows.into_iter().map(Ok));
                gather(&self.context, apply(&self.context, reading, input)?)
            }
        }
    }

    fn foreach(
        &mut self,
        slot: usize,
        list: &Expression,
        body: &[Clause],
        row: &mut Row,
    ) -> Result<()> {
        let items = match self.context.eval(list, row)? {
            Value::Null => return Ok(()),
            Value::List(items) => items,
            other => return Err(mismatch("LIST<ANY>", &other)),
        };
        for item in items.iter() {
            let mut inner = row.clone();
            set(&mut inner, slot, item.clone());
            body.iter().try_fold(vec![inner], |rows, clause| self.clause(clause, rows))?;
        }
        Ok(())
    }
}
