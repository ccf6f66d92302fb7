//! One unit of work: an auto-commit query, an explicit transaction, or a routing request. It is a
//! state machine without a socket, a clock or a lock: events go in, effects come out, and time is
//! an argument. It decides; the pump in [`crate::relay`] reads, writes and waits.
//!
//! - [`event`]: what can happen, and what is to be done about it
//! - [`request`], [`answer`], [`loss`]: the decisions
//! - [`expiry`]: every limit that can pass; [`rest`]: when a client keeps a connection without using it
//! - [`passwords`], [`warnings`]: what is noted of a unit beside deciding about it

mod answer;
mod event;
mod expiry;
mod loss;
mod passwords;
mod request;
mod rest;
mod warnings;

#[cfg(test)]
mod explore;

use bolt::{RequestTag, Tracker};
use tokio::time::Instant;

use crate::reason::Reason;

pub(crate) use event::{
    Answer, At, Effect, Effects, Ending, Event, Lag, Loss, Part, Sent, Side, Success, Told,
};
pub(crate) use expiry::{Expiry, UnitLimits};
pub(crate) use passwords::{Passwords, Query, Updates};
pub(crate) use rest::{Doing, Rest};
pub(crate) use warnings::Warnings;

/// What a unit of work is, which its first request tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    AutoCommit,
    Transaction,
    Route,
}

impl Kind {
    /// The unit that a request begins for a client with nothing under way.
    pub fn begun_by(request: RequestTag) -> Option<Self> {
        match request {
            RequestTag::Run => Some(Self::AutoCommit),
            RequestTag::Begin => Some(Self::Transaction),
            RequestTag::Route => Some(Self::Route),
            _ => None,
        }
    }
}

/// A unit of work from its first request to its last answer. What the server owes is in the
/// [`Tracker`] of the upstream connection, which is handed in with every event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Unit {
    kind: Kind,
    phase: Phase,
    times: expiry::Times,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// In the queue for a connection. Nothing has been sent.
    Waiting,
    /// Requests and answers are passed on.
    Serving,
    /// A RUN is being passed on in pieces and has not ended: nothing may be put after it.
    Sending,
    /// The connection is to be made usable again, and no more requests are passed on. The client
    /// still hears what it is owed.
    Recovering(Recovery, Reset),
    /// The client is gone, or will be closed: what comes is for nobody. The connection is made
    /// usable again, but a COMMIT that was sent is waited for.
    Abandoned(Ending, Reset),
    /// The connection was handed back or given up.
    Over,
}

/// Why a connection has to recover while its client is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Recovery {
    /// The client was told of a failure.
    Told,
    /// The client has sent RESET.
    Asked,
    /// A limit has passed. The client hears of that in place of the next refusal by the server.
    Overdue(Reason),
    /// A limit has passed while nothing was unanswered. The client hears of it when it asks again.
    Owed,
    /// As [`Self::Overdue`], and records were kept from the client, which did not take those before.
    /// It hears of the limit in place of whatever the server says to that request.
    Cut(Reason),
    /// It has heard so. Everything after it is ignored, whatever the server says.
    CutTold,
}

/// Our own RESET.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reset {
    Wanted,
    Sent,
}

