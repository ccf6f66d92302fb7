//! Requests of the client: what belongs to this unit of work is passed on at once, anything else
//! waits until it is over.

use bolt::{RequestTag, ServerState, Tracker};
use tokio::time::Instant;

use super::{Effect, Effects, Ending, Kind, Part, Phase, Recovery, Reset, Unit};
use crate::reason::Reason;

impl Unit {
    pub(super) fn on_request(
        &mut self,
        tracker: &mut Tracker,
        request: RequestTag,
        part: Part,
        now: Instant,
        effects: &mut Effects,
    ) {
        if self.phase != Phase::Serving {
            return effects.push(Effect::Hold);
        }
        if tracker.unanswered().len() > 0 {
            return match part != Part::TooLarge && self.may_follow(tracker, request) {
                true => self.forward(tracker, request, part, effects),
                false => effects.push(Effect::Hold),
            };
        }
        match tracker.state() {
            // The client is told how large a request may be, and that ends what it had begun.
            state if part == Part::TooLarge && state != ServerState::Ready => {
                effects.push(Effect::Count(Reason::MessageTooLarge));
                effects.push(Effect::Refuse(Reason::MessageTooLarge));
                self.phase = Phase::Recovering(Recovery::Told, Reset::Wanted);
            }
            _ if request == RequestTag::Goodbye => self.abandon(Ending::Left, now, effects),
            // It begins another unit of work, and may be another user's.
            ServerState::Ready => effects.push(Effect::Hold),
            state if state.accepts(request) => self.forward(tracker, request, part, effects),
            _ => {
                effects.push(Effect::Refuse(Reason::IllegalMessage));
                self.abandon(Ending::Because(Reason::IllegalMessage), now, effects);
            }
        }
    }

    /// Whether a request may be sent before what was sent has been answered.
    fn may_follow(&self, tracker: &Tracker, request: RequestTag) -> bool {
        match self.kind {
            // A second PULL may find that the first one was the last.
            Kind::AutoCommit => {
                request.takes_records() && !tracker.unanswered().any(RequestTag::takes_records)
            }
            Kind::Transaction => {
                let belongs = request == RequestTag::Run
                    || request.takes_records()
                    || request.ends_transaction();
                belongs && !super::is_ending(tracker)
            }
            Kind::Route => false,
        }
    }

    pub(super) fn forward(
        &mut self,
        tracker: &mut Tracker,
        request: RequestTag,
        part: Part,
        effects: &mut Effects,
    ) {
        tracker.sent(request);
        if part == Part::Beginning {
            self.phase = Phase::Sending;
        }
        effects.push(Effect::Forward);
    }

    pub(super) fn on_more(&mut self, ended: bool, effects: &mut Effects) {
        if self.phase != Phase::Sending {
            return effects.push(Effect::Hold);
        }
        if ended {
            self.phase = Phase::Serving;
        }
        effects.push(Effect::Forward);
    }
}
