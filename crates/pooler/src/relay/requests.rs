//! From client to upstream: requests are shown to the unit of work one after the other, and passed
//! on as they came.

use bolt::chunk::payload;
use bolt::packstream::{Kind, PackError, Reader};
use bolt::{Piece, RequestTag};

use super::Pump;
use crate::client::Room;
use crate::end::End;
use crate::routing;
use crate::unit::{Access, Effect, Event, Part, Written};

impl Pump<'_> {
    /// Shows the unit what the client wants, until it has to wait.
    pub(super) fn offer_requests(&mut self) -> Result<(), End> {
        while !self.unit.is_over() && !self.unit.is_abandoned() && self.has_room() {
            let front = self.client.front()?.map(offered);
            if self.client.resets() > 0 {
                self.feed(Event::ResetWanted);
            }
            let Some(event) = front else { return Ok(()) };
            if self.feed(event).into_iter().any(|effect| effect == Effect::Hold) {
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
            RequestTag::Run => self.passwords.run(),
            RequestTag::Route => self.address = routing::address_in_route(piece.wire()),
            RequestTag::Begin => {
                // A malformed one is for the server to refuse.
                let (access, on_system) = read_begin(&payload(piece.wire())).unwrap_or_default();
                self.passwords.begun(access, on_system);
            }
            _ => {}
        }
    }
}

/// What there is to be said to the unit about it.
pub(super) fn offered(piece: &Piece) -> Event {
    match (piece, piece.request()) {
        (Piece::More { ended, .. }, _) => Event::More { ended: *ended },
        // It is for nobody to pass on. If it begins another unit, it waits for its turn.
        (Piece::TooLarge { .. }, _) => Event::Request(RequestTag::Unknown(0), Part::Whole),
        (Piece::Begun { .. }, _) => Event::Request(RequestTag::Run, Part::Beginning),
        (_, Some(request)) => Event::Request(request, Part::Whole),
        (_, None) => Event::Request(RequestTag::Unknown(0), Part::Whole),
    }
}

/// Reads where a transaction may write. Bookmarks and metadata, which may be many, are passed over.
fn read_begin(payload: &[u8]) -> Result<(Access, Written), PackError> {
    let mut reader = Reader::new(payload);
    reader.structure()?;
    let (mut access, mut written) = (Access::MayWrite, Written::Data);
    for _ in 0..reader.dictionary_header()? {
        match (reader.str()?, reader.peek()?) {
            ("db", Kind::String) if reader.str()?.eq_ignore_ascii_case("system") => {
                written = Written::System;
            }
            ("mode", Kind::String) if reader.str()?.eq_ignore_ascii_case("r") => {
                access = Access::Reads;
            }
            ("db" | "mode", Kind::String) => {}
            _ => reader.skip()?,
        }
    }
    Ok((access, written))
}
