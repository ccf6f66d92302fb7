//! A connection's open transaction with its results. What may take long here runs on an engine
//! thread: running, taking records, committing, rolling back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use bolt::chunk::put_message;
use bolt::failure::code;
use bolt::message::{AccessMode, Stream, TransactionExtra, put_record_header};
use bolt::{Dictionary, Failure};
use bytes::BytesMut;
use graph::{Control, Counters, Cursor, Database, Error, Statement, StatementKind, Transaction};
use tokio::sync::OwnedSemaphorePermit;

use crate::failure;
use crate::procedures::Catalog;
use crate::settings::Settings;
use crate::values::{BUFFER_BYTES, Dialect, map_from_bolt, put};

/// What statements need of the server.
#[derive(Clone, Debug)]
pub(crate) struct Engine {
    pub catalog: Arc<Catalog>,
    pub settings: Arc<Settings>,
}

#[derive(Debug)]
pub(crate) struct Work {
    /// `None` after a failure: rolled back, while the client has not said RESET yet.
    transaction: Option<Transaction>,
    pub database: String,
    /// The request named its database, so the answer need not.
    pub has_named_database: bool,
    pub kind: WorkKind,
    pub deadline: Option<tokio::time::Instant>,
    pub control: Arc<Control>,
    mode: AccessMode,
    results: BTreeMap<i64, OpenResult>,
    next_qid: i64,
    _thread: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct OpenResult {
    cursor: Cursor,
    kind: StatementKind,
    has_rows: bool,
    started: Instant,
}

/// Who ends the transaction: the end of its only result, or the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WorkKind {
    AutoCommit,
    Explicit,
}

/// What becomes of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taking {
    Pull,
    Discard,
}

/// How far a PULL or DISCARD has come.
#[derive(Debug)]
pub(crate) enum Pulled {
    /// The buffer is full; write it and go on with this many records to go.
    BufferFull {
        left: Option<u64>,
    },
    HasMore,
    /// The result is over; this goes into SUCCESS.
    Over(Dictionary),
}

/// The answer to RUN.
#[derive(Debug)]
pub(crate) struct Ran {
    pub columns: Vec<Arc<str>>,
    pub qid: i64,
    pub milliseconds: i64,
}

impl Work {
    pub fn new(
        database: &Arc<Database>,
        extra: &TransactionExtra,
        name: &str,
        kind: WorkKind,
        thread: OwnedSemaphorePermit,
        memory_max: usize,
    ) -> Self {
        let timeout_ms =
            extra.timeout_ms.and_then(|ms| u64::try_from(ms).ok()).filter(|ms| *ms > 0);
        let deadline = timeout_ms.and_then(|ms| {
            tokio::time::Instant::now().checked_add(std::time::Duration::from_millis(ms))
        });
        Self {
            transaction: Some(Transaction::begin(database)),
            database: name.to_owned(),
            has_named_database: extra.database.is_some(),
            kind,
            deadline,
            control: Arc::new(Control::new(memory_max)),
            mode: extra.mode,
            results: BTreeMap::new(),
            next_qid: 0,
            _thread: thread,
        }
    }

    pub fn run(
        &mut self,
        query: &str,
        parameters: Dictionary,
        engine: &Engine,
        dialect: Dialect,
    ) -> Result<Ran, Failure> {
        let started = Instant::now();
        let result = self.start(query, parameters, engine, dialect);
        let (cursor, kind) = result.map_err(|error| self.failed(&error))?;
        let ran = Ran {
            columns: cursor.columns.clone(),
            qid: self.next_qid,
            milliseconds: started.elapsed().as_millis() as i64,
        };
        self.results.insert(self.next_qid, OpenResult { cursor, kind, has_rows: false, started });
        self.next_qid += 1;
        Ok(ran)
    }

    fn start(
        &mut self,
        query: &str,
        parameters: Dictionary,
        engine: &Engine,
        dialect: Dialect,
    ) -> graph::Result<(Cursor, StatementKind)> {
        self.control.check()?;
        let statement = Statement::parse(query, &*engine.catalog)?;
        if statement
            .database
            .as_ref()
            .is_some_and(|used| !used.eq_ignore_ascii_case(&self.database))
        {
            return Err(Error::Unsupported("USE of another database than the session's".into()));
        }
        if statement.writes() {
            if self.mode == AccessMode::Read {
                return Err(Error::ReadOnly(self.database.clone()));
            }
            if self.database == SYSTEM {
                return Err(Error::Unsupported("administration commands".into()));
            }
        }
        let parameters = Arc::new(map_from_bolt(parameters, dialect)?);
        let transaction = self.transaction.as_mut().ok_or(Error::Cancelled)?;
        let wait = engine.settings.lock_wait;
        let cursor = transaction.run(
            &statement,
            parameters,
            self.control.clone(),
            engine.catalog.clone(),
            wait,
        )?;
        Ok((cursor, statement.kind()))
    }

