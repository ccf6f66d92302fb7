//! What a unit wants done, done to the world; and what must never be wanted.

use bolt::{RequestTag, Tracker};

use super::client::{Asked, Summary};
use super::mutant::Mutant;
use super::server::Connection;
use super::violation::{self, Violation};
use super::world::{Checked, Step, World};
use crate::reason::Reason;
use crate::unit::event::{Loss, Sent, Told};
use crate::unit::{Effect, Ending, Event};

impl World {
    /// Tells a client's unit what has happened. Returns whether the request is to wait.
    pub fn feed(
        &mut self,
        step: &mut Step<'_>,
        c: usize,
        event: Event,
        answer: Option<(Asked, Summary)>,
    ) -> Checked<bool> {
        let client = &mut self.clients[c];
        let mut nobody = Tracker::ready();
        let connection = client.connection.and_then(|k| self.connections[k].as_mut());
        let tracker = connection.map_or(&mut nobody, |connection| &mut connection.tracker);
        let Some(unit) = &mut client.unit else { return Ok(false) };
        let event = step.setting.mutant.map_or(event, |mutant| mutant.understood(event));
        let effects: Vec<Effect> = unit.handle(tracker, event, step.now).iter().collect();
        let effects = match step.setting.mutant {
            Some(mutant) => mutant.distort(event, effects, tracker),
            None => effects,
        };
        let held = effects.contains(&Effect::Hold);
        for effect in effects {
            self.carry_out(step, c, effect, answer)?;
        }
        Ok(held)
    }

    fn carry_out(
        &mut self,
        step: &mut Step<'_>,
        c: usize,
        effect: Effect,
        answer: Option<(Asked, Summary)>,
    ) -> Checked {
        match effect {
            Effect::Forward => self.forward(step, c)?,
            Effect::Hold | Effect::Noop | Effect::Count(_) => {}
            Effect::Stream => self.clients[c].is_mid_record = !self.clients[c].is_mid_record,
            Effect::Swallow => {
                let client = &mut self.clients[c];
                let is_served = client.unit.as_ref().is_some_and(|unit| !unit.is_abandoned());
                if let Some(asked) = client.unanswered.first().filter(|_| is_served) {
                    client.kept_back |= 1 << asked.number;
                }
            }
            Effect::Refuse(_) | Effect::Cancel => {
                let refused = self.clients[c].inbox.remove(0);
                let summary = match effect {
                    Effect::Cancel => Summary::Ignored,
                    _ => {
                        self.clients[c].view.failed();
                        Summary::Failure
                    }
                };
                self.tell(step, c, refused.number, summary)?;
            }
            Effect::Answer(state) => {
                let Some((asked, summary)) = answer else {
                    return Err(Violation(violation::OUT_OF_ORDER));
                };
                self.clients[c].check_cause(summary)?;
                self.clients[c].view.answered(state);
                self.tell(step, c, asked.number, summary)?;
            }
            Effect::Fail(_) => {
                self.clients[c].view.failed();
                self.tell_next(step, c, Summary::Failure)?;
            }
            Effect::Ignore(count) => {
                for _ in 0..count {
                    self.tell_next(step, c, Summary::Ignored)?;
                }
            }
            Effect::Owe(reason) => self.clients[c].view.owe(reason),
            Effect::Reset => self.reset(step, c)?,
            Effect::Release => self.release(step, c)?,
            Effect::Lose(reason) => self.lose(step, c, reason)?,
            Effect::Close(ending) => {
                if ending != Ending::Left {
                    step.trace.closed(c);
                }
                self.clients[c].is_gone = true;
            }
        }
        Ok(())
    }

    fn held(&mut self, c: usize) -> Checked<&mut Connection> {
        let k = self.clients[c].connection;
        let connection = k.and_then(|k| self.connections[k].as_mut());
        connection
            .filter(|connection| connection.holder == Some(c))
            .ok_or(Violation(violation::SENT_AFTER_RELEASE))
    }

    fn forward(&mut self, step: &mut Step<'_>, c: usize) -> Checked {
        let asked = self.clients[c].inbox.remove(0);
        step.trace.forwarded(self.clients[c].connection.unwrap_or(c), asked.said);
        let (bit, is_new) = (1 << asked.number, asked.request().is_some());
        let client = &mut self.clients[c];
        if is_new && client.forwarded >= bit {
            return Err(Violation(violation::SENT_TWICE));
        }
        client.forwarded |= bit;
        let is_twice = step.setting.mutant == Some(Mutant::CommitsTwice)
            && asked.request() == Some(RequestTag::Commit);
        if is_twice {
            self.clients[c].inbox.insert(0, asked);
            self.held(c)?.receive(asked);
            return self.forward(step, c);
        }
        self.held(c)?.receive(asked);
        Ok(())
    }

    fn reset(&mut self, step: &mut Step<'_>, c: usize) -> Checked {
        step.trace.reset(self.clients[c].connection.unwrap_or(c));
        let connection = self.held(c)?;
        if connection
            .has_unanswered(|request| request == RequestTag::Begin || request.ends_transaction())
        {
            return Err(Violation(violation::RESET_OVERTAKES));
        }
        connection.receive_reset();
        Ok(())
    }

    fn release(&mut self, step: &mut Step<'_>, c: usize) -> Checked {
        step.trace.released(self.clients[c].connection.unwrap_or(c));
        let connection = self.held(c)?;
        if !connection.is_clean() {
            return Err(Violation(violation::RELEASED_DIRTY));
        }
        connection.holder = None;
        self.clients[c].connection = None;
        Ok(())
    }

    /// The connection is closed, or has ended already. What the server had received by then may be
    /// carried out all the same.
    pub fn lose(&mut self, step: &mut Step<'_>, c: usize, reason: Reason) -> Checked {
        let Some(k) = self.clients[c].connection else {
            return Err(Violation(violation::LOST_TWICE));
        };
        step.trace.lost(k, reason);
        let connection = self.held(c)?;
        let loss = Loss {
            reason,
            sent: if connection.is_written { Sent::Something } else { Sent::Nothing },
            // The pump sees where the server stands, which is not where the client does if it was
            // sent less.
            told: if connection.is_mid_record { Told::MidMessage } else { Told::BetweenMessages },
        };
        let possible = connection.may_still_commit();
        let client = &mut self.clients[c];
        client.possible |= possible;
        self.feed(step, c, Event::Lost(loss), None)?;
        self.connections[k] = None;
        self.clients[c].connection = None;
        Ok(())
    }

    fn tell_next(&mut self, step: &mut Step<'_>, c: usize, summary: Summary) -> Checked {
        match self.clients[c].unanswered.first().copied() {
            Some(asked) => self.tell(step, c, asked.number, summary),
            None => Err(Violation(violation::ANSWERED_TWICE)),
        }
    }

    /// A client hears a summary of its request with this number.
    pub(super) fn tell(
        &mut self,
        step: &mut Step<'_>,
        c: usize,
        number: u8,
        summary: Summary,
    ) -> Checked {
        step.trace.told(c, summary);
        let client = &mut self.clients[c];
        if client.is_gone {
            return Err(Violation(violation::TOLD_THE_GONE));
        }
        if client.unanswered.is_empty() {
            return Err(Violation(violation::ANSWERED_TWICE));
        }
        let asked = client.unanswered.remove(0);
        if asked.number != number {
            return Err(Violation(violation::OUT_OF_ORDER));
        }
        client.check_records(asked, summary)?;
        client.check_outcome(asked, summary)
    }
}
