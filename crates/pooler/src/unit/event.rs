//! What a unit of work can be told, and what it can want done.

use bolt::{RequestTag, ServerState};

use super::expiry::Expiry;
use crate::reason::Reason;

/// Something that has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Event {
    /// There is a connection for the request that began the unit.
    Leased(RequestTag, Part),
    /// There will be none.
    NoConnection(Reason),
    /// The next request of the client. It is asked about again until it may be passed on.
    Request(RequestTag, Part),
    /// More of a RUN that is being passed on in pieces.
    More {
        ended: bool,
    },
    /// Bytes of RECORDs from the server, which begin here.
    Records(At),
    /// A summary from the server.
    Answer(Answer),
    /// A RESET of the client has arrived, whatever stands before it.
    ResetWanted,
    ClientLeft,
    /// The pooler is going.
    Draining,
    /// The connection has ended or was given up.
    Lost(Loss),
    /// Bytes of any kind have arrived from the server.
    Heard,
    /// The client has sent a fair amount of a long request, or taken as much of its answers.
    Progress,
    /// Whether the client takes what it is sent.
    ClientLags(Lag),
    /// Others wait in vain for what the client lets rest.
    Contended,
    /// A limit has passed.
    Expired(Expiry),
}

/// How much of a request is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Whole,
    /// The beginning of a RUN that is too long to be gathered.
    Beginning,
    /// It passes the limit, and none of it is there.
    TooLarge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    Client,
    Upstream,
}

/// Whether so much waits to be taken by a client that the server is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lag {
    None,
    Some,
}

/// Where a stretch of records begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum At {
    Boundary,
    /// In the middle of a RECORD, the beginning of which came before.
    MidRecord,
}

/// A summary, as far as a decision depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Success(Success),
    Failure,
    /// FAILURE with `DatabaseUnavailable`.
    Unavailable,
    Ignored,
    /// It can't be understood, or not be passed on.
    Unreadable,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Success {
    /// The end of a result, or the answer to what is no result.
    #[default]
    Done,
    /// The result has more records.
    HasMore,
    /// There is no entry in it at all.
    Empty,
}

/// How a connection was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Loss {
    pub reason: Reason,
    pub sent: Sent,
    pub told: Told,
}

/// Whether anything of the unit has left for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sent {
    Nothing,
    Something,
}

/// Where the answers that the client was sent stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Told {
    BetweenMessages,
    /// Inside a RECORD: nothing else can be said any more.
    MidMessage,
}

/// Why a client's connection ends with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Ending {
    /// It has left by itself.
    Left,
    /// It was told why, or nothing can be said any more.
    Because(Reason),
}

/// Something to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Effect {
    /// The request is passed on to the server.
    Forward,
    /// The request stays where it is for now.
    Hold,
    /// The request is answered with FAILURE.
    Refuse(Reason),
    /// The request is answered with IGNORED.
    Cancel,
    /// The answer is passed on to the client, which then believes to be in this state.
    Answer(ServerState),
    /// The records are passed on.
    Stream,
    /// The answer or the records are for nobody.
    Swallow,
    /// The request that has been unanswered for longest is answered with FAILURE.
    Fail(Reason),
    /// So many requests after it are answered with IGNORED.
    Ignore(usize),
    /// The next request is answered with FAILURE.
    Owe(Reason),
    /// The client is told that the connection is alive, if that is possible between two messages.
    Noop,
    /// RESET is sent to the server.
    Reset,
    /// The metrics count this.
    Count(Reason),
    /// The connection goes back to the pool. The unit is over.
    Release,
    /// The connection is closed. [`Event::Lost`] is to follow.
    Lose(Reason),
    /// The client's connection is closed.
    Close(Ending),
}

/// What one event leads to, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effects {
    effects: [Option<Effect>; EFFECTS_MAX],
    length: usize,
}

impl Effects {
    pub(super) fn push(&mut self, effect: Effect) {
        self.effects[self.length] = Some(effect);
        self.length += 1;
    }

    /// In their order.
    pub fn iter(&self) -> impl Iterator<Item = Effect> {
        self.effects[..self.length].iter().flatten().copied()
    }

    pub fn contains(&self, effect: Effect) -> bool {
        self.iter().any(|one| one == effect)
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Whether the connection is being given up.
    pub fn give_up(&self) -> bool {
        self.iter().any(|effect| matches!(effect, Effect::Lose(_)))
    }
}

/// The longest list: an answer, the reason for giving up, and what that means for others.
const EFFECTS_MAX: usize = 4;
