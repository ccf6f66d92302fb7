//! A connection that is lost in the middle of a unit. What the client may be told depends on what
//! may have happened on the server: a failure that invites to try again must be true.

use bolt::{RequestTag, Tracker};

use super::event::{Sent, Told};
use super::{Effect, Effects, Ending, Kind, Loss, Phase, Recovery, Unit};
use crate::reason::Reason;

impl Unit {
    /// Whether nobody can say any more if the unit's work was carried out.
    pub fn is_outcome_unknown(&self, tracker: &Tracker, loss: Loss) -> bool {
        if matches!(self.phase, Phase::Recovering(Recovery::Told | Recovery::CutTold, _)) {
            return false;
        }
        match self.kind {
            // Half a RUN is never carried out.
            Kind::AutoCommit => {
                let is_whole =
                    self.phase != Phase::Sending && loss.reason != Reason::RequestBrokenOff;
                is_whole && loss.sent == Sent::Something
            }
            Kind::Transaction => tracker.unanswered().any(|sent| sent == RequestTag::Commit),
            Kind::Route => false,
        }
    }

    pub(super) fn on_loss(&mut self, tracker: &Tracker, loss: Loss, effects: &mut Effects) {
        let is_unknown = self.is_outcome_unknown(tracker, loss);
        let phase = std::mem::replace(&mut self.phase, Phase::Over);
        if let Phase::Abandoned(ending, _) = phase {
            return effects.push(Effect::Close(ending));
        }
        // What was kept from the client ends nowhere for it.
        let is_mid_message = loss.told == Told::MidMessage
            && !matches!(phase, Phase::Recovering(Recovery::Cut(_) | Recovery::CutTold, _));
        if is_unknown || is_mid_message {
            return effects.push(Effect::Close(Ending::Because(Reason::OutcomeUnknown)));
        }
        let unanswered =
            tracker.unanswered().filter(|request| *request != RequestTag::Reset).count();
        match (phase, unanswered) {
            // It knows already, or is about to end the failure by itself.
            (
                Phase::Recovering(
                    Recovery::Told | Recovery::CutTold | Recovery::Owed | Recovery::Asked,
                    _,
                ),
                0,
            ) => {}
            (Phase::Recovering(Recovery::Overdue(reason), _), 0) => {
                effects.push(Effect::Owe(reason));
            }
            (_, 0) => effects.push(Effect::Owe(Reason::UpstreamClosed)),
            (Phase::Recovering(Recovery::Told | Recovery::CutTold, _), unanswered) => {
                effects.push(Effect::Ignore(unanswered));
            }
            // Only the first one fails; the rest is ignored because of it.
            (phase, unanswered) => {
                effects.push(Effect::Fail(reason_in(phase)));
                effects.push(Effect::Ignore(unanswered - 1));
            }
        }
    }
}

/// What the client is told: our own time-out if that began it.
fn reason_in(phase: Phase) -> Reason {
    match phase {
        Phase::Recovering(Recovery::Overdue(reason) | Recovery::Cut(reason), _) => reason,
        _ => Reason::UpstreamClosed,
    }
}
