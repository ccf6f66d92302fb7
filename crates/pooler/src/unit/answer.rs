//! Answers of the server: what the client hears of them, and when the connection has to recover.

use bolt::{RequestTag, ServerState, Summary, Tracker};
use tokio::time::Instant;

use super::{
    Answer, At, Effect, Effects, Ending, Kind, Lag, Phase, Recovery, Reset, Success, Unit,
    is_ending,
};
use crate::reason::Reason;

impl Unit {
    pub(super) fn on_records(&mut self, tracker: &Tracker, at: At, effects: &mut Effects) {
        if tracker.unanswered().len() == 0 {
            return effects.push(Effect::Lose(Reason::UpstreamUnsolicited));
        }
        if let Phase::Recovering(Recovery::Overdue(reason), reset) = self.phase
            && at == At::Boundary
            && self.times.lag == Lag::Some
        {
            // It does not take those before either. The connection is not kept for that.
            self.phase = Phase::Recovering(Recovery::Cut(reason), reset);
        }
        effects.push(match self.phase {
            Phase::Abandoned(..) => Effect::Swallow,
            Phase::Recovering(Recovery::Cut(_) | Recovery::CutTold, _) => Effect::Swallow,
            _ => Effect::Stream,
        });
    }

    pub(super) fn on_answer(
        &mut self,
        tracker: &mut Tracker,
        answer: Answer,
        now: Instant,
        effects: &mut Effects,
    ) {
        // An answer that can't be believed is none: the request still counts as unanswered.
        if let Err(reason) = self.credible(tracker, answer) {
            return effects.push(Effect::Lose(reason));
        }
        let Ok(request) = tracker.answered(summary(answer)) else {
            return effects.push(Effect::Lose(Reason::UpstreamUnsolicited));
        };
        match (request, answer) {
            (request, answer) if request != RequestTag::Reset && self.is_cut() => {
                self.answered_after_cut(tracker, answer, now, effects);
            }
            // It was ours. The client's own RESET is answered when its turn comes.
            (RequestTag::Reset, Answer::Success(_)) => {}
            (RequestTag::Reset, _) => effects.push(Effect::Lose(Reason::UpstreamResetFailed)),
            (_, Answer::Success(_)) => self.pass_on(tracker.state(), effects),
            (_, Answer::Failure | Answer::Unavailable) => self.failed(effects),
            (_, _) => self.refusal(tracker.state(), effects),
        }
        if request.ends_transaction() && self.is_abandoned() {
            // Until now the server was let finish.
            self.times.recover_from(now);
        }
    }

    fn is_cut(&self) -> bool {
        matches!(self.phase, Phase::Recovering(Recovery::Cut(_) | Recovery::CutTold, _))
    }

    /// Records were kept from the client, so it can't be told of success. If that is what there is to
    /// be told of its work as a whole, nothing is.
    fn answered_after_cut(
        &mut self,
        tracker: &Tracker,
        answer: Answer,
        now: Instant,
        effects: &mut Effects,
    ) {
        let Phase::Recovering(Recovery::Cut(reason), reset) = self.phase else {
            return effects.push(Effect::Ignore(1));
        };
        let is_carried_out = match (self.kind, answer) {
            (Kind::AutoCommit, Answer::Success(success)) => success != Success::HasMore,
            (Kind::Transaction, Answer::Success(_)) => is_ending(tracker),
            _ => false,
        };
        if is_carried_out {
            effects.push(Effect::Swallow);
            return self.abandon(Ending::Because(Reason::OutcomeUnknown), now, effects);
        }
        self.phase = Phase::Recovering(Recovery::CutTold, reset);
        effects.push(Effect::Fail(reason));
    }

    /// Whether the answer can be one to the request that has been unanswered for longest.
    fn credible(&self, tracker: &Tracker, answer: Answer) -> Result<(), Reason> {
        let Some(request) = tracker.unanswered().next() else { return Ok(()) };
        match answer {
            Answer::Unreadable => Err(Reason::UpstreamProtocol),
            Answer::Success(Success::Empty) if is_never_empty(request) => {
                Err(Reason::UpstreamKilled)
            }
            Answer::Ignored if !may_ignore(tracker) => Err(Reason::UpstreamKilled),
            Answer::Unavailable if self.completes(request) => Err(Reason::UpstreamGoing),
            _ => Ok(()),
        }
    }

    /// Whether the answer to this request is what says that the unit's work was carried out. A
    /// server that is shutting down answers `DatabaseUnavailable` to those, too, that it has carried
    /// out (measured on 5.26), and drivers would do managed work again.
    fn completes(&self, request: RequestTag) -> bool {
        match self.kind {
            Kind::AutoCommit => request.takes_records(),
            Kind::Transaction => request == RequestTag::Commit,
            Kind::Route => false,
        }
    }

    fn failed(&mut self, effects: &mut Effects) {
        self.phase = match self.phase {
            Phase::Serving => Phase::Recovering(Recovery::Told, Reset::Wanted),
            Phase::Sending => {
                self.pass_on(ServerState::Failed, effects);
                self.phase = Phase::Recovering(Recovery::Told, Reset::Wanted);
                return effects.push(Effect::Lose(Reason::RequestBrokenOff));
            }
            phase => phase,
        };
        self.refusal(ServerState::Failed, effects);
    }

    /// Passes a FAILURE or IGNORED on, or our own failure in its place.
    fn refusal(&mut self, state: ServerState, effects: &mut Effects) {
        if let Phase::Recovering(why, reset) = self.phase {
            self.phase = Phase::Recovering(Recovery::Told, reset);
            return match why {
                Recovery::Overdue(reason) => effects.push(Effect::Fail(reason)),
                _ => effects.push(Effect::Answer(ServerState::Failed)),
            };
        }
        self.pass_on(state, effects);
    }

    fn pass_on(&self, state: ServerState, effects: &mut Effects) {
        effects.push(match self.is_abandoned() {
            true => Effect::Swallow,
            false => Effect::Answer(state),
        });
    }
}

/// The victim of `dbms.killConnection` is told SUCCESS, with nothing in it, before the end (measured
/// on 5.26). No server answers these requests so. To take it for an answer could turn a transaction
/// that was rolled back into one that was committed.
fn is_never_empty(request: RequestTag) -> bool {
    matches!(request, RequestTag::Run | RequestTag::Commit) || request.takes_records()
}

/// A server ignores requests after a failure, and those that stand before a RESET. The victim of
/// `dbms.killConnection` can hear IGNORED without either (measured on 5.26), and a driver that has
/// heard of no failure takes even an ignored COMMIT for done (Python 6.4.1).
fn may_ignore(tracker: &Tracker) -> bool {
    tracker.state().ignores() || tracker.unanswered().any(|request| request == RequestTag::Reset)
}

fn summary(answer: Answer) -> Summary {
    match answer {
        Answer::Success(success) => Summary::Success { has_more: success == Success::HasMore },
        Answer::Ignored => Summary::Ignored,
        Answer::Failure | Answer::Unavailable | Answer::Unreadable => Summary::Failure,
    }
}