    /// Appends up to `stream.records` records, or drops them. Stops early at a full buffer.
    pub fn take(
        &mut self,
        stream: Stream,
        taking: Taking,
        output: &mut BytesMut,
        dialect: Dialect,
    ) -> Result<Pulled, Failure> {
        let qid = stream.qid.unwrap_or(self.next_qid - 1);
        match self.take_rows(qid, stream.records, taking, output, dialect) {
            Ok(Some(pulled)) => Ok(pulled),
            Ok(None) => self.finish(qid, dialect),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// `None` when the result is over.
    fn take_rows(
        &mut self,
        qid: i64,
        mut left: Option<u64>,
        taking: Taking,
        output: &mut BytesMut,
        dialect: Dialect,
    ) -> graph::Result<Option<Pulled>> {
        let no_result = || Error::Argument("there is no open result with this number".into());
        let result = self.results.get_mut(&qid).ok_or_else(no_result)?;
        while left != Some(0) {
            if output.len() >= BUFFER_BYTES {
                return Ok(Some(Pulled::BufferFull { left }));
            }
            self.control.check()?;
            let Some(row) = result.cursor.next().transpose()? else { return Ok(None) };
            result.has_rows = true;
            left = left.map(|left| left - 1);
            if taking == Taking::Pull {
                put_record(output, &row, result, dialect)?;
            }
        }
        // Whether there are more is known only by looking: a lazy result may end right here.
        Ok(result.cursor.peek().map(|_| Pulled::HasMore))
    }

    /// Rolls back after an error.
    fn failed(&mut self, error: &Error) -> Failure {
        self.fail();
        failure::of(error)
    }

    fn finish(&mut self, qid: i64, dialect: Dialect) -> Result<Pulled, Failure> {
        let result = self.results.remove(&qid).expect("the caller found it");
        let mut summary = Dictionary::new();
        if self.kind == WorkKind::AutoCommit {
            summary.push("bookmark", self.commit()?);
        }
        summary.push("type", kind(result.kind));
        summary.push("t_last", result.started.elapsed().as_millis() as i64);
        summary.push("db", self.database.as_str());
        let stats = stats(&result.cursor.counters);
        if !stats.is_empty() {
            summary.push("stats", stats);
        }
        if dialect.version >= bolt::Version::new(5, 6) {
            summary.push("statuses", vec![bolt::Value::Dictionary(status(&result))]);
        }
        Ok(Pulled::Over(summary))
    }

    /// Commits and returns the bookmark.
    pub fn commit(&mut self) -> Result<String, Failure> {
        self.results.clear();
        let transaction = self.transaction.take();
        let committed =
            self.control.check().and_then(|()| transaction.ok_or(Error::Cancelled)?.commit());
        committed.map(bookmark).map_err(|error| failure::of(&error))
    }

    /// Rolls back, so that locks are free; the thread stays taken until the client's RESET.
    pub fn fail(&mut self) {
        self.results.clear();
        self.transaction = None;
    }

    /// The time is up while nothing runs: what comes next finds out.
    pub fn expire(&mut self) {
        self.deadline = None;
        self.control.time_out();
        self.fail();
    }

    pub fn has_something_to_drop(&self) -> bool {
        self.transaction.is_some() || !self.results.is_empty()
    }

    pub fn has_results(&self) -> bool {
        !self.results.is_empty()
    }
}

fn put_record(
    output: &mut BytesMut,
    row: &[graph::Value],
    result: &OpenResult,
    dialect: Dialect,
) -> graph::Result<()> {
    let start = output.len();
    let mut outcome = Ok(());
    put_message(output, |output| {
        put_record_header(output, row.len());
        outcome =
            row.iter().try_for_each(|value| put(output, value, &result.cursor.graph, dialect));
    });
    if outcome.is_err() {
        output.truncate(start);
    }
    outcome
}

pub(crate) fn bookmark(version: u64) -> String {
    format!("{BOOKMARK}{version}")
}

/// # Errors
/// A bookmark is from another server.
pub(crate) fn check_bookmarks(bookmarks: &[String]) -> Result<(), Failure> {
    let is_ours = |bookmark: &String| {
        bookmark.strip_prefix(BOOKMARK).is_some_and(|version| version.parse::<u64>().is_ok())
    };
    match bookmarks.iter().find(|bookmark| !is_ours(bookmark)) {
        None => Ok(()),
        Some(_) => {
            Err(Failure::new(code::INVALID_BOOKMARK, "Supplied bookmark is not from this server."))
        }
    }
}

fn kind(kind: StatementKind) -> &'static str {
    match kind {
        StatementKind::Read => "r",
        StatementKind::ReadWrite => "rw",
        StatementKind::Write => "w",
        StatementKind::Schema => "s",
    }
}

fn stats(counters: &Counters) -> Dictionary {
    let named = [
        ("nodes-created", counters.nodes_created),
        ("nodes-deleted", counters.nodes_deleted),
        ("relationships-created", counters.relationships_created),
        ("relationships-deleted", counters.relationships_deleted),
        ("properties-set", counters.properties_set),
        ("labels-added", counters.labels_added),
        ("labels-removed", counters.labels_removed),
        ("indexes-added", counters.indexes_added),
        ("indexes-removed", counters.indexes_removed),
    ];
    let mut stats: Dictionary = named
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| (name.to_owned(), count.into()))
        .collect();
    if !stats.is_empty() {
        stats.push("contains-updates", true);
    }
    stats
}

/// The GQL status of a result that went well.
fn status(result: &OpenResult) -> Dictionary {
    let (code, description) = if result.cursor.columns.is_empty() {
        ("00001", "note: successful completion - omitted result")
    } else if result.has_rows {
        ("00000", "note: successful completion")
    } else {
        ("02000", "note: no data")
    };
    Dictionary::new().with("gql_status", code).with("status_description", description)
}

pub(crate) const SYSTEM: &str = "system";
const BOOKMARK: &str = "FB:sandbox:";
