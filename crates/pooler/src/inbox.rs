//! How much of what a client sends may wait in the pooler.

use net::InboxLimits;

pub(crate) static INBOX_LIMITS: InboxLimits = InboxLimits {
    // For all but RUN. Neo4j has no limit here; BEGIN with tens of thousands of bookmarks takes less.
    message_max: 4 << 20,
    // A batch of parameters is never gathered in memory.
    gathered_max: Some(256 * 1024),
    // As Neo4j.
    bytes_max: 2 << 20,
};
