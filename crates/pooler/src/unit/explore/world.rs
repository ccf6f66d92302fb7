//! Everything that takes part: clients, what the pooler knows of them, the pool, and connections with
//! a server at the other end. The units of work and the views are the product's own; the rest is as
//! small as it can be and still show what may go wrong.

use std::time::Duration;

use bolt::{RequestTag, ServerState};
use tokio::time::Instant;

use super::client::{Asked, Client, Said, Summary};
use super::mutant::Mutant;
use super::server::Connection;
use super::trace::Trace;
use super::violation::{self, Violation};
use crate::client::{Handling, View};
use crate::reason::Reason;
use crate::unit::event::Part;
use crate::unit::expiry::Expiry;
use crate::unit::{Event, Kind, Lag, Unit, UnitLimits};

/// What may differ from one exploration to another.
#[derive(Clone, Debug)]
pub struct Setting {
    pub clients: usize,
    /// Requests that each client may send.
    pub requests: u8,
    /// Requests that a client may have sent without having heard a summary.
    pub pipelined: usize,
    /// What they may send.
    pub alphabet: Vec<Said>,
    pub connections: usize,
    pub mutant: Option<Mutant>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct World {
    pub clients: Vec<Client>,
    pub connections: Vec<Option<Connection>>,
    /// Clients that wait for a connection, first come, first served.
    pub queue: Vec<usize>,
    pub is_draining: bool,
}

/// What one step of the exploration needs beside the world.
pub struct Step<'a> {
    pub setting: &'a Setting,
    pub now: Instant,
    pub trace: Trace,
}

pub type Checked<T = ()> = Result<T, Violation>;

impl World {
    pub fn new(setting: &Setting) -> Self {
        Self {
            clients: vec![Client::new(); setting.clients],
            connections: vec![None; setting.connections],
            queue: Vec::new(),
            is_draining: false,
        }
    }

    /// A client sends something.
    pub fn say(&mut self, step: &mut Step<'_>, c: usize, said: Said) -> Checked {
        step.trace.said(c, said);
        let client = &mut self.clients[c];
        let asked = Asked { said, number: client.asked };
        client.is_mid_request = said == Said::RunBegins;
        client.inbox.push(asked);
        if said == Said::Request(RequestTag::Goodbye) {
            // Nobody answers that, and nothing comes after it.
            client.asked = step.setting.requests;
        } else if asked.request().is_some() {
            client.unanswered.push(asked);
        }
        if said == Said::RunEnds {
            client.inbox.last_mut().expect("just added").number -= 1;
        } else {
            client.asked += 1;
        }
        self.pump(step, c)
    }

    /// A client closes its connection.
    pub fn leave(&mut self, step: &mut Step<'_>, c: usize) -> Checked {
        step.trace.left(c);
        self.clients[c].is_gone = true;
        if self.clients[c].unit.is_some() {
            self.feed(step, c, Event::ClientLeft, None)?;
        }
        self.pump(step, c)
    }

    /// There will be no connection for a client that waits.
    pub fn refuse(&mut self, step: &mut Step<'_>, c: usize) -> Checked {
        step.trace.note("the pool has no connection");
        self.feed(step, c, Event::NoConnection(Reason::Unavailable), None)?;
        self.pump(step, c)
    }

    /// A client begins to take what it is sent again, or stops.
    pub fn lag(&mut self, step: &mut Step<'_>, c: usize, lag: Lag) -> Checked {
        step.trace.note(if lag == Lag::Some {
            "# a client stops reading"
        } else {
            "# it reads again"
        });
        self.clients[c].lag = lag;
        self.feed(step, c, Event::ClientLags(lag), None)?;
        self.pump(step, c)
    }

    pub fn expire(&mut self, step: &mut Step<'_>, c: usize, expiry: Expiry) -> Checked {
        step.trace.expired(c, expiry);
        self.feed(step, c, Event::Expired(expiry), None)?;
        self.pump(step, c)
    }

    /// Somebody waits for what a client lets rest.
    pub fn contend(&mut self, step: &mut Step<'_>, c: usize) -> Checked {
        step.trace.note("# others wait in vain for what a client lets rest");
        self.feed(step, c, Event::Contended, None)?;
        self.pump(step, c)
    }

    /// The pooler is going.
    pub fn drain(&mut self, step: &mut Step<'_>) -> Checked {
        step.trace.note("DRAIN");
        self.is_draining = true;
        for c in 0..self.clients.len() {
            if self.clients[c].unit.is_some() {
                self.feed(step, c, Event::Draining, None)?;
            }
            self.pump(step, c)?;
        }
        Ok(())
    }

    /// Does for a client what the session and the pump do: requests are decided about one after the
    /// other, by the unit of work while there is one, by the view while there is none.
    pub fn pump(&mut self, step: &mut Step<'_>, c: usize) -> Checked {
        loop {
            let goes_on = match self.clients[c].unit {
                Some(_) => self.offer(step, c)?,
                None => self.handle(step, c)?,
            };
            if !goes_on {
                break;
            }
        }
        self.hand_on(step)
    }

