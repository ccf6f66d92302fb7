//! What a running query may use: its snapshot of the graph, its parameters, its clock, and the
//! limits that end it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::calendar::Moment;
use crate::error::{Error, Result};
use crate::store::{Entity, Graph};
use crate::value::{Map, Value, mismatch};

/// Shared by all operators of one query. A clone only raises a few reference counts.
#[derive(Clone)]
pub struct Context {
    pub graph: Arc<Graph>,
    pub parameters: Arc<Map>,
    pub control: Arc<Control>,
    pub procedures: Arc<dyn Procedures>,
    pub now: Moment,
    /// The row that a subquery was called from. A WITH in the subquery keeps its variables at the
    /// front of the row.
    pub outer: Arc<Vec<Value>>,
}

impl Context {
    /// The properties of a node, relationship or map.
    pub fn properties(&self, value: &Value) -> Result<Map> {
        match value {
            Value::Node(id) => self.graph.properties(Entity::Node(*id)).cloned(),
            Value::Relationship(id) => self.graph.properties(Entity::Relationship(*id)).cloned(),
            Value::Map(map) => Ok(map.to_vec()),
            other => Err(mismatch("MAP, NODE or RELATIONSHIP", other)),
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

/// The columns that procedures yield, by procedure name in lower case.
pub trait Signatures {
    /// # Errors
    /// [`Error::UnknownProcedure`]
    fn columns(&self, procedure: &str) -> Result<Vec<Arc<str>>>;
}

/// Procedures belong to the program that uses the engine.
pub trait Procedures: Signatures + Send + Sync {
    /// Calls a procedure, whose name is in lower case; rows have the columns of its signature.
    fn call(&self, name: &str, arguments: &[Value], context: &Context) -> Result<Vec<Vec<Value>>>;
}

/// What ends a query early: somebody cancels it, its time is over, or it needs too much memory. The
/// default never ends it.
#[derive(Debug)]
pub struct Control {
    cancelled: AtomicBool,
    timed_out: AtomicBool,
    memory: AtomicUsize,
    memory_limit: usize,
}

impl Default for Control {
    fn default() -> Self {
        Self::new(usize::MAX)
    }
}

impl Control {
    /// `memory_limit` in bytes.
    pub fn new(memory_limit: usize) -> Self {
        Self {
            cancelled: AtomicBool::new(false),
            timed_out: AtomicBool::new(false),
            memory: AtomicUsize::new(0),
            memory_limit,
        }
    }

    /// Makes the query fail with [`Error::Cancelled`] at its next step, from any thread.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// Makes the query fail with [`Error::TimedOut`] at its next step, from any thread. The engine
    /// has no clock; whoever has one calls this.
    pub fn time_out(&self) {
        self.timed_out.store(true, Ordering::Relaxed);
    }

    /// An error if the query has to end. Every loop of the engine asks this once in each turn.
    pub fn check(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        if self.timed_out.load(Ordering::Relaxed) {
            return Err(Error::TimedOut);
        }
        Ok(())
    }

    /// Counts memory that is held until the query ends.
    pub fn charge(&self, bytes: usize) -> Result<()> {
        let total = self.memory.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        self.over(total)
    }

    /// Checks the size of a single value, which is not counted: it may be dropped a moment later.
    pub fn fits(&self, bytes: usize) -> Result<()> {
        self.over(bytes)
    }

    fn over(&self, bytes: usize) -> Result<()> {
        if bytes > self.memory_limit {
            return Err(Error::MemoryLimit { limit: self.memory_limit });
        }
        Ok(())
    }
}
