//! From client to upstream: requests are shown to the unit of work one after the other, and passed
//! on as they came.

use bolt::chunk::first_chunk;
use bolt::{Piece, Reader, RequestTag};

use super::Pump;
use crate::client::Room;
use crate::end::End;
use crate::routing;
use crate::unit::{Effect, Event, Part, Query};

impl Pump<'_> {
    /// Shows the unit what the client wants, until it has to wait.
    pub(super) fn offer_requests(&mut self) -> Result<(), End> {
        while !self.unit.is_over() && !self.unit.is_abandoned() && self.has_room() {
            let front = self.client.front()?.map(offered);
            if self.client.resets() > 0 {
                self.feed(Event::ResetWanted);
            }
            let Some(event) = front else { return Ok(()) };
            if self.feed(event).contains(Effect::Hold) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether not too much is on its way to the server already.
    fn has_room(&self) -> bool {
        self.lease.as_ref().is_some_and(|lease| Room::beside(&lease.wire.output) == Room::Some)
    }

    /// Passes on what the client has said next.
    pub(super) fn forward(&mut self) {
        let Some(piece) = self.client.pop() else { return };
        if let Some(request) = piece.request() {
            self.note(request, &piece);
        }
        if let Some(lease) = &mut self.lease {
            lease.wire.forward(piece.into_wire());
        }
    }

    fn note(&mut self, request: RequestTag, piece: &Piece) {
        match request {
            RequestTag::Run => self.passwords.run(Query::of(text_of(piece.wire()))),
            RequestTag::Route => self.address = routing::address_in_route(piece.wire()),
            RequestTag::Begin => self.passwords.begun(),
            _ => {}
        }
    }
}

/// What there is to be said to the unit about it.
pub(super) fn offered(piece: &Piece) -> Event {
    match (piece, piece.request()) {
        (Piece::More { ended, .. }, _) => Event::More { ended: *ended },
        (Piece::TooLarge { .. }, Some(request)) => Event::Request(request, Part::TooLarge),
        (Piece::Begun { .. }, _) => Event::Request(RequestTag::Run, Part::Beginning),
        (_, Some(request)) => Event::Request(request, Part::Whole),
        (_, None) => Event::Request(RequestTag::Unknown(0), Part::Whole),
    }
}

/// A query's text, if it is in the first chunk, as it is but for very long ones.
fn text_of(wire: &[u8]) -> Option<&str> {
    let mut reader = Reader::new(first_chunk(wire));
    reader.structure().ok()?;
    reader.str().ok()
}
