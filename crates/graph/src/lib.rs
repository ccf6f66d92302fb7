//! A small in-memory property graph that speaks a large part of openCypher. It does no I/O. A part
//! of Cypher that it lacks is refused by name; a wrong answer is never given instead.
//!
//! - [`database`]: databases, transactions and cursors. Whoever uses the engine begins here.
//! - [`lexer`], [`parser`]: a query's text becomes tokens, and these become a tree ([`ast`]).
//! - [`bind`]: every name in the tree is looked up; the result is a query ready to run ([`bound`]).
//! - [`exec`], [`eval`], [`functions`]: clauses run over streams of rows, expressions over one row.
//! - [`store`]: the graph, in persistent maps, so that a snapshot costs nothing.
//! - [`value`], [`calendar`], [`row`]: what a row holds.
//! - [`kinds`], [`label`]: words that parsed and bound queries share.
//! - [`context`]: what a running query may use, and the limits that end it.

mod ast;
mod bind;
mod bound;
mod calendar;
mod context;
mod database;
mod error;
mod eval;
mod exec;
mod functions;
mod kinds;
mod label;
mod lexer;
mod parser;
mod row;
mod store;
pub mod value;

pub use context::{Context, Control, Procedures, Signatures};
pub use database::{Cursor, Database, Statement, StatementKind, Transaction};
pub use error::{Error, Result};
pub use exec::Counters;
pub use functions::element_id;
pub use row::Row;
pub use store::{Graph, Node, Relationship};
pub use value::{Map, Path, Point, Value};

/// Dates, times and durations, and their text.
pub mod temporal {
    pub use crate::calendar::{
        Date, DateTime, Duration, LocalDateTime, LocalTime, Moment, Time, Zone,
    };
    pub use crate::functions::temporal::{add, component, construct, format};
}

/// The stack of a thread that parses, runs or drops queries has to be this large. The parser bounds
/// how deep queries are nested, so that it is enough in debug builds as well.
pub const STACK_BYTES: usize = 32 << 20;
