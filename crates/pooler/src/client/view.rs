//! What a client believes: the state that it takes its connection to be in, from what it was told.
//! It is a value without a socket; only [`super::Client`] changes it.

use bolt::{RequestTag, ServerState};
use tokio::time::Instant;

use crate::reason::Reason;
use crate::unit::Kind;

/// What a client believes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum View {
    /// It has to send HELLO or LOGON, and to be let in before `until`.
    LoggingIn { at: ServerState, until: Instant },
    /// Everything that it asked for was answered, and left it in this state.
    At(ServerState),
    /// It was told of a failure. Until it sends RESET, everything else is ignored.
    Failed,
    /// Something failed after its last answer. Bolt has no way to say so before it asks again: its
    /// next request is answered with the failure.
    Owes { at: ServerState, reason: Reason },
}

/// What becomes of a request that comes between two units of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handling {
    /// It belongs to the pooler: HELLO, LOGON, LOGOFF, TELEMETRY.
    Local,
    /// It begins a unit of work.
    Unit(Kind),
    /// RESET, or a ROLLBACK of what was rolled back already.
    Reset,
    Ignore,
    /// The failure that is owed.
    Fail(Reason),
    /// Not legal here. Neo4j answers FAILURE and closes.
    Illegal,
    /// No request of Bolt. Neo4j closes without an answer.
    Unknown,
    Goodbye,
}

impl Handling {
    /// Whether the request is to be carried out, and not only to be answered in its turn.
    pub fn carries_out(self) -> bool {
        matches!(self, Self::Local | Self::Unit(_) | Self::Reset)
    }
}

impl View {
    /// A client that has not logged in yet, or has logged off.
    pub fn logging_in(at: ServerState, until: Instant) -> Self {
        Self::LoggingIn { at, until }
    }

    /// The state in the words of the specification.
    pub fn state(&self) -> ServerState {
        match self {
            Self::LoggingIn { at, .. } | Self::At(at) | Self::Owes { at, .. } => *at,
            Self::Failed => ServerState::Failed,
        }
    }

    pub fn is_logged_in(&self) -> bool {
        !matches!(self, Self::LoggingIn { .. })
    }

    /// Decides about a request. `resets` is how many RESETs came after it: what stands before a
    /// RESET is not worth doing any more.
    pub fn handling(&self, request: RequestTag, resets: usize) -> Handling {
        match request {
            RequestTag::Goodbye => return Handling::Goodbye,
            RequestTag::Unknown(_) => return Handling::Unknown,
            RequestTag::Reset if self.is_logged_in() => return Handling::Reset,
            _ => {}
        }
        if resets > 0 && self.is_logged_in() {
            return Handling::Ignore;
        }
        if !self.state().accepts(request) {
            return Handling::Illegal;
        }
        match (self, request) {
            // What it asks for has happened.
            (Self::Owes { .. }, RequestTag::Rollback) => Handling::Reset,
            (Self::Owes { reason, .. }, _) => Handling::Fail(*reason),
            (Self::Failed | Self::At(ServerState::Interrupted), _) => Handling::Ignore,
            _ => Kind::begun_by(request).map_or(Handling::Local, Handling::Unit),
        }
    }

    /// The client has heard an answer that leaves it in `state`. Only RESET ends a failure.
    pub fn answered(&mut self, state: ServerState) {
        *self = match (*self, state) {
            (Self::Failed, _) | (_, ServerState::Failed) => Self::Failed,
            (_, state) => Self::At(state),
        };
    }

    pub fn failed(&mut self) {
        *self = Self::Failed;
    }

    pub fn reset(&mut self) {
        *self = Self::At(ServerState::Ready);
    }

    /// Something has failed that the client does not know of. Whoever believes that all is done, or
    /// knows of a failure already, has nothing to learn.
    pub fn owe(&mut self, reason: Reason) {
        if let Self::At(at) = *self
            && at != ServerState::Ready
        {
            *self = Self::Owes { at, reason };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_lasts_until_reset() {
        let mut view = View::At(ServerState::TxReady);
        view.failed();
        view.answered(ServerState::Ready);
        assert_eq!(view.handling(RequestTag::Run, 0), Handling::Ignore);
        assert_eq!(view.handling(RequestTag::Begin, 0), Handling::Illegal);
        assert_eq!(view.handling(RequestTag::Reset, 0), Handling::Reset);
        view.reset();
        assert_eq!(view.handling(RequestTag::Begin, 0), Handling::Unit(Kind::Transaction));
    }

    #[test]
    fn a_failure_that_is_owed_answers_the_next_request_but_a_rollback() {
        let mut view = View::At(ServerState::TxReady);
        view.owe(Reason::TransactionTimeout);
        let failed = Handling::Fail(Reason::TransactionTimeout);
        assert_eq!(view.handling(RequestTag::Commit, 0), failed);
        assert_eq!(view.handling(RequestTag::Rollback, 0), Handling::Reset);
        // Legal for somebody who believes to be in a transaction, and only that.
        assert_eq!(view.handling(RequestTag::Begin, 0), Handling::Illegal);
    }

    #[test]
    fn nothing_is_owed_to_who_believes_that_all_is_done() {
        let mut view = View::At(ServerState::Ready);
        view.owe(Reason::UpstreamClosed);
        assert_eq!(view, View::At(ServerState::Ready));
    }

    #[test]
    fn a_stranger_has_no_reset_and_is_not_ignored() {
        let view = View::logging_in(ServerState::Negotiation, Instant::now());
        assert_eq!(view.handling(RequestTag::Reset, 0), Handling::Illegal);
        assert_eq!(view.handling(RequestTag::Hello, 1), Handling::Local);
        assert_eq!(view.handling(RequestTag::Run, 1), Handling::Illegal);
    }
}
