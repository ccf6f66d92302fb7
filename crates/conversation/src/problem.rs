//! What can go otherwise than a script says while it is played.

use std::{fmt, io};

use bolt::chunk::ChunkError;
use thiserror::Error;

use crate::mistake::Mistake;

#[derive(Debug, Error)]
pub enum Problem {
    #[error("wanted {wanted}, found {found}")]
    Differs { wanted: String, found: String },
    #[error("there is no {0}")]
    Missing(String),
    #[error("the script itself has closed this connection")]
    Closed,
    #[error("the connection does not take bytes any more: {0}")]
    Io(#[from] io::Error),
    #[error("what came is not cut into messages: {0}")]
    Chunk(#[from] ChunkError),
    #[error(transparent)]
    Mistake(#[from] Mistake),
    /// What a setup has to say for itself.
    #[error("{0}")]
    Setup(String),
}

/// A script that did not go as written.
#[derive(Debug, Error)]
#[error("{script}\n  {at}\n  {problem}")]
pub struct Failed {
    pub script: String,
    pub at: Place,
    pub problem: Problem,
}

/// Where in a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Start,
    /// Lines are counted from 1, in the file.
    Line {
        number: usize,
        text: String,
    },
    End,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("at the start"),
            Self::Line { number, text } => write!(f, "line {number}: {text}"),
            Self::End => f.write_str("at the end"),
        }
    }
}

/// Compares what a line of a setup's own wants to see with what there is.
pub fn expect_equal(wanted: &str, found: impl ToString) -> Result<(), Problem> {
    let found = found.to_string();
    if wanted == found {
        return Ok(());
    }
    Err(Problem::Differs { wanted: wanted.to_owned(), found })
}
