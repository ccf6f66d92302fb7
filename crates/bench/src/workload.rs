//! What one operation is. Its requests are encoded once, before the run, so that a client only sends
//! bytes.

use std::fmt;
use std::str::FromStr;

use bolt::message::{Stream, TransactionExtra};
use bolt::{Dictionary, Request, Value};
use client::Encoded;
use serde::{Deserialize, Serialize};

/// What a client repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Workload {
    /// An auto-commit `RETURN 1`: RUN and PULL in one go.
    Query,
    /// BEGIN, then RUN and PULL, then COMMIT, each answered before the next.
    Tx,
    /// An auto-commit query that counts up in a node of the client's own.
    Write,
    /// Connect, log in, one query, close.
    Reconnect,
    /// One query with very many records.
    Stream,
    /// A mixture: fourteen of twenty operations are `query`, four are `tx`, one is `write` and one is
    /// `reconnect`.
    Mixed,
}

/// One thing that a client does and that is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Query,
    Tx,
    Write,
    Reconnect,
    Stream,
}

impl Workload {
    pub const ALL: [Self; 6] =
        [Self::Query, Self::Tx, Self::Write, Self::Reconnect, Self::Stream, Self::Mixed];

    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Tx => "tx",
            Self::Write => "write",
            Self::Reconnect => "reconnect",
            Self::Stream => "stream",
            Self::Mixed => "mixed",
        }
    }

    /// The operation with this index in the workload.
    pub(crate) fn operation(self, index: usize) -> Operation {
        match self {
            Self::Query => Operation::Query,
            Self::Tx => Operation::Tx,
            Self::Write => Operation::Write,
            Self::Reconnect => Operation::Reconnect,
            Self::Stream => Operation::Stream,
            Self::Mixed => MIXTURE[index % MIXTURE.len()],
        }
    }

    /// Whether clients need a node to count in.
    pub(crate) fn writes(self) -> bool {
        matches!(self, Self::Write | Self::Mixed)
    }

    /// Whether clients stay connected from one operation to the next.
    pub(crate) fn keeps_connections(self) -> bool {
        self != Self::Reconnect
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Workload {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|workload| workload.name() == name);
        known.ok_or_else(|| {
            format!(
                "there is no workload {name}; there are {}",
                Self::ALL.map(Self::name).join(", ")
            )
        })
    }
}

/// What all clients of a target send.
#[derive(Debug)]
pub(crate) struct Requests {
    pub query: Encoded,
    pub begin: Encoded,
    pub run: Encoded,
    pub commit: Encoded,
    pub stream: Encoded,
}

impl Requests {
    pub fn new(database: Option<&str>, records: u64, record_bytes: usize) -> Self {
        let nothing = TransactionExtra::default;
        let text = "x".repeat(record_bytes.saturating_sub(RECORD_BYTES_MIN));
        let records = i64::try_from(records).unwrap_or(i64::MAX);
        let many = Dictionary::new().with("records", records).with("text", text);
        let many_query = "UNWIND range(1, $records) AS i RETURN $text AS text";
        Self {
            query: auto_commit("RETURN 1", Dictionary::new(), on(database)),
            begin: Encoded::new(&[Request::Begin(on(database))]),
            run: auto_commit("RETURN 1", Dictionary::new(), nothing()),
            commit: Encoded::new(&[Request::Commit]),
            stream: auto_commit(many_query, many, on(database)),
        }
    }
}

/// The request that counts up in the node with this id.
pub(crate) fn count_up(database: Option<&str>, id: &Value) -> Encoded {
    let query = match id {
        Value::Integer(_) => "MATCH (n) WHERE id(n) = $id SET n.count = n.count + 1",
        _ => "MATCH (n) WHERE elementId(n) = $id SET n.count = n.count + 1",
    };
    auto_commit(query, Dictionary::new().with("id", id.clone()), on(database))
}

pub(crate) fn on(database: Option<&str>) -> TransactionExtra {
    TransactionExtra { database: database.map(str::to_owned), ..TransactionExtra::default() }
}

fn auto_commit(query: &str, parameters: Dictionary, extra: TransactionExtra) -> Encoded {
    let run = Request::Run { query: query.to_owned(), parameters, extra };
    Encoded::new(&[run, Request::Pull(Stream::ALL)])
}

/// How many bytes a RECORD with one string of 16 to 255 bytes has beside that string: the chunk's header
/// and end, and the headers of the structure, the list and the string.
pub const RECORD_BYTES_MIN: usize = 9;

const MIXTURE: [Operation; 20] = {
    use Operation::{Query, Reconnect, Tx, Write};
    [
        Query, Query, Tx, Query, Query, Query, Write, Query, Tx, Query, Query, Query, Tx, Query,
        Query, Query, Reconnect, Query, Tx, Query,
    ]
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for workload in Workload::ALL {
            assert_eq!(workload.name().parse::<Workload>(), Ok(workload));
        }
        assert!("querry".parse::<Workload>().unwrap_err().contains("query, tx, write"));
    }

    #[test]
    fn the_mixture_is_what_its_description_says() {
        let count = |wanted| (0..20).filter(|i| Workload::Mixed.operation(*i) == wanted).count();
        assert_eq!(count(Operation::Query), 14);
        assert_eq!(count(Operation::Tx), 4);
        assert_eq!(count(Operation::Write), 1);
        assert_eq!(count(Operation::Reconnect), 1);
    }
}
