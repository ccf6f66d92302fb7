//! A connection as its pool keeps it: the upstream itself, the right to have it open, and what
//! decides whether it may be used again.

use std::sync::Arc;

use tokio::time::Instant;

use super::Permit;
use super::hold::Hold;
use crate::credential::Credential;
use crate::server::Upstream;

/// Tells the connections of one pool apart, from the moment in which opening them is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ConnectionId(pub u64);

#[derive(Debug)]
pub(super) struct Connection {
    pub id: ConnectionId,
    pub upstream: Box<Upstream>,
    /// What it was opened with.
    pub credential: Arc<Credential>,
    /// The pool's when opening this connection was decided. Connections of an earlier epoch are
    /// closed instead of used again.
    pub epoch: u64,
    /// When it was last given back, or opened.
    pub idle_since: Instant,
    /// When the server last answered on it, as far as is known.
    pub alive_at: Instant,
    /// A client has had it.
    pub was_used: bool,
    /// What is known of it while somebody has it.
    pub hold: Arc<Hold>,
    permit: Permit,
}

impl Connection {
    pub fn new(
        id: ConnectionId,
        upstream: Box<Upstream>,
        credential: Arc<Credential>,
        permit: Permit,
        epoch: u64,
    ) -> Self {
        let now = Instant::now();
        let hold = Arc::new(Hold::new(upstream.id.clone()));
        Self {
            id,
            upstream,
            credential,
            epoch,
            idle_since: now,
            alive_at: now,
            was_used: false,
            hold,
            permit,
        }
    }

    /// Whether it may be used again, as far as its login is concerned.
    pub fn is_current(&self, epoch: u64) -> bool {
        self.epoch == epoch && !self.credential.is_void()
    }

    /// Closes the connection, and then gives up the right to have it open.
    pub fn close(self) {
        self.upstream.close();
        drop(self.permit);
    }

    /// Takes the right to have a connection open over to another one. The upstream remains to be
    /// closed.
    pub fn into_parts(self) -> (Upstream, Permit) {
        (*self.upstream, self.permit)
    }
}
