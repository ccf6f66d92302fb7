//! How a client's connection ends.

use std::io;

use bolt::ChunkError;
use bolt::version::HandshakeError;
use net::Disagreement;

use crate::reason::Reason;

/// Why a client's connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    ClientLeft,
    /// The pooler is going, and the client had nothing under way.
    Drained,
    /// What the metrics count.
    Because(Reason),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::ClientLeft
    }
}

impl From<ChunkError> for End {
    fn from(_: ChunkError) -> Self {
        Self::Because(Reason::MessageTooLarge)
    }
}

impl From<Disagreement> for End {
    fn from(disagreement: Disagreement) -> Self {
        match disagreement {
            Disagreement::Lost(_) => Self::ClientLeft,
            Disagreement::Refused(HandshakeError::NothingInCommon | HandshakeError::NotOffered) => {
                Self::Because(Reason::ClientVersion)
            }
            Disagreement::Refused(_) => Self::Because(Reason::Handshake),
        }
    }
}