    fn offer(&mut self, step: &mut Step<'_>, c: usize) -> Checked<bool> {
        let resets = self.resets(c);
        let client = &mut self.clients[c];
        let Some(unit) = &client.unit else { return Ok(false) };
        if unit.is_over() {
            client.unit = None;
            self.queue.retain(|waiting| *waiting != c);
            return Ok(true);
        }
        if unit.is_abandoned() {
            return Ok(false);
        }
        if resets > 0 {
            self.feed(step, c, Event::ResetWanted, None)?;
        }
        let client = &self.clients[c];
        let is_waiting = client.unit.as_ref().is_some_and(Unit::is_waiting);
        let Some(front) = client.inbox.first().copied() else { return Ok(self.is_over(c)) };
        if is_waiting || self.is_over(c) {
            return Ok(self.is_over(c));
        }
        let held = self.feed(step, c, offered(front), None)?;
        Ok(!held || self.is_over(c))
    }

    fn is_over(&self, c: usize) -> bool {
        self.clients[c].unit.as_ref().is_some_and(Unit::is_over)
    }

    fn resets(&self, c: usize) -> usize {
        let is_reset = |asked: &&Asked| asked.request() == Some(RequestTag::Reset);
        self.clients[c].inbox.iter().filter(is_reset).count()
    }

    /// Between two units.
    fn handle(&mut self, step: &mut Step<'_>, c: usize) -> Checked<bool> {
        let (resets, is_draining) = (self.resets(c), self.is_draining);
        let client = &mut self.clients[c];
        if client.is_gone {
            client.inbox.clear();
            client.unanswered.clear();
            return Ok(false);
        }
        let Some(front) = client.inbox.first().copied() else {
            client.is_gone |= is_draining;
            return Ok(false);
        };
        let Some(request) = front.request() else {
            client.inbox.remove(0);
            return Ok(true);
        };
        let handling = client.view.handling(request, resets);
        let handling = match front.said {
            Said::TooLarge if handling.carries_out() => Handling::Fail(Reason::MessageTooLarge),
            _ => handling,
        };
        match handling {
            Handling::Unit(kind) => self.begin(step, c, kind, front.number)?,
            handling => {
                client.inbox.remove(0);
                self.answer(step, c, front, handling)?;
            }
        }
        Ok(true)
    }

    fn begin(&mut self, step: &mut Step<'_>, c: usize, kind: Kind, first: u8) -> Checked {
        let client = &mut self.clients[c];
        let mut unit = Unit::new(kind, limits(), step.now);
        unit.set_own_timeout(LIMIT);
        client.unit = Some(unit);
        client.first = first;
        if self.is_draining {
            self.feed(step, c, Event::Draining, None)?;
            return Ok(());
        }
        self.queue.push(c);
        self.hand_on(step)
    }

    /// A request that no unit of work has to do with.
    fn answer(
        &mut self,
        step: &mut Step<'_>,
        c: usize,
        asked: Asked,
        handling: Handling,
    ) -> Checked {
        let client = &mut self.clients[c];
        let summary = match handling {
            Handling::Goodbye | Handling::Unknown | Handling::Unit(_) => {
                client.is_gone = true;
                return Ok(());
            }
            Handling::Reset => {
                client.view.reset();
                Summary::Success { more: false }
            }
            Handling::Ignore => Summary::Ignored,
            Handling::Fail(_) | Handling::Illegal => {
                client.view.failed();
                Summary::Failure
            }
            Handling::Local => {
                match asked.request() {
                    Some(RequestTag::Logoff) => {
                        client.view = View::logging_in(ServerState::Authentication, step.now);
                    }
                    Some(RequestTag::Logon) => client.view.reset(),
                    _ => {}
                }
                Summary::Success { more: false }
            }
        };
        self.tell(step, c, asked.number, summary)?;
        self.clients[c].is_gone |= handling == Handling::Illegal;
        Ok(())
    }

    /// Gives free connections, and those that can be opened, to whoever waits longest.
    fn hand_on(&mut self, step: &mut Step<'_>) -> Checked {
        while let Some(c) = self.queue.first().copied() {
            let is_free = |known: &Option<Connection>| {
                known.as_ref().is_none_or(|connection| connection.holder.is_none())
            };
            let Some(k) = self.connections.iter().position(is_free) else { return Ok(()) };
            self.queue.remove(0);
            let connection = self.connections[k].get_or_insert_with(Connection::new);
            connection.holder = Some(c);
            connection.begin();
            self.clients[c].connection = Some(k);
            let front = self.clients[c].inbox.first().copied();
            let event = match front.map(offered) {
                Some(Event::Request(request, part)) => Event::Leased(request, part),
                _ => return Err(Violation(violation::OUT_OF_ORDER)),
            };
            self.feed(step, c, event, None)?;
            // The pump of a new unit knows of no lag until it finds one.
            if self.clients[c].lag == Lag::Some {
                self.feed(step, c, Event::ClientLags(Lag::Some), None)?;
            }
            self.pump(step, c)?;
        }
        Ok(())
    }
}

/// What the pump says of what is in front.
fn offered(asked: Asked) -> Event {
    match asked.said {
        Said::Request(request) => Event::Request(request, Part::Whole),
        Said::RunBegins => Event::Request(RequestTag::Run, Part::Beginning),
        Said::TooLarge => Event::Request(RequestTag::Pull, Part::TooLarge),
        Said::RunEnds => Event::More { ended: true },
    }
}

/// All limits are on.
fn limits() -> UnitLimits {
    UnitLimits {
        acquisition: LIMIT,
        keep_alive: LIMIT,
        idle_in_transaction: Some(LIMIT),
        transaction: Some(LIMIT),
        silence: Some(LIMIT),
    }
}

const LIMIT: Duration = Duration::from_secs(1);
