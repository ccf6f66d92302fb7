//! What a client is called: the name that its driver logs, and that operators see.

use std::fmt;

/// A client's number. It is shown as Neo4j shows its own connections, and begins where no server's
/// numbers are: a client's name that is given to `dbms.killConnection` must not end a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ClientId(pub u64);

impl ClientId {
    pub const FIRST: u64 = 1_000_000_000;
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bolt-{}", self.0)
    }
}
