//! How fast a client goes on with what it has begun: whether it takes what it is sent, whether its
//! connection rests, and what is done when others wait for that.

use bytes::BytesMut;

use super::Pump;
use crate::client::{FAIR_BYTES, Room};
use crate::unit::{Doing, Event, Lag};

/// How much of what was under way has got on, so that somebody slow can be told from somebody who has
/// stopped.
#[derive(Default)]
pub(super) struct Pace(u64);

impl Pace {
    /// Begins anew when so much has been carried.
    pub fn from(carried: u64) -> Self {
        Self(carried)
    }

    /// Whether a fair amount more has been carried than when this was last so.
    fn is_fair(&mut self, carried: u64) -> bool {
        let is_fair = carried >= self.0 + FAIR_BYTES;
        if is_fair {
            self.0 = carried;
        }
        is_fair
    }
}

impl Pump<'_> {
    /// Tells the unit whether the client takes what it is sent, and whether it has got on.
    pub(super) fn note_lag(&mut self) {
        let lag = match self.client.room() {
            Room::Some => Lag::None,
            Room::None => Lag::Some,
        };
        if lag != self.lag {
            self.lag = lag;
            self.feed(Event::ClientLags(lag));
        }
        let sent = self.lease.as_ref().map_or(0, |lease| lease.wire.counts().1);
        if self.pace.is_fair(self.client.taken() + sent) {
            self.feed(Event::Progress);
        }
    }

    /// Tells the pool what happens on the connection, whenever that changes.
    pub(super) fn note_doing(&mut self) {
        let doing = match self.unit.resting() {
            Some((rest, since)) => Some((Doing::Resting(rest), since)),
            None if self.has_records => Some((Doing::Streaming, self.now)),
            None => None,
        };
        let is_same = match (doing, self.doing) {
            // It counts from the first record on.
            (Some((Doing::Streaming, _)), Some((Doing::Streaming, _))) => true,
            (doing, known) => doing == known,
        };
        if !is_same {
            self.doing = doing;
            if let Some(lease) = &self.lease {
                let (doing, since) = doing.unwrap_or((Doing::Running, self.now));
                lease.does(doing, since);
            }
        }
    }

    /// Others wait for the connection, and the pool has decided that it is this client that has to give
    /// it back.
    pub(super) fn contended(&mut self) {
        let ends = !self.feed(Event::Contended).is_empty();
        match &self.lease {
            Some(lease) if ends => lease.hold().leaves(),
            Some(lease) => lease.does(Doing::Running, self.now),
            None => {}
        }
    }

    /// Passes records on.
    pub(super) fn stream(&mut self, bytes: &mut BytesMut) {
        self.client.stream(std::mem::take(bytes));
        if self.client.has_too_much()
            && self.with_tracker(|unit, tracker, _| unit.overrules_lag(tracker))
        {
            // The end of a record that the client does not take is too long to be kept for it.
            self.client_left();
        }
    }
}
