//! The pump: carries the bytes of one unit of work between a client and an upstream connection. It
//! tells the [`Unit`] what has happened and does what that asks for; it decides nothing itself.

mod acquire;
mod answers;
mod ending;
mod pace;
mod requests;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bolt::{Failure, Request, Tracker};
use bytes::BytesMut;
use net::Wire;
use tokio::time::Instant;

use pace::Pace;

use crate::client::{Client, Drain, Room, Woken};
use crate::config::Limits;
use crate::end::End;
use crate::failures;
use crate::pool::{Lease, Upstream};
use crate::reason::Reason;
use crate::session::identity::Identity;
use crate::shared::Shared;
use crate::unit::{
    Doing, Effect, Effects, Ending, Event, Expiry, Kind, Lag, Passwords, Unit, UnitLimits, Warnings,
};

/// Does everything that belongs to the unit of work that the client's next request begins.
pub(crate) async fn serve_unit(
    shared: &Arc<Shared>,
    client: &mut Client,
    identity: &Identity,
    kind: Kind,
) -> Result<(), End> {
    let mut pump = Pump::new(shared, client, identity, kind);
    let outcome = match pump.acquire().await {
        Ok(()) => pump.run().await,
        Err(end) => Err(end),
    };
    pump.end(outcome).await
}

struct Pump<'a> {
    shared: &'a Arc<Shared>,
    client: &'a mut Client,
    identity: &'a Identity,
    limits: Arc<Limits>,
    unit: Unit,
    /// There until the connection is handed back or given up.
    lease: Option<Lease>,
    now: Instant,
    /// For a connection.
    waited: Duration,
    lag: Lag,
    pace: Pace,
    /// What happens on the connection and since when, as the pool knows it; `None`: it runs.
    doing: Option<(Doing, Instant)>,
    /// Records have come of a result that has not ended.
    has_records: bool,
    /// What the client is told if there is no connection for it.
    refusal: Option<Failure>,
    /// Why the unit's first request was refused, if it was.
    refused: Option<Reason>,
    /// What the unit wants to become of the client.
    ending: Option<Ending>,
    passwords: Passwords,
    warnings: Warnings,
    /// That the routing table is to name.
    address: Option<String>,
    work: Work,
}

/// What the metrics count of the work on a connection.
#[derive(Clone, Copy)]
enum Work {
    None,
    /// Since when, and what the upstream's wire had read and written by then.
    Begun(Instant, (u64, u64)),
    /// With what it has read and written meanwhile, unless the connection was lost.
    Ended(Instant, Option<(u64, u64)>),
}

enum Heard {
    Bytes,
    /// Others wait in vain for what the client lets rest.
    Contended,
    /// The server has taken so much that there is room for more requests.
    Room,
    Gone,
}

impl<'a> Pump<'a> {
    fn new(
        shared: &'a Arc<Shared>,
        client: &'a mut Client,
        identity: &'a Identity,
        kind: Kind,
    ) -> Self {
        let now = Instant::now();
        let limits = shared.limits();
        Self {
            shared,
            client,
            identity,
            unit: Unit::new(kind, UnitLimits::new(&limits, None), now),
            limits,
            lease: None,
            now,
            waited: Duration::ZERO,
            lag: Lag::None,
            pace: Pace::default(),
            doing: None,
            has_records: false,
            refusal: None,
            refused: None,
            ending: None,
            passwords: Passwords::default(),
            warnings: Warnings::default(),
            address: None,
            work: Work::None,
        }
    }

    /// Carries bytes until the unit is over.
    async fn run(&mut self) -> Result<(), End> {
        while !self.unit.is_over() {
            self.wait().await;
            self.take_answers();
            // What comes after the last answer begins another unit, and may be another user's.
            self.offer_requests()?;
        }
        Ok(())
    }

