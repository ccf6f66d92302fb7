//! How work on a connection ends: it is handed on, given up or lost, and counted.

use tokio::time::Instant;
use tracing::debug;

use super::{Pump, Work};
use crate::clients::ClientState;
use crate::end::End;
use crate::pool::Lease;
use crate::reason::Reason;
use crate::unit::{Ending, Event, Loss, Sent, Side, Told};

impl Pump<'_> {
    /// The connection can't be used any more.
    pub(super) fn lose(&mut self, reason: Reason) {
        let (Some(lease), Work::Begun(since, before)) = (&self.lease, self.work) else { return };
        let is_untouched = lease.wire.counts().1 == before.1;
        let is_whole = lease.scanner.is_at_boundary();
        let loss = Loss {
            reason,
            sent: if is_untouched { Sent::Nothing } else { Sent::Something },
            told: if is_whole { Told::BetweenMessages } else { Told::MidMessage },
        };
        debug!(reason = reason.label(), upstream = %lease.id, "upstream connection lost");
        if self.unit.is_outcome_unknown(&lease.tracker, loss) {
            self.passwords.outcome_unknown();
        }
        self.count(reason);
        self.feed(Event::Lost(loss));
        self.work = Work::Ended(since, None);
        if let Some(lease) = self.lease.take() {
            lease.discard();
        }
    }

    /// Hands the connection on. This comes before the last answer leaves, so that a client that
    /// asks again as soon as it is answered, on whatever connection of its own, finds this one free.
    pub(super) fn release(&mut self) {
        let may_leak = self.warnings.may_leak();
        // Anything but a clean connection is closed by the lease itself.
        self.end_work(|lease| match may_leak && lease.may_leak_warnings {
            true => lease.discard(),
            false => drop(lease),
        });
    }

    fn end_work(&mut self, part_with: impl FnOnce(Lease)) {
        let Work::Begun(since, before) = self.work else { return };
        let Some(lease) = self.lease.take() else { return };
        let (read, written) = lease.wire.counts();
        self.work = Work::Ended(since, Some((read - before.0, written - before.1)));
        part_with(lease);
    }

    pub(super) async fn end(&mut self, outcome: Result<(), End>) -> Result<(), End> {
        if self.lease.is_some() {
            // The client broke the protocol in the middle of its unit: what is left can't be used
            // again, and nobody hears what comes of it.
            self.passwords.outcome_unknown();
            self.end_work(Lease::discard);
        }
        // Whether it was completed is not asked: a change whose answer was lost may have happened. It
        // is known here before anybody is told.
        if self.passwords.may_have_changed() {
            self.shared.directory().forget_verified();
        }
        let client = &mut *self.client;
        if outcome.is_ok() && self.ending.is_none() {
            // The client can read while we count.
            client.flush_at_once().await;
        }
        let metrics = self.shared.metrics();
        let (received, sent) = client.count_bytes(metrics);
        client.entry.carried(received, sent);
        client.entry.unit_ended(self.waited);
        let mut now = self.now;
        if let Work::Ended(since, bytes) = self.work {
            now = Instant::now();
            metrics.unit_ended(self.unit.kind(), now - since);
            let (read, written) = bytes.unwrap_or_default();
            metrics.bytes(Side::Upstream, read, written);
        }
        client.entry.set_state(ClientState::Idle, now);
        let end = match (outcome, self.ending) {
            (Err(end), _) => end,
            (Ok(()), None) => return Ok(()),
            (Ok(()), Some(Ending::Left)) => End::ClientLeft,
            (Ok(()), Some(Ending::Because(reason))) => End::Because(reason),
        };
        if let End::Because(Reason::IllegalMessage | Reason::MessageTooLarge) = end {
            // It is told what it has been answered before it is closed.
            Box::pin(client.finish()).await;
        }
        Err(end)
    }
}
