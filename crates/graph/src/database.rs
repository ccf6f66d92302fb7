//! Databases and transactions. A transaction that reads takes a snapshot for each statement (read
//! committed, as in Neo4j). One that writes takes the database's only writer lock at its first
//! write. It changes a version of the graph of its own, which replaces the old one on commit.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::ast::SchemaCommand;
use crate::bind::bind;
use crate::bound::Query;
use crate::calendar::Moment;
use crate::context::{Context, Control, Procedures};
use crate::error::{Error, Result};
use crate::exec::{self, Counters, Rows, Writer};
use crate::parser::{self, Body};
use crate::row::Row;
use crate::store::Graph;
use crate::value::Map;

#[derive(Debug, Default)]
pub struct Database {
    committed: Mutex<Committed>,
    writer: WriterLock,
}

#[derive(Debug, Default)]
struct Committed {
    graph: Arc<Graph>,
    /// Rises by one with each transaction that wrote.
    version: u64,
}

impl Database {
    pub fn snapshot(&self) -> Arc<Graph> {
        lock(&self.committed).graph.clone()
    }

    /// The number of transactions that have been committed: what bookmarks count.
    pub fn version(&self) -> u64 {
        lock(&self.committed).version
    }
}

/// A query that has been read and found to mean something.
pub struct Statement {
    work: Work,
    pub columns: Vec<Arc<str>>,
    /// The database that `USE` names.
    pub database: Option<Arc<str>>,
    explain: bool,
}

enum Work {
    Query(Query),
    Schema(SchemaCommand),
}

/// `r`, `rw`, `w` or `s`, as the summary of a result says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatementKind {
    Read,
    ReadWrite,
    Write,
    Schema,
}

impl Statement {
    pub fn parse(text: &str, procedures: &dyn Procedures) -> Result<Self> {
        let parsed = parser::parse(text)?;
        let (work, columns) = match parsed.body {
            Body::Query(query) => {
                let (query, columns) = bind(&query, procedures)?;
                (Work::Query(query), columns)
            }
            Body::Schema(command) => (Work::Schema(command), Vec::new()),
        };
        Ok(Self { work, columns, database: parsed.database, explain: parsed.explain })
    }

    pub fn kind(&self) -> StatementKind {
        match &self.work {
            Work::Schema(_) => StatementKind::Schema,
            Work::Query(query) => match (query.writes, query.returns) {
                (false, _) => StatementKind::Read,
                (true, true) => StatementKind::ReadWrite,
                (true, false) => StatementKind::Write,
            },
        }
    }

    pub fn writes(&self) -> bool {
        !self.explain && self.kind() != StatementKind::Read
    }
}

impl fmt::Debug for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Statement").field("columns", &self.columns).finish_non_exhaustive()
    }
}

/// Work that is committed or dropped as a whole. Dropping it rolls it back.
#[derive(Debug)]
pub struct Transaction {
    database: Arc<Database>,
    writing: Option<Writing>,
}

#[derive(Debug)]
struct Writing {
    graph: Arc<Graph>,
    /// Set when a statement failed half-way: the graph holds part of its work.
    is_broken: bool,
    _lock: WriterGuard,
}

impl Transaction {
    pub fn begin(database: &Arc<Database>) -> Self {
        Self { database: database.clone(), writing: None }
    }

    /// Runs a statement. The result of one that only reads is made as it is pulled.
    ///
    /// # Errors
    /// [`Error::LockTimeout`] when another transaction writes for longer than `lock_wait`. After an
    /// error of a statement that writes, only rolling back is left.
    pub fn run(
        &mut self,
        statement: &Statement,
        parameters: Arc<Map>,
        control: Arc<Control>,
        procedures: Arc<dyn Procedures>,
        lock_wait: Duration,
    ) -> Result<Cursor> {
        control.check()?;
        let mut cursor = Cursor::empty(statement.columns.clone());
        if statement.explain {
            return Ok(cursor);
        }
        if statement.writes() {
            self.lock_for_writing(&control, lock_wait)?;
        }
        let graph = self.graph();
        let context = Context {
            graph,
            parameters,
            control,
            procedures,
            now: Moment::now(),
            outer: Arc::default(),
        };
        let query = match &statement.work {
            Work::Query(query) => query,
            Work::Schema(SchemaCommand::CreateIndex) => {
                cursor.counters.indexes_added = 1;
                return Ok(cursor);
            }
            Work::Schema(SchemaCommand::DropIndex) => {
                cursor.counters.indexes_removed = 1;
                return Ok(cursor);
            }
        };
        match &mut self.writing {
            Some(writing) if statement.writes() => cursor.fill(writing.run(context, query)?, query),
            _ => {
                cursor.graph = context.graph.clone();
                cursor.rows = exec::read(&context, query, Row::new())?;
                if !query.returns {
                    cursor.rows.by_ref().try_for_each(|row| row.map(drop))?;
                }
            }
        }
        Ok(cursor)
    }

