//! When a unit of work keeps its connection only because its client lets it: nothing is asked for that
//! the server could do, or the client does not take what it has asked for.

use bolt::{RequestTag, ServerState, Tracker};
use tokio::time::Instant;

use super::{Effects, Lag, Phase, Recovery, Unit};
use crate::reason::Reason;

/// How a client lets its connection rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Rest {
    /// A transaction is open, and nothing runs in it.
    InTransaction,
    /// There are records that it has not asked for.
    UnreadResult,
    /// A long request has begun and does not go on.
    HalfRequest,
    /// It does not take the records that it has asked for.
    NotReading,
}

/// What happens on a connection that somebody holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// The server has something to do, or the client is being heard.
    Running,
    /// Records come, and are taken.
    Streaming,
    Resting(Rest),
}

impl Doing {
    /// For programs.
    pub fn label(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Streaming => "streaming",
            Self::Resting(Rest::InTransaction) => "idle_in_transaction",
            Self::Resting(Rest::UnreadResult) => "result_not_fetched",
            Self::Resting(Rest::HalfRequest) => "request_half_sent",
            Self::Resting(Rest::NotReading) => "answers_not_taken",
        }
    }
}

impl Rest {
    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::InTransaction => "idle in transaction",
            Self::UnreadResult => "result not fetched",
            Self::HalfRequest => "request half sent",
            Self::NotReading => "answers not taken",
        }
    }
}

impl Unit {
    /// How the client lets the connection rest, and since when.
    pub fn resting(&self) -> Option<(Rest, Instant)> {
        self.times.resting
    }

    /// Whether the server is read although the client takes nothing: what comes is short, or for
    /// nobody.
    pub fn overrules_lag(&self, tracker: &Tracker) -> bool {
        match self.phase {
            Phase::Recovering(Recovery::Asked, _) => !owes_more_than_reset(tracker),
            Phase::Recovering(..) | Phase::Abandoned(..) => true,
            _ => false,
        }
    }

    pub(super) fn is_server_read(&self, tracker: &Tracker) -> bool {
        self.times.lag == Lag::None || self.overrules_lag(tracker)
    }

    pub(super) fn rest(&self, tracker: &Tracker) -> Option<Rest> {
        let owes = owes_more_than_reset(tracker);
        match self.phase {
            Phase::Sending => Some(Rest::HalfRequest),
            Phase::Serving if !owes => match tracker.state() {
                ServerState::TxReady => Some(Rest::InTransaction),
                ServerState::Streaming | ServerState::TxStreaming => Some(Rest::UnreadResult),
                _ => None,
            },
            Phase::Serving | Phase::Recovering(Recovery::Asked, _) => {
                (owes && self.times.lag == Lag::Some).then_some(Rest::NotReading)
            }
            _ => None,
        }
    }

    /// Somebody waits in vain for what this client lets rest.
    pub(super) fn on_contended(&mut self, tracker: &Tracker, effects: &mut Effects) {
        if self.rest(tracker).is_some() {
            self.time_out(tracker, Reason::ContendedIdleTimeout, effects);
        }
    }
}

/// Whether the server has to answer something that the client has asked for.
pub(super) fn owes_more_than_reset(tracker: &Tracker) -> bool {
    tracker.unanswered().any(|request| request != RequestTag::Reset)
}