    /// Waits for either side. Both sockets are polled by one task; a side that does not take what
    /// it is sent stops the other one from being read.
    async fn wait(&mut self) {
        self.note_lag();
        self.note_doing();
        let Some(lease) = &mut self.lease else { return };
        let due = self.unit.next_due(&lease.tracker);
        let (overrules, rests) =
            (self.unit.overrules_lag(&lease.tracker), self.unit.resting().is_some());
        let (upstream, hold) = lease.parts();
        let Upstream { wire, alarm, .. } = upstream;
        let woken = if self.unit.is_abandoned() {
            poll_fn(|cx| match poll_upstream(wire, cx, Room::Some) {
                Poll::Ready(heard) => Poll::Ready(Woken::Other(heard)),
                Poll::Pending => alarm.poll(cx, due).map(|()| Woken::Alarm),
            })
            .await
        } else {
            let upstream = |cx: &mut Context<'_>, room| {
                if rests && hold.poll_contended(cx).is_ready() {
                    return (Poll::Ready(Heard::Contended), room);
                }
                let room = if overrules { Room::Some } else { room };
                (poll_upstream(wire, cx, room), Room::beside(&wire.output))
            };
            self.client.wait(self.shared, Drain::Ignored, alarm, due, upstream).await
        };
        self.now = Instant::now();
        self.note_lag();
        self.on_woken(woken);
        // Whatever woke it: a side that always has something to say does not keep a limit from passing.
        self.see_to_limits(due);
    }

    fn on_woken(&mut self, woken: Woken<Heard>) {
        match woken {
            Woken::Other(Heard::Bytes) => {
                self.feed(Event::Heard);
            }
            Woken::Other(Heard::Contended) => self.contended(),
            Woken::Other(Heard::Gone) => self.lose(Reason::UpstreamClosed),
            Woken::Left => self.client_left(),
            Woken::Other(Heard::Room) | Woken::Input | Woken::Alarm | Woken::Draining => {}
        }
    }

    fn client_left(&mut self) {
        self.client.discard_output();
        self.feed(Event::ClientLeft);
    }

    /// Does what is due; before the wait that was from `due` on, and what has begun since then is not
    /// due yet. Limits are looked up again for that: they may have been reloaded.
    fn see_to_limits(&mut self, due: Option<Instant>) {
        if self.unit.is_over() {
            return;
        }
        let stalled = self.client.expired(self.shared, self.now);
        if let Some(reason) = stalled.filter(|_| !self.unit.is_abandoned()) {
            self.count(reason);
            self.client_left();
        }
        if due.is_none_or(|due| self.now < due) {
            return;
        }
        let silence = self.lease.as_ref().and_then(|lease| lease.receive_timeout);
        self.limits = self.shared.limits();
        self.unit.set_limits(UnitLimits::new(&self.limits, silence));
        while let Some(expiry) = self.expired() {
            self.feed(Event::Expired(expiry));
        }
    }

    fn expired(&mut self) -> Option<Expiry> {
        self.with_tracker(|unit, tracker, now| unit.expired(tracker, now))
    }

    fn feed(&mut self, event: Event) -> Effects {
        self.feed_with(event, &mut BytesMut::new())
    }

    /// Tells the unit what has happened, with the bytes of it, and does what it asks for.
    fn feed_with(&mut self, event: Event, bytes: &mut BytesMut) -> Effects {
        let effects = self.with_tracker(|unit, tracker, now| unit.handle(tracker, event, now));
        for effect in effects.iter() {
            self.carry_out(effect, bytes);
        }
        effects
    }

    fn with_tracker<T>(&mut self, ask: impl FnOnce(&mut Unit, &mut Tracker, Instant) -> T) -> T {
        match &mut self.lease {
            Some(lease) => ask(&mut self.unit, &mut lease.tracker, self.now),
            // Nothing was sent yet, or the unit is over.
            None => ask(&mut self.unit, &mut Tracker::ready(), self.now),
        }
    }

    fn carry_out(&mut self, effect: Effect, bytes: &mut BytesMut) {
        let client = &mut *self.client;
        match effect {
            Effect::Forward => self.forward(),
            Effect::Hold | Effect::Swallow => {}
            Effect::Refuse(reason) => {
                self.refused = Some(reason);
                let failure = self.failure(reason);
                self.client.pop();
                self.client.fail(&failure);
            }
            Effect::Cancel => {
                client.pop();
                client.ignored();
            }
            Effect::Answer(state) => client.answer(std::mem::take(bytes), state),
            Effect::Stream => self.stream(bytes),
            Effect::Fail(reason) => {
                let failure = self.failure(reason);
                self.client.fail(&failure);
            }
            Effect::Ignore(count) => (0..count).for_each(|_| client.ignored()),
            Effect::Owe(reason) => client.owe(reason),
            Effect::Noop => self.noop(),
            Effect::Reset => self.reset(),
            Effect::Count(reason) => self.count(reason),
            Effect::Release => self.release(),
            Effect::Lose(reason) => self.lose(reason),
            Effect::Close(ending) => self.ending = Some(ending),
        }
    }

    /// Between two messages of the server, that is: none may be cut apart.
    fn noop(&mut self) {
        if self.lease.as_ref().is_none_or(|lease| lease.scanner.is_at_boundary()) {
            self.client.noop();
        }
    }

    fn reset(&mut self) {
        if let Some(lease) = &mut self.lease {
            Request::Reset.put(&mut lease.wire.output);
            self.warnings.reset();
        }
    }

    fn count(&self, reason: Reason) {
        self.shared.metrics().error(reason);
    }

    /// What the client is told when it is the pooler that refuses.
    fn failure(&mut self, reason: Reason) -> Failure {
        if let Some(refusal) = self.refusal.take() {
            return refusal;
        }
        let limits = self.shared.limits();
        match (reason, self.client.next_request()) {
            (Reason::ConnectionAcquisitionTimeout | Reason::TxTimeout, _) => {
                let seen = self.look_around();
                self.complain(seen.waiting);
                failures::waited_in_vain(reason, self.unit.patience(), &seen)
            }
            (Reason::MessageTooLarge, Ok(Some(request))) => failures::too_large(request),
            (Reason::IllegalMessage, Ok(Some(request))) => {
                let state = self.with_tracker(|_, tracker, _| tracker.state());
                failures::illegal(request, state)
            }
            _ => failures::of(reason, &limits),
        }
    }
}

/// Writes to the server, and reads from it if the client has room.
fn poll_upstream(wire: &mut Wire, cx: &mut Context<'_>, room: Room) -> Poll<Heard> {
    let was_full = Room::beside(&wire.output) == Room::None;
    if let Poll::Ready(Err(_)) = wire.poll_flush(cx) {
        // What the server said before it went may still be there to be read.
        return match wire.poll_fill(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Heard::Bytes),
            _ => Poll::Ready(Heard::Gone),
        };
    }
    if was_full && Room::beside(&wire.output) == Room::Some {
        return Poll::Ready(Heard::Room);
    }
    if room == Room::None {
        return Poll::Pending;
    }
    wire.poll_fill(cx).map(|filled| match filled {
        Ok(()) => Heard::Bytes,
        Err(_) => Heard::Gone,
    })
}
