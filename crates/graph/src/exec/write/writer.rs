//! The writer of a query: the version of the graph that it changes, and the count of its changes.

use std::sync::Arc;

use crate::context::Context;
use crate::error::Result;
use crate::row::Row;
use crate::store::Graph;

/// What a statement changed, in the words of Neo4j's `stats`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub nodes_created: i64,
    pub nodes_deleted: i64,
    pub relationships_created: i64,
    pub relationships_deleted: i64,
    pub properties_set: i64,
    pub labels_added: i64,
    pub labels_removed: i64,
    pub indexes_added: i64,
    pub indexes_removed: i64,
}

/// Runs one query that writes, in its own version of the graph.
pub struct Writer {
    pub context: Context,
    pub counters: Counters,
}

impl Writer {
    /// Changes the graph for each row, one after the other.
    pub(super) fn each(
        &mut self,
        mut rows: Vec<Row>,
        mut change: impl FnMut(&mut Self, &mut Row) -> Result<()>,
    ) -> Result<Vec<Row>> {
        for row in &mut rows {
            self.context.control.check()?;
            change(self, row)?;
        }
        Ok(rows)
    }

    /// The graph to change. Nobody else holds this version while a clause runs, so it is changed in
    /// place.
    pub(super) fn graph(&mut self) -> &mut Graph {
        Arc::make_mut(&mut self.context.graph)
    }
}
