//! The wait for an upstream connection. The client is listened to meanwhile: it may change its mind
//! or leave, and it is told now and then that the connection is alive.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, SystemTime};

use bolt::chunk::payload;
use bolt::{Failure, Piece, Reader, RequestTag};
use tokio::time::Instant;

use super::requests::offered;
use super::{Pace, Pump, Work};
use crate::alarm::Alarm;
use crate::client::{Drain, Woken};
use crate::clients::ClientState;
use crate::end::End;
use crate::failures;
use crate::pool::{Acquired, Holder, Lease, Reply, Ticket};
use crate::reason::Reason;
use crate::unit::{Event, UnitLimits};
use crate::waits::{Outcome, Wait, Whose, Witnessed};

impl Pump<'_> {
    /// Returns with a connection, or with the unit over.
    pub(super) async fn acquire(&mut self) -> Result<(), End> {
        let (Some(member), Some(class)) = (&self.identity.member, &self.identity.class) else {
            return Err(End::Because(Reason::IllegalMessage));
        };
        let (pool, class) = (member.pool.clone(), class.clone());
        let began = self.now;
        if self.shared.is_draining() {
            self.feed(Event::Draining);
        }
        while !self.unit.is_over() {
            let lease = match pool.acquire(&class) {
                Acquired::Ready(lease) => Some(lease),
                Acquired::Waiting(ticket) => Box::pin(self.queue(ticket, began)).await?,
                Acquired::QueueFull { waiting } => {
                    pool.complain(waiting);
                    self.refuse(Reason::MaxWaitingClients, failures::queue_full(waiting));
                    None
                }
                Acquired::Refused(failure) => {
                    self.refuse(Reason::CredentialRefused, failure);
                    None
                }
            };
            self.waited = self.now - began;
            if let Some(lease) = lease {
                self.shared.metrics().acquired(self.waited);
                return self.begin(lease);
            }
        }
        Ok(())
    }

    /// Waits in the queue. A wait that was long, or in vain, is put on record.
    async fn queue(&mut self, ticket: Ticket, began: Instant) -> Result<Option<Lease>, End> {
        let mut long = LongWait::from(began, self.limits.slow_wait_threshold.limit());
        let queued = self.wait_in_queue(ticket, &mut long).await;
        let outcome = match (&queued, self.refused) {
            (Ok(Some(_)), _) => Outcome::Served,
            (_, Some(reason)) => Outcome::Refused(reason),
            (Ok(None), None) if self.ending.is_none() => Outcome::Cancelled,
            _ => Outcome::ClientLeft,
        };
        let seen = match (outcome, long.seen) {
            // Those who hold connections now are those because of whom it is refused.
            (Outcome::Refused(_), _) => Some(self.look_around()),
            (_, seen) => seen,
        };
        if let Some(witnessed) = seen {
            let client = self.client.entry.listed().clone();
            let (user, waited) = (client.user(), self.now - began);
            let ended = SystemTime::now();
            let wait = Wait { ended, client, user, waited, outcome, witnessed };
            self.shared.waits.note(wait);
        }
        queued
    }

    /// Returns without a connection if the unit is over: the client has left or changed its mind, or was
    /// refused.
    async fn wait_in_queue(
        &mut self,
        mut ticket: Ticket,
        long: &mut LongWait,
    ) -> Result<Option<Lease>, End> {
        self.client.entry.set_state(ClientState::Waiting, self.now);
        if let Some(timeout) = self.client.front()?.and_then(own_timeout) {
            self.unit.set_own_timeout(timeout);
        }
        let mut alarm = Alarm::default();
        while !self.unit.is_over() {
            let due = self.with_tracker(|unit, tracker, _| unit.next_due(tracker));
            let until = due.into_iter().chain(long.due()).min();
            let client = &mut *self.client;
            let answer = |cx: &mut Context<'_>, room| (Pin::new(&mut ticket).poll(cx), room);
            let woken = client.wait(self.shared, Drain::Heeded, &mut alarm, until, answer).await;
            self.now = Instant::now();
            if long.due().is_some_and(|due| due <= self.now) {
                long.seen = Some(self.look_around());
            }
            let client = &mut *self.client;
            match woken {
                Woken::Other(Reply::Ready(lease)) => return Ok(Some(lease)),
                Woken::Other(Reply::Unavailable(why)) => {
                    self.refuse(Reason::Unavailable, failures::unavailable(why));
                }
                Woken::Other(Reply::Refused(failure)) => {
                    self.refuse(Reason::CredentialRefused, failure);
                }
                Woken::Input => {
                    client.front()?;
                    if client.resets() > 0 {
                        self.feed(Event::ResetWanted);
                    }
                }
                Woken::Left => self.client_left(),
                Woken::Draining => {
                    self.feed(Event::Draining);
                }
                Woken::Alarm => {}
            }
            self.see_to_limits(due);
        }
        Ok(None)
    }

    /// Sends the request that began the unit.
    fn begin(&mut self, lease: Lease) -> Result<(), End> {
        self.unit.set_limits(UnitLimits::new(&self.limits, lease.receive_timeout));
        self.work = Work::Begun(self.now, lease.wire.counts());
        let client = self.client.entry.listed().clone();
        lease.begin(Holder { client, kind: self.unit.kind(), since: self.now });
        self.pace = Pace::from(self.client.taken() + lease.wire.counts().1);
        self.lease = Some(lease);
        let client = &mut *self.client;
        client.entry.set_state(ClientState::Active, self.now);
        client.entry.unit_begun();
        if let Some(Event::Request(request, part)) = client.front()?.map(offered) {
            self.feed(Event::Leased(request, part));
        }
        self.offer_requests()
    }

    fn refuse(&mut self, reason: Reason, failure: Failure) {
        self.count(reason);
        self.refusal = Some(failure);
        self.feed(Event::NoConnection(reason));
    }

    /// Who holds the connections that this client waits for, and how many wait.
    pub(super) fn look_around(&self) -> Witnessed {
        let Some(member) = &self.identity.member else {
            return Witnessed { waiting: 0, whose: Whose::OwnUsers, holders: Arc::default() };
        };
        let seen = member.pool.witness();
        match seen.whose {
            Whose::OwnUsers => seen,
            Whose::Everybodys => Witnessed { holders: self.shared.holders(), ..seen },
        }
    }

    /// Has the log say that clients wait in vain.
    pub(super) fn complain(&self, waiting: usize) {
        if let Some(member) = &self.identity.member {
            member.pool.complain(waiting);
        }
    }
}

