//! What can go wrong with a query. A server reports each variant under a code of its own, so nobody
//! needs to read the text to tell them apart.

use thiserror::Error;

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Error {
    /// `line` and `column` count from 1.
    #[error("{message} (line {line}, column {column})")]
    Syntax { message: String, line: usize, column: usize },
    /// The query is well formed and means nothing: an unknown variable, say.
    #[error("{0}")]
    Semantic(String),
    /// A part of Cypher that this engine does not have.
    #[error("the sandbox does not support {0}")]
    Unsupported(String),
    #[error("Unknown function '{0}'")]
    UnknownFunction(String),
    #[error("There is no procedure with the name `{0}` registered for this database instance.")]
    UnknownProcedure(String),
    #[error("Expected parameter(s): {0}")]
    MissingParameter(String),
    #[error("{0}")]
    Type(String),
    #[error("{0}")]
    Argument(String),
    #[error("{0}")]
    Arithmetic(String),
    #[error("Unable to load {kind} with id {id}: it was deleted")]
    Deleted { kind: &'static str, id: u64 },
    #[error(
        "Cannot delete node<{0}>, because it still has relationships. To delete this node, you must first delete its relationships."
    )]
    StillConnected(u64),
    #[error("Writing in read access mode not allowed. Attempted write to {0}")]
    ReadOnly(String),
    /// Whoever provides a procedure does not let this user call it.
    #[error("Executing procedure is not allowed for this user: {0}")]
    Forbidden(String),
    #[error("the query was cancelled")]
    Cancelled,
    #[error("the transaction has passed its time-out")]
    TimedOut,
    #[error("the query needs more than its {limit} bytes of memory")]
    MemoryLimit { limit: usize },
    #[error(
        "another transaction has been writing for longer than the {waited_ms} ms that this one may wait"
    )]
    LockTimeout { waited_ms: u64 },
}

impl Error {
    /// The result of integer arithmetic does not fit 64 bits.
    pub(crate) fn overflow() -> Self {
        Self::Arithmetic("long overflow".into())
    }
}

pub type Result<T, E = Error> = std::result::Result<T, E>;
