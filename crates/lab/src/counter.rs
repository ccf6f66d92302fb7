//! Connections as the server counts them, never as the clients that are being judged would. Where a
//! server can't be asked (its procedure is denied, or it shows one member of a cluster only), the
//! tasks' sockets are counted instead, and the numbers say so.

mod books;
pub(crate) mod listing;
mod sockets;

use std::fmt;

use anyhow::Result;
use serde::{Deserialize, Serialize};

pub use books::Books;
pub use listing::Listing;
pub use sockets::Sockets;

use crate::results::Sample;

/// Where the numbers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CountedBy {
    /// The sandbox's own books: exact, peaks included.
    Books,
    /// `dbms.listConnections` and `SHOW TRANSACTIONS`: opened and closed by the server's connection
    /// ids, exact as long as nobody else connects between two samples; peaks sampled.
    ListConnections,
    /// The tasks' established sockets: sampled, what opens and closes between samples is missed.
    Sockets,
}

impl CountedBy {
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Books => "the server's own books (exact)",
            Self::ListConnections => {
                "dbms.listConnections and SHOW TRANSACTIONS, ten times a second; opened and closed by the server's connection ids, which is exact if nobody else connected meanwhile"
            }
            Self::Sockets => {
                "the tasks' sockets on this machine, and the pooler's for pooled, ten times a second (the server could not be asked)"
            }
        }
    }
}

/// Totals of a pattern that is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub opened: u64,
    pub closed: u64,
    /// Still open, whenever they were opened.
    pub open: u64,
    /// Exact peaks, if the server keeps them: open, idle, in use.
    pub peaks: Option<(u64, u64, u64)>,
}

/// Whose connections a pattern's are, by the names that the server is told.
#[derive(Clone, Debug)]
pub struct Origin {
    pub tasks: Names,
    /// The pooler that stands between tasks and server. A task that gets past it still counts: hiding
    /// that would flatter the pooler.
    pub pooler: Option<PoolerOrigin>,
}

impl Default for Origin {
    fn default() -> Self {
        Self { tasks: Names::Exactly(String::new()), pooler: None }
    }
}

/// How a pattern's tasks call themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// All the same, as no other run does.
    Exactly(String),
    /// Each as the task of a DAG run that it is; these are the words that they share.
    Containing(String),
    /// As their driver does when it is told nothing. What was there before is somebody else's.
    NewFrom(&'static str),
}

impl Names {
    /// Whether a connection of this user agent is the pattern's; `is_new` if it was opened since the
    /// pattern's start.
    fn fit(&self, user_agent: &str, is_new: bool) -> bool {
        match self {
            Self::Exactly(name) => user_agent == name,
            Self::Containing(words) => user_agent.contains(words.as_str()),
            Self::NewFrom(start) => is_new && user_agent.starts_with(start),
        }
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(name) => f.write_str(name),
            Self::Containing(words) => write!(f, "…{words}…"),
            Self::NewFrom(start) => write!(f, "{start}…"),
        }
    }
}

/// Which connections are a pooler's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolerOrigin {
    /// Those of this user agent that came with the pattern: the pooler was started for it.
    New(&'static str),
    /// Those of any BoltBouncer, which was there before and stays.
    Any,
}

impl PoolerOrigin {
    fn fit(self, user_agent: &str, is_new: bool) -> bool {
        match self {
            Self::New(name) => is_new && user_agent == name,
            Self::Any => user_agent.starts_with("boltbouncer/"),
        }
    }
}

/// Counts one pattern's connections and no others.
#[derive(Debug)]
pub enum Counter {
    Books(Books),
    Listing(Box<Listing>),
    Sockets(Sockets),
}

impl Counter {
    /// A pattern begins, whose connections come from `origin`.
    pub async fn begin(&mut self, origin: Origin) -> Result<()> {
        match self {
            Self::Books(books) => books.begin(origin),
            Self::Listing(listing) => listing.begin(origin).await?,
            Self::Sockets(sockets) => sockets.begin(&origin),
        }
        Ok(())
    }

    /// Gets ready to count after a question that was not answered.
    pub async fn mend(&mut self) -> Result<()> {
        match self {
            Self::Listing(listing) => listing.mend().await,
            Self::Books(_) | Self::Sockets(_) => Ok(()),
        }
    }

    /// Counts now; `pids` are the task processes that run.
    pub async fn sample(&mut self, at_ms: u64, pids: &[u32]) -> Result<Sample> {
        match self {
            Self::Books(books) => Ok(books.sample(at_ms)),
            Self::Listing(listing) => listing.sample(at_ms).await,
            Self::Sockets(sockets) => Ok(sockets.sample(at_ms, pids)),
        }
    }

    /// The pattern is over, and its last connection is gone from the samples.
    pub async fn finish(&mut self) -> Result<Totals> {
        match self {
            Self::Books(books) => Ok(books.totals()),
            Self::Listing(listing) => listing.finish().await,
            Self::Sockets(sockets) => Ok(sockets.totals()),
        }
    }

    pub fn counted_by(&self) -> CountedBy {
        match self {
            Self::Books(_) => CountedBy::Books,
            Self::Listing(_) => CountedBy::ListConnections,
            Self::Sockets(_) => CountedBy::Sockets,
        }
    }

    /// Connections of other applications that were seen while the pattern ran.
    pub fn others_seen(&self) -> u64 {
        match self {
            Self::Listing(listing) => listing.others_seen(),
            Self::Books(_) | Self::Sockets(_) => 0,
        }
    }

    pub async fn close(self) {
        if let Self::Listing(listing) = self {
            listing.close().await;
        }
    }
}