impl Unit {
    /// A unit that needs a connection.
    pub fn new(kind: Kind, limits: UnitLimits, now: Instant) -> Self {
        Self { kind, phase: Phase::Waiting, times: expiry::Times::new(limits, now) }
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether nothing more will come of it.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Whether it still waits for a connection.
    pub fn is_waiting(&self) -> bool {
        self.phase == Phase::Waiting
    }

    /// Whether the client's requests are of no interest any more.
    pub fn is_abandoned(&self) -> bool {
        matches!(self.phase, Phase::Abandoned(..))
    }

    /// Takes in what has happened. `tracker` belongs to the connection that the unit holds.
    pub fn handle(&mut self, tracker: &mut Tracker, event: Event, now: Instant) -> Effects {
        let mut effects = Effects::default();
        match event {
            Event::Leased(request, part) => {
                self.leased(now);
                self.forward(tracker, request, part, &mut effects);
            }
            Event::NoConnection(reason) => self.refused(reason, &mut effects),
            Event::Request(request, part) => {
                self.on_request(tracker, request, part, now, &mut effects);
            }
            Event::More { ended } => self.on_more(ended, &mut effects),
            Event::Records(at) => self.on_records(tracker, at, &mut effects),
            Event::Answer(answer) => self.on_answer(tracker, answer, now, &mut effects),
            Event::ResetWanted => self.on_reset_wanted(&mut effects),
            Event::ClientLeft => self.abandon(Ending::Left, now, &mut effects),
            Event::Draining => self.on_draining(&mut effects),
            Event::Lost(loss) => self.on_loss(tracker, loss, &mut effects),
            Event::Heard => self.times.heard(now),
            Event::Progress => self.times.progress(now),
            Event::Contended => self.on_contended(tracker, &mut effects),
            Event::ClientLags(lag) if !self.is_abandoned() => self.times.client_lags(lag),
            Event::ClientLags(_) => {}
            Event::Expired(expiry) => self.on_expiry(tracker, expiry, now, &mut effects),
        }
        self.settle(tracker, &mut effects);
        self.times.listen(self.awaits_server(tracker) && self.is_server_read(tracker), now);
        self.times.rest(self.rest(tracker), now);
        effects
    }

    fn leased(&mut self, now: Instant) {
        self.phase = Phase::Serving;
        self.times.begin_work(now);
    }

    /// There is no connection; the first request is answered with the reason.
    fn refused(&mut self, reason: Reason, effects: &mut Effects) {
        effects.push(Effect::Refuse(reason));
        self.phase = Phase::Over;
    }

    /// Whoever waits for a connection does not get one while the pooler is going. Work that has
    /// begun may end.
    fn on_draining(&mut self, effects: &mut Effects) {
        if self.is_waiting() {
            self.refused(Reason::Draining, effects);
        }
    }

    /// What stands before a RESET is not worth doing any more; half a request can't be taken back.
    fn on_reset_wanted(&mut self, effects: &mut Effects) {
        match self.phase {
            Phase::Waiting => {
                effects.push(Effect::Cancel);
                self.phase = Phase::Over;
            }
            Phase::Serving => self.phase = Phase::Recovering(Recovery::Asked, Reset::Wanted),
            _ => {}
        }
    }

    /// From here on nobody hears answers.
    fn abandon(&mut self, ending: Ending, now: Instant, effects: &mut Effects) {
        let reset = match self.phase {
            Phase::Waiting => {
                self.phase = Phase::Over;
                return effects.push(Effect::Close(ending));
            }
            Phase::Abandoned(..) | Phase::Over => return,
            Phase::Recovering(_, reset) => reset,
            Phase::Serving => Reset::Wanted,
            Phase::Sending => {
                effects.push(Effect::Lose(Reason::RequestBrokenOff));
                Reset::Wanted
            }
        };
        self.phase = Phase::Abandoned(ending, reset);
        self.times.recover_from(now);
        // Nobody has to take anything any more: the server is listened to again.
        self.times.client_lags(Lag::None);
    }

    /// Does what has become possible: hands the connection back, or sends the RESET that makes it
    /// usable again.
    fn settle(&mut self, tracker: &mut Tracker, effects: &mut Effects) {
        if matches!(self.phase, Phase::Waiting | Phase::Sending | Phase::Over) || effects.give_up()
        {
            return;
        }
        if tracker.can_release() {
            return self.release(effects);
        }
        let is_safe = may_reset(tracker);
        let (Phase::Recovering(_, reset) | Phase::Abandoned(_, reset)) = &mut self.phase else {
            return;
        };
        if *reset == Reset::Wanted && is_safe {
            *reset = Reset::Sent;
            tracker.sent(RequestTag::Reset);
            effects.push(Effect::Reset);
        }
    }

    fn release(&mut self, effects: &mut Effects) {
        effects.push(Effect::Release);
        match self.phase {
            // All that was asked for had been done before our RESET could stop it.
            Phase::Recovering(Recovery::Overdue(reason), _) => effects.push(Effect::Owe(reason)),
            Phase::Abandoned(ending, _) => effects.push(Effect::Close(ending)),
            _ => {}
        }
        self.phase = Phase::Over;
    }

    /// Whether the server has something to answer.
    fn awaits_server(&self, tracker: &Tracker) -> bool {
        let has_begun = !matches!(self.phase, Phase::Waiting | Phase::Sending | Phase::Over);
        has_begun && tracker.unanswered().len() > 0
    }

    /// Whether the open transaction or result, or the server with half a request, waits for its
    /// client.
    fn awaits_client(&self, tracker: &Tracker) -> bool {
        self.rest(tracker).is_some_and(|rest| rest != Rest::NotReading)
    }
}

/// COMMIT or ROLLBACK was sent and is not answered yet.
fn is_ending(tracker: &Tracker) -> bool {
    tracker.unanswered().any(RequestTag::ends_transaction)
}

/// No RESET of ours overtakes BEGIN, which makes the server close the connection, or COMMIT, whose
/// answer is worth more than an early RESET.
fn may_reset(tracker: &Tracker) -> bool {
    tracker.may_reset() && !is_ending(tracker)
}
