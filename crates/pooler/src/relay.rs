//! One unit of work: an auto-commit query, an explicit transaction, or a routing request. It holds
//! an upstream connection from the first request to the last answer, passes bytes both ways, and
//! hands the connection back clean, or not at all.

mod acquire;
mod answers;
mod requests;
mod wait;

use std::mem;
use std::task::Poll;
use std::time::Duration;

use bolt::message::tag;
use bolt::{Failure, Piece, Request, ServerState};
use tokio::time::Instant;
use tracing::debug;

use crate::clients::ClientState;
use crate::failures;
use crate::metrics::{Fault, Side, UnitKind};
use crate::pool::{Lease, Upstream};
use crate::session::{End, Session};

/// Does everything that belongs to the unit of work that `first` begins.
pub(crate) async fn serve_unit(session: &mut Session, first: Piece, tag: u8) -> Result<(), End> {
    session.set_client_state(ClientState::Waiting);
    let acquired = acquire::acquire(session).await;
    session.set_client_state(ClientState::Idle);
    let lease = match acquired? {
        Ok(lease) => lease,
        Err(acquire::NoLease::Cancelled) => {
            session.ignored();
            return Ok(());
        }
        Err(acquire::NoLease::Refused(failure)) => {
            session.fail(&failure);
            return Ok(());
        }
    };
    session.set_client_state(ClientState::Active);
    session.entry.unit_begun();
    let mut relay = Relay::new(session, lease, tag);
    relay.forward(first, tag);
    let outcome = relay.run().await;
    let outcome = relay.end(outcome).await;
    if let Err(End::Protocol(_)) = outcome {
        Box::pin(session.client.finish()).await;
    }
    outcome
}

pub(crate) struct Relay<'a> {
    session: &'a mut Session,
    /// Gone once the connection was handed back or given up.
    lease: Option<Lease>,
    unit: Unit,
    clock: wait::Clock,
}

/// What is known about the unit of work.
struct Unit {
    kind: UnitKind,
    /// The server's, after its last answer.
    state: ServerState,
    started: Instant,
    /// COMMIT or ROLLBACK was sent and is not answered yet.
    ending: Option<u8>,
    /// A RUN is being passed on in pieces and has not ended: nothing may be put behind it.
    is_mid_request: bool,
    /// A request failed, the client wants a RESET, or it is gone: the connection is to be made
    /// usable again, and nothing more of the client's is passed on.
    is_recovering: bool,
    reset_sent: bool,
    /// The client knows of a failure and has to send RESET.
    has_failed: bool,
    /// Takes the place of the next refusal from upstream: it was our time-out that caused it.
    failure: Option<Failure>,
    client_gone: bool,
    /// RUNs whose result has not been read to its end.
    open_results: usize,
    /// The client did what it must not do, was told so, and is to be closed.
    hang_up: bool,
    reads_only: bool,
    /// On database `system`, where passwords are kept, and not known to be reading only.
    touches_system: bool,
    has_records: bool,
    /// For a routing table.
    address: Option<String>,
    /// Bytes read and written by the upstream's wire when it began.
    before: (u64, u64),
}

/// Why the upstream connection can't be used any more.
enum Lost {
    /// It has ended, or can't be made sense of; the reason is a metric's label.
    Upstream(&'static str),
    /// The client has left half a request on it.
    BrokenOff,
}

impl Lost {
    fn blame(&self) -> (Fault, &'static str) {
        match self {
            Self::Upstream(reason) => (Fault::Upstream, reason),
            Self::BrokenOff => (Fault::Client, "request_broken_off"),
        }
    }
}

impl<'a> Relay<'a> {
    fn new(session: &'a mut Session, lease: Lease, tag: u8) -> Self {
        let kind = match tag {
            tag::BEGIN => UnitKind::Transaction,
            tag::ROUTE => UnitKind::Route,
            _ => UnitKind::AutoCommit,
        };
        let unit = Unit {
            kind,
            state: ServerState::Ready,
            started: Instant::now(),
            ending: None,
            is_mid_request: false,
            is_recovering: false,
            reset_sent: false,
            has_failed: false,
            failure: None,
            client_gone: false,
            open_results: 0,
            hang_up: false,
            reads_only: false,
            touches_system: false,
            has_records: false,
            address: None,
            before: lease.wire.counts(),
        };
        let clock = wait::Clock::new(unit.started, session.client.written);
        Self { session, lease: Some(lease), unit, clock }
    }

    async fn run(&mut self) -> Result<(), End> {
        loop {
            let step = self.step().await;
            match step {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(Stop::Lost(lost)) => return self.upstream_lost(&lost),
                Err(Stop::Client(end)) => return Err(end),
            }
        }
    }

    /// Passes on what has arrived, then waits for more; `true` when everything was answered.
    async fn step(&mut self) -> Result<bool, Stop> {
        self.forward_answers()?;
        // What comes now begins another unit of work, and may be another user's.
        if self.is_over() {
            return Ok(true);
        }
        self.forward_requests()?;
        self.recover()?;
        if self.is_over() {
            return Ok(true);
        }
        self.wait().await?;
        Ok(false)
    }

    fn upstream(&mut self) -> &mut Upstream {
        self.lease.as_mut().expect("the lease is held until the unit is over")
    }

    fn is_over(&mut self) -> bool {
        self.upstream().tracker.can_release() && !self.unit.is_mid_request
    }