    /// Makes the transaction's work visible and returns the database's version after it.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if a statement failed half-way.
    pub fn commit(mut self) -> Result<u64> {
        let Some(writing) = self.writing.take() else { return Ok(self.database.version()) };
        if writing.is_broken {
            return Err(Error::Cancelled);
        }
        let mut committed = lock(&self.database.committed);
        committed.graph = writing.graph.clone();
        committed.version += 1;
        Ok(committed.version)
    }

    fn graph(&self) -> Arc<Graph> {
        self.writing
            .as_ref()
            .map_or_else(|| self.database.snapshot(), |writing| writing.graph.clone())
    }

    fn lock_for_writing(&mut self, control: &Control, wait: Duration) -> Result<()> {
        if self.writing.is_none() {
            let guard = WriterGuard::acquire(&self.database, control, wait)?;
            // The version that is current now: nobody else can commit until the lock is given back.
            let graph = self.database.snapshot();
            self.writing = Some(Writing { graph, is_broken: false, _lock: guard });
        }
        Ok(())
    }
}

impl Writing {
    fn run(
        &mut self,
        mut context: Context,
        query: &Query,
    ) -> Result<(Vec<Row>, Counters, Arc<Graph>)> {
        self.is_broken = true;
        // The writer must be alone with the graph, or each change would copy a part of it.
        context.graph = std::mem::take(&mut self.graph);
        let mut writer = Writer { context, counters: Counters::default() };
        let rows = writer.query(query, &Row::new())?;
        self.graph = writer.context.graph.clone();
        self.is_broken = false;
        Ok((rows, writer.counters, writer.context.graph))
    }
}

/// The rows of a result, with the graph that their nodes and relationships are in.
pub struct Cursor {
    pub columns: Vec<Arc<str>>,
    pub graph: Arc<Graph>,
    pub counters: Counters,
    rows: Rows,
    /// A row that was looked at and not yet taken.
    ahead: Option<Result<Row>>,
}

impl Cursor {
    fn empty(columns: Vec<Arc<str>>) -> Self {
        Self {
            columns,
            graph: Arc::default(),
            counters: Counters::default(),
            rows: Box::new(std::iter::empty()),
            ahead: None,
        }
    }

    fn fill(&mut self, (rows, counters, graph): (Vec<Row>, Counters, Arc<Graph>), query: &Query) {
        (self.counters, self.graph) = (counters, graph);
        if query.returns {
            self.rows = Box::new(rows.into_iter().map(Ok));
        }
    }
}

impl Cursor {
    /// The next row, which is not taken: `next` gives it again.
    pub fn peek(&mut self) -> Option<&Result<Row>> {
        if self.ahead.is_none() {
            self.ahead = self.next();
        }
        self.ahead.as_ref()
    }
}

impl Iterator for Cursor {
    type Item = Result<Row>;

    fn next(&mut self) -> Option<Result<Row>> {
        if let Some(row) = self.ahead.take() {
            return Some(row);
        }
        let row = self.rows.next()?;
        // A row may be shorter than the columns when its last values are null.
        Some(row.map(|mut row| {
            row.resize(self.columns.len(), crate::value::Value::Null);
            row
        }))
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor").field("columns", &self.columns).finish_non_exhaustive()
    }
}

/// First come, first served.
#[derive(Debug, Default)]
struct WriterLock {
    queue: Mutex<Queue>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    is_held: bool,
    waiting: VecDeque<u64>,
    next_ticket: u64,
}

#[derive(Debug)]
struct WriterGuard {
    database: Arc<Database>,
}

impl WriterGuard {
    fn acquire(database: &Arc<Database>, control: &Control, wait: Duration) -> Result<Self> {
        let WriterLock { queue, moved } = &database.writer;
        let began = Instant::now();
        let mut state = lock(queue);
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.waiting.push_back(ticket);
        let outcome = loop {
            if !state.is_held && state.waiting.front() == Some(&ticket) {
                break Ok(());
            }
            if let Err(error) = control.check() {
                break Err(error);
            }
            if began.elapsed() >= wait {
                break Err(Error::LockTimeout { waited_ms: wait.as_millis() as u64 });
            }
            // Cancelling can't wake a condition variable, so the wait is cut into slices.
            let slice = wait.saturating_sub(began.elapsed()).min(CANCEL_SLICE);
            state = moved.wait_timeout(state, slice).unwrap_or_else(PoisonError::into_inner).0;
        };
        state.waiting.retain(|waiting| *waiting != ticket);
        state.is_held |= outcome.is_ok();
        moved.notify_all();
        outcome.map(|()| Self { database: database.clone() })
    }
}

impl Drop for WriterGuard {
    fn drop(&mut self) {
        lock(&self.database.writer.queue).is_held = false;
        self.database.writer.moved.notify_all();
    }
}

/// No code that can panic runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const CANCEL_SLICE: Duration = Duration::from_millis(10);
