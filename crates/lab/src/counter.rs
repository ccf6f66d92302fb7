//! Connections as the server counts them, never as the clients would whose behaviour is measured. Some
//! servers can't be asked: they deny the procedure, or they show only one member of a cluster. Then the
//! tasks' sockets are counted instead, and the results say so.

mod books;
pub(crate) mod listing;
mod origin;
mod sockets;
mod totals;

use anyhow::Result;

pub use books::Books;
pub use listing::Listing;
pub use origin::{Names, Origin, PoolerOrigin};
pub use sockets::Sockets;
pub use totals::{Peaks, Totals};

use crate::results::{CountedBy, Logins, Sample};

/// Counts one pattern's connections and no others.
#[derive(Debug)]
pub enum Counter {
    Books(Books),
    Listing(Box<Listing>),
    Sockets(Sockets),
}

impl Counter {
    /// Gets ready to count a pattern that begins now, and whose connections come from `origin`.
    pub async fn begin(&mut self, origin: Origin) -> Result<()> {
        match self {
            Self::Books(books) => books.begin(origin),
            Self::Listing(listing) => listing.begin(origin).await?,
            Self::Sockets(sockets) => sockets.begin(&origin),
        }
        Ok(())
    }

    /// Gets ready to count again after a sample that failed.
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

    /// Counts a pattern that is over, after its last connection was closed.
    pub async fn finish(&mut self) -> Result<Totals> {
        match self {
            Self::Books(books) => Ok(books.totals()),
            Self::Listing(listing) => listing.finish().await,
            Self::Sockets(sockets) => Ok(sockets.totals()),
        }
    }

    /// Connections that the server has refused since the pattern began, if it says.
    pub fn refused(&self) -> Option<u64> {
        match self {
            Self::Books(books) => Some(books.refused()),
            Self::Listing(_) | Self::Sockets(_) => None,
        }
    }

    /// Logins since the pattern began, if the server says.
    pub fn logins(&self) -> Option<Logins> {
        match self {
            Self::Books(books) => Some(books.logins()),
            Self::Listing(_) | Self::Sockets(_) => None,
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