/// A wait that may become a long one.
struct LongWait {
    from: Option<Instant>,
    /// What there was to be seen when it did.
    seen: Option<Witnessed>,
}

impl LongWait {
    fn from(began: Instant, threshold: Option<Duration>) -> Self {
        Self { from: threshold.map(|threshold| began + threshold), seen: None }
    }

    /// When it becomes one, unless it has.
    fn due(&self) -> Option<Instant> {
        self.from.filter(|_| self.seen.is_none())
    }
}

/// How long the client has given the work that begins with this request.
fn own_timeout(piece: &Piece) -> Option<Duration> {
    let before = match piece.request()? {
        RequestTag::Begin => 0,
        // The query and its parameters.
        RequestTag::Run => 2,
        _ => return None,
    };
    let Piece::Message { wire, .. } = piece else { return None };
    let payload = payload(wire);
    let mut reader = Reader::new(&payload);
    reader.structure().ok()?;
    for _ in 0..before {
        reader.skip().ok()?;
    }
    for _ in 0..reader.dictionary_header().ok()? {
        if reader.str().ok()? == "tx_timeout" {
            let milliseconds = reader.value().ok()?.as_integer()?;
            // 0 is no limit, and what is no time the server refuses.
            return u64::try_from(milliseconds)
                .ok()
                .filter(|ms| *ms > 0)
                .map(Duration::from_millis);
        }
        reader.skip().ok()?;
    }
    None
}
