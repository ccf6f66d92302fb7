//! The wait for an upstream connection. The client is listened to meanwhile: it may change its mind
//! or leave, and it is told now and then that the connection is alive.

use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

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
use crate::pool::{Acquired, Holders, Lease, Reply, Ticket};
use crate::reason::Reason;
use crate::unit::{Event, UnitLimits};

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
                Acquired::Waiting(ticket) => Box::pin(self.queue(ticket)).await?,
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
            if let Some(lease) = lease {
                self.shared.metrics().acquired(self.now - began);
                return self.begin(lease);
            }
        }
        Ok(())
    }

    /// Waits in the queue. Returns without a connection if the unit is over: the client has left or
    /// changed its mind, or was refused.
    async fn queue(&mut self, mut ticket: Ticket) -> Result<Option<Lease>, End> {
        self.client.entry.set_state(ClientState::Waiting);
        if let Some(timeout) = self.client.front()?.and_then(own_timeout) {
            self.unit.set_own_timeout(timeout);
        }
        let mut alarm = Alarm::default();
        while !self.unit.is_over() {
            let due = self.with_tracker(|unit, tracker, _| unit.next_due(tracker));
            let client = &mut *self.client;
            let answer = |cx: &mut Context<'_>, room| (Pin::new(&mut ticket).poll(cx), room);
            let woken = client.wait(self.shared, Drain::Heeded, &mut alarm, due, answer).await;
            self.now = Instant::now();
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
        lease.begin(self.client.entry.listed().clone(), self.now);
        self.pace = Pace::from(self.client.taken() + lease.wire.counts().1);
        self.lease = Some(lease);
        let client = &mut *self.client;
        client.entry.set_state(ClientState::Active);
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

    /// Who holds the connections that this client waits for.
    pub(super) fn holders(&self) -> Holders {
        self.identity.member.as_ref().map(|member| member.pool.holders()).unwrap_or_default()
    }

    /// Has the log say that clients wait in vain. Returns how many do.
    pub(super) fn complain(&self) -> usize {
        let Some(member) = &self.identity.member else { return 0 };
        let waiting = member.pool.numbers().cl_waiting;
        member.pool.complain(waiting);
        waiting
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