    /// Sends the RESET that makes the connection usable again, as soon as that is safe.
    fn recover(&mut self) -> Result<(), Stop> {
        if !self.unit.is_recovering || self.unit.reset_sent || self.is_over() {
            return Ok(());
        }
        if self.unit.is_mid_request {
            // The rest of the request will never come, or must not.
            return Err(Lost::BrokenOff.into());
        }
        // An answer to COMMIT is worth more than an early RESET.
        if self.unit.ending.is_none() && self.upstream().tracker.may_reset() {
            let upstream = self.upstream();
            Request::Reset.put(&mut upstream.wire.output);
            upstream.tracker.sent(tag::RESET);
            self.unit.reset_sent = true;
        }
        Ok(())
    }

    /// Hands the connection on and leaves the client in the state that it must believe in.
    async fn end(mut self, outcome: Result<(), End>) -> Result<(), End> {
        let held = self.unit.started.elapsed();
        let counts = self.lease.as_ref().map(|lease| lease.wire.counts());
        // First, so that a client that asks again as soon as it is answered, on whatever connection of its
        // own, finds this one free.
        if let Some(lease) = self.lease.take() {
            let leaks = self.unit.reset_sent && self.unit.has_records && lease.may_leak_warnings;
            // Anything but a clean connection is closed by the lease itself.
            if leaks { lease.discard() } else { drop(lease) }
        }
        // Whether it was completed is not asked: a change whose answer was lost may have happened. It is
        // known here before anybody is told.
        if self.unit.touches_system {
            self.session.shared.directory().forget_verified();
        }
        if outcome.is_ok() && !self.unit.client_gone {
            // The client can read while we count. What the socket does not take now, or refuses, is dealt
            // with by whoever writes next.
            let _: Poll<_> = self.session.client.flush_at_once().await;
        }
        self.session.count_bytes();
        let metrics = self.session.shared.metrics();
        metrics.unit_ended(self.unit.kind, held);
        if let Some((read, written)) = counts {
            let before = self.unit.before;
            metrics.bytes(Side::Upstream, read - before.0, written - before.1);
        }
        self.session.set_client_state(ClientState::Idle);
        if self.unit.hang_up {
            return Err(End::Protocol("illegal_message"));
        }
        if self.unit.client_gone {
            return Err(End::ClientLeft);
        }
        outcome?;
        self.keep_unused_failure();
        if self.session.pending_failure.is_none() {
            let failed = self.unit.has_failed;
            self.session.state = if failed { ServerState::Failed } else { ServerState::Ready };
        }
        Ok(())
    }

    /// A time-out of ours ended the work after all that was asked for had been answered: the client
    /// hears of it with its next request.
    fn keep_unused_failure(&mut self) {
        let Some(failure) = self.unit.failure.take() else { return };
        if self.unit.state != ServerState::Ready && !self.unit.has_failed {
            self.session.state = self.unit.state;
            self.session.pending_failure = Some(Box::new(failure));
        }
    }

    /// What the client is told depends on what may have happened upstream.
    fn upstream_lost(&mut self, lost: &Lost) -> Result<(), End> {
        let Some(lease) = self.lease.take() else { return Ok(()) };
        let unanswered: Vec<u8> =
            lease.tracker.unanswered().filter(|request| *request != tag::RESET).collect();
        let nothing_sent = lease.wire.written == self.unit.before.1 || self.unit.is_mid_request;
        let mid_message = !lease.scanner.is_at_boundary();
        let outcome_unknown = !self.unit.has_failed
            && match self.unit.kind {
                UnitKind::AutoCommit => !nothing_sent,
                UnitKind::Transaction => self.unit.ending == Some(tag::COMMIT),
                UnitKind::Route => false,
            };
        self.unit.touches_system |= outcome_unknown;
        let (fault, reason) = lost.blame();
        debug!(reason, upstream = %lease.id, "upstream connection lost");
        self.session.shared.metrics().error(fault, reason);
        lease.discard();
        if self.unit.client_gone {
            return Err(End::ClientLeft);
        }
        if mid_message || outcome_unknown {
            return Err(End::OutcomeUnknown);
        }
        let failure = self.unit.failure.take().unwrap_or_else(failures::upstream_lost);
        if unanswered.is_empty() {
            if !self.unit.has_failed && !self.unit.is_recovering {
                self.session.state = self.unit.state;
                self.session.pending_failure = Some(Box::new(failure));
            }
            return Ok(());
        }
        for _ in unanswered {
            // Only the first one fails; the rest is ignored because of it.
            if mem::replace(&mut self.unit.has_failed, true) {
                self.session.ignored();
            } else {
                self.session.fail(&failure);
            }
        }
        Ok(())
    }

    /// A limit of ours was passed. Who waits for an answer gets this one, who doesn't gets it with
    /// the next request.
    fn time_out(&mut self, failure: Failure, reason: &'static str) {
        self.session.shared.metrics().error(Fault::Client, reason);
        self.unit.is_recovering = true;
        let upstream = self.upstream();
        if upstream.tracker.unanswered().len() > 0 {
            self.unit.failure = Some(failure);
        } else {
            self.session.state = self.unit.state;
            self.session.pending_failure = Some(Box::new(failure));
        }
    }
}

/// Why the relay stops before everything was answered.
enum Stop {
    Lost(Lost),
    Client(End),
}

impl From<Lost> for Stop {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl From<End> for Stop {
    fn from(end: End) -> Self {
        Self::Client(end)
    }
}

/// How long making a connection usable again may take, its running query included, when nobody
/// waits for that any more.
const RECOVERY_TIMEOUT: Duration = Duration::from_secs(10);
