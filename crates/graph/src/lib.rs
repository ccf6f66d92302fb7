//! A small in-memory property graph that speaks a large part of openCypher. It does no I/O; what
//! it lacks it refuses by name, and it never answers wrongly instead.
//!
//! - [`database`]: databases, transactions, cursors: the way in
//! - [`lexer`], [`parser`], [`ast`], [`bind`]: text to clauses whose variables have slots
//! - [`exec`], [`eval`], [`functions`]: clauses over streams of rows, expressions over a row
//! - [`store`]: the graph in persistent maps, so that a snapshot costs nothing
//! - [`value`], [`temporal`]: what rows hold
//! - [`context`]: what a running query may use, and the limits that end it

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

/// The stack that a thread needs which parses, runs or drops queries. Nesting is bounded so that
/// this is enough in debug builds as well.
pub const STACK_BYTES: usize = 32 << 20;
