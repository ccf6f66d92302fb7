//! Connections as the server counts them, never as the clients that are being judged would. Where a
//! server can't be asked (its procedure is denied, or it shows one member of a cluster only), the
//! tasks' sockets are counted instead, and the numbers say so.

pub(crate) mod listing;
mod sockets;

use std::sync::Arc;

use anyhow::Result;
use sandbox::Sandbox;
use serde::{Deserialize, Serialize};

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
                "the tasks' sockets on this machine, ten times a second (the server could not be asked)"
            }
        }
    }
}

/// Totals of a pattern that is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub opened: u64,
    pub closed: u64,
    /// Exact peaks, if the server keeps them: open, idle, in use.
    pub peaks: Option<(u64, u64, u64)>,
}

/// Counts one pattern's connections, told from all others by their user agent.
#[derive(Debug)]
pub enum Counter {
    Books { sandbox: Arc<Sandbox>, user_agent: String },
    Listing(Box<Listing>),
    Sockets(Sockets),
}

impl Counter {
    /// A pattern begins, whose tasks call themselves `user_agent`.
    pub async fn begin(&mut self, user_agent: &str) -> Result<()> {
        match self {
            Self::Books { sandbox, user_agent: current } => {
                sandbox.reset_peaks();
                user_agent.clone_into(current);
                Ok(())
            }
            Self::Listing(listing) => listing.begin(user_agent).await,
            Self::Sockets(sockets) => {
                sockets.begin();
                Ok(())
            }
        }
    }

    /// Counts now; `pids` are the task processes that run.
    pub async fn sample(&mut self, at_ms: u64, pids: &[u32]) -> Result<Sample> {
        match self {
            Self::Books { sandbox, user_agent } => {
                let books = sandbox.books();
                let count = books.by_user_agent.get(user_agent).copied().unwrap_or_default();
                Ok(Sample {
                    at_ms,
                    opened: count.opened,
                    closed: count.closed,
                    open: count.open,
                    idle: count.idle(),
                    in_use: count.in_use,
                    others: books.all.open - count.open,
                })
            }
            Self::Listing(listing) => listing.sample(at_ms).await,
            Self::Sockets(sockets) => Ok(sockets.sample(at_ms, pids)),
        }
    }

    /// The pattern is over, and its last connection is gone from the samples.
    pub async fn finish(&mut self) -> Result<Totals> {
        match self {
            Self::Books { sandbox, user_agent } => {
                let books = sandbox.books();
                let count = books.by_user_agent.get(user_agent).copied().unwrap_or_default();
                let peaks = Some((count.peak_open, count.peak_idle, count.peak_in_use));
                Ok(Totals { opened: count.opened, closed: count.closed, peaks })
            }
            Self::Listing(listing) => listing.finish().await,
            Self::Sockets(sockets) => Ok(sockets.totals()),
        }
    }

    pub fn counted_by(&self) -> CountedBy {
        match self {
            Self::Books { .. } => CountedBy::Books,
            Self::Listing(_) => CountedBy::ListConnections,
            Self::Sockets(_) => CountedBy::Sockets,
        }
    }

    /// Connections of other applications that were seen while the pattern ran.
    pub fn others_seen(&self) -> u64 {
        match self {
            Self::Listing(listing) => listing.others_seen(),
            Self::Books { .. } | Self::Sockets(_) => 0,
        }
    }

    pub async fn close(self) {
        if let Self::Listing(listing) = self {
            listing.close().await;
        }
    }
}
