//! Planted faults: what the machine would do if it had a mistake. The exploration has to find each
//! of them, or it proves nothing.

use bolt::{RequestTag, Summary, Tracker};

use super::violation;
use crate::reason::Reason;
use crate::unit::expiry::Expiry;
use crate::unit::{Answer, At, Effect, Ending, Event, Success};

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// RESET is sent over a BEGIN or COMMIT that is under way.
    ResetOvertakes,
    /// Something is sent when the connection has been handed back.
    SendsAfterRelease,
    /// The connection is handed back with a transaction or a result open.
    ReleasesEarly,
    AnswersTwice,
    SkipsAnAnswer,
    CommitsTwice,
    /// A lost COMMIT is told to have failed.
    TellsTheUnknown,
    /// The farewell to a killed connection is taken for an answer.
    BelievesTheKilled,
    /// IGNORED without a failure is passed on.
    BelievesTheIgnored,
    /// What a server says that shuts down is taken for a failure.
    BelievesTheGoing,
    /// The RESET that was decided on is never sent.
    ForgetsReset,
    /// A connection that nobody needs is waited for without end.
    WaitsForEver,
    /// What comes after a unit is sent on its connection.
    SendsTheNextUnit,
    /// What is kept from a client that reads nothing begins in the middle of a record.
    CutsMidRecord,
    /// The end of a result is passed on although records of it were not.
    HidesTheCut,
    /// A client whose connection is being reset is told of answers that are for nobody.
    TellsTheGone,
}

impl Mutant {
    /// Each with what the exploration has to say of it.
    pub const ALL: [(Self, &'static str); 16] = [
        (Self::ResetOvertakes, violation::RESET_OVERTAKES),
        (Self::SendsAfterRelease, violation::SENT_AFTER_RELEASE),
        (Self::ReleasesEarly, violation::RELEASED_DIRTY),
        (Self::AnswersTwice, violation::ANSWERED_TWICE),
        (Self::SkipsAnAnswer, violation::NOT_SERVED),
        (Self::CommitsTwice, violation::SENT_TWICE),
        (Self::TellsTheUnknown, violation::UNKNOWN_TOLD),
        (Self::BelievesTheKilled, violation::NOT_DONE),
        (Self::BelievesTheIgnored, violation::IGNORED_ALONE),
        (Self::BelievesTheGoing, violation::UNKNOWN_TOLD),
        (Self::ForgetsReset, violation::NOT_SERVED),
        (Self::WaitsForEver, violation::NOT_FREED),
        (Self::SendsTheNextUnit, violation::ILLEGAL),
        (Self::CutsMidRecord, violation::MID_RECORD),
        (Self::HidesTheCut, violation::RECORDS_MISSING),
        (Self::TellsTheGone, violation::TOLD_THE_GONE),
    ];

    /// What it understands of an event.
    pub fn understood(self, event: Event) -> Event {
        match (self, event) {
            (Self::BelievesTheKilled, Event::Answer(Answer::Success(Success::Empty))) => {
                Event::Answer(Answer::Success(Success::Done))
            }
            (Self::BelievesTheGoing, Event::Answer(Answer::Unavailable)) => {
                Event::Answer(Answer::Failure)
            }
            (Self::CutsMidRecord, Event::Records(_)) => Event::Records(At::Boundary),
            _ => event,
        }
    }

    /// What it does instead of the right thing.
    pub fn distort(
        self,
        event: Event,
        mut effects: Vec<Effect>,
        tracker: &mut Tracker,
    ) -> Vec<Effect> {
        let releases = effects.contains(&Effect::Release);
        match (self, event) {
            (Self::ResetOvertakes, Event::ResetWanted)
                if tracker.unanswered().len() > 0 && effects.is_empty() =>
            {
                tracker.sent(RequestTag::Reset);
                effects.push(Effect::Reset);
            }
            (Self::SendsAfterRelease, _) if releases => effects.push(Effect::Reset),
            (Self::ReleasesEarly, Event::Answer(Answer::Success(_)))
                if tracker.unanswered().len() == 0 && !releases =>
            {
                effects.push(Effect::Release);
            }
            (Self::AnswersTwice, Event::Answer(_)) => {
                let first = effects.first().copied();
                effects.extend(first.filter(|effect| matches!(effect, Effect::Answer(_))));
            }
            (Self::SkipsAnAnswer, Event::Answer(Answer::Ignored)) => {
                effects.retain(|effect| !matches!(effect, Effect::Answer(_)));
            }
            (Self::TellsTheUnknown, Event::Lost(_)) => effects.iter_mut().for_each(|effect| {
                if *effect == Effect::Close(Ending::Because(Reason::OutcomeUnknown)) {
                    *effect = Effect::Fail(Reason::UpstreamClosed);
                }
            }),
            (Self::BelievesTheIgnored, Event::Answer(Answer::Ignored))
                if effects == [Effect::Lose(Reason::UpstreamKilled)] =>
            {
                let _ = tracker.answered(Summary::Ignored);
                effects = vec![Effect::Answer(tracker.state())];
            }
            (Self::ForgetsReset, _) => effects.retain(|effect| *effect != Effect::Reset),
            (Self::WaitsForEver, Event::Expired(Expiry::Recovery)) => effects.clear(),
            (Self::SendsTheNextUnit, Event::Request(request, _))
                if effects == [Effect::Hold] && request == RequestTag::Begin =>
            {
                tracker.sent(request);
                effects = vec![Effect::Forward];
            }
            (Self::HidesTheCut, Event::Answer(Answer::Success(_))) => {
                effects.iter_mut().for_each(|effect| {
                    if matches!(effect, Effect::Fail(_)) {
                        *effect = Effect::Answer(tracker.state());
                    }
                });
            }
            (Self::TellsTheGone, _) => effects.iter_mut().for_each(|effect| {
                if *effect == Effect::Swallow {
                    *effect = Effect::Fail(Reason::UpstreamClosed);
                }
            }),
            _ => {}
        }
        effects
    }
}
