//! What a running query may use: its snapshot of the graph, parameters, clock, and the limits
//! that end it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::calendar::Moment;
use crate::error::{Error, Result};
use crate::store::{Entity, Graph};
use crate::value::{Map, Value, mismatch};

/// Shared by every operator of one query; a clone costs a few reference counts.
#[derive(Clone)]
pub struct Context {
    pub graph: Arc<Graph>,
    pub parameters: Arc<Map>,
    pub control: Arc<Control>,
    pub procedures: Arc<dyn Procedures>,
    pub now: Moment,
    /// The row that a subquery was called from; what WITH keeps of it stays in front.
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

/// Procedures live outside the engine, with whoever runs it.
pub trait Procedures: Signatures + Send + Sync {
    /// Calls a procedure, whose name is in lower case; rows have the columns of its signature.
    fn call(&self, name: &str, arguments: &[Value], context: &Context) -> Result<Vec<Vec<Value>>>;
}

/// How a query ends before its time. `Default` never ends it.
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

    /// Makes the query fail with [`Error::TimedOut`] at its next step: whoever owns the clock may
    /// find out first.
    pub fn time_out(&self) {
        self.timed_out.store(true, Ordering::Relaxed);
    }

    /// Every loop of the engine asks this once a turn.
    pub fn check(&self) -> Result<()> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(Error::Cancelled);
        }
        if self.timed_out.load(Ordering::Relaxed) {
            return Err(Error::TimedOut);
        }
        Ok(())
    }

    /// Counts memory that stays until the query ends.
    pub fn charge(&self, bytes: usize) -> Result<()> {
        let total = self.memory.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        self.over(total)
    }

    /// Checks a single value, which may be gone a moment later.
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
