//! From client to upstream: what belongs to this unit of work is passed on at once, anything else
//! waits until it is over.

use bolt::chunk::payload;
use bolt::message::tag;
use bolt::packstream::{Kind, PackError, Reader};
use bolt::{Piece, ServerState};
use bytes::BytesMut;

use super::{Relay, Stop};
use crate::failures;
use crate::metrics::UnitKind;
use crate::routing;

/// What to do with the next request.
enum Turn {
    Forward,
    /// Not before what was sent has been answered.
    Hold,
    Illegal,
    Leave,
}

impl Relay<'_> {
    pub(super) fn forward_requests(&mut self) -> Result<(), Stop> {
        if self.unit.client_gone {
            return Ok(());
        }
        self.session.take_in()?;
        // Whatever stands before a RESET is not worth doing any more.
        if self.session.inbox.resets > 0 && !self.unit.is_mid_request {
            self.unit.is_recovering = true;
        }
        while !self.unit.is_recovering && !self.is_congested() {
            let Some(front) = self.session.inbox.front() else { return Ok(()) };
            let tag = match front {
                Piece::Message { tag, .. } => *tag,
                Piece::Begun { .. } => tag::RUN,
                Piece::More { .. } => {
                    self.pass_on_more();
                    continue;
                }
            };
            match self.turn(tag) {
                Turn::Forward => {
                    let Some(piece) = self.session.inbox.pop() else { return Ok(()) };
                    self.forward(piece, tag);
                    self.session.take_in()?;
                }
                Turn::Hold => return Ok(()),
                Turn::Leave => self.client_has_left(),
                Turn::Illegal => {
                    let failure = failures::illegal(tag, self.upstream().tracker.state());
                    self.session.fail(&failure);
                    self.unit.hang_up = true;
                    self.client_has_left();
                }
            }
        }
        Ok(())
    }

    /// Enough is on its way to the server; the client has to wait.
    fn is_congested(&mut self) -> bool {
        self.upstream().wire.output.len() >= OUTPUT_MAX
    }

    fn turn(&mut self, request: u8) -> Turn {
        let ending = self.unit.ending.is_some();
        let kind = self.unit.kind;
        let tracker = &self.upstream().tracker;
        let mut unanswered = tracker.unanswered();
        if unanswered.len() == 0 {
            return match tracker.state() {
                _ if request == tag::GOODBYE => Turn::Leave,
                ServerState::Ready => Turn::Hold,
                state if state.accepts(request) => Turn::Forward,
                _ => Turn::Illegal,
            };
        }
        let may_follow = match kind {
            // A second PULL may find that the first one was the last.
            UnitKind::AutoCommit => {
                matches!(request, tag::PULL | tag::DISCARD)
                    && !unanswered.any(|sent| matches!(sent, tag::PULL | tag::DISCARD))
            }
            UnitKind::Transaction => {
                !ending
                    && matches!(
                        request,
                        tag::RUN | tag::PULL | tag::DISCARD | tag::COMMIT | tag::ROLLBACK
                    )
            }
            UnitKind::Route => false,
        };
        if may_follow { Turn::Forward } else { Turn::Hold }
    }

    /// Passes a request on and remembers what it will do.
    pub(super) fn forward(&mut self, piece: Piece, request: u8) {
        self.unit.open_results += usize::from(request == tag::RUN);
        match piece {
            Piece::Message { wire, .. } => {
                self.note(request, &wire);
                self.send(wire);
            }
            Piece::Begun { wire } => {
                self.unit.is_mid_request = true;
                self.send(wire);
            }
            Piece::More { .. } => return,
        }
        self.upstream().tracker.sent(request);
    }

    fn pass_on_more(&mut self) {
        if let Some(Piece::More { wire, ended }) = self.session.inbox.pop() {
            self.unit.is_mid_request = !ended;
            self.send(wire);
        }
    }

    fn send(&mut self, wire: BytesMut) {
        self.upstream().wire.forward(wire);
    }

    fn note(&mut self, request: u8, wire: &BytesMut) {
        match request {
            tag::COMMIT | tag::ROLLBACK => self.unit.ending = Some(request),
            tag::ROUTE => self.unit.address = routing::address_in_route(wire),
            tag::BEGIN => {
                // A malformed one is for the server to refuse.
                let begin = read_begin(&payload(wire)).unwrap_or_default();
                self.unit.reads_only = begin.reads_only;
                self.unit.touches_system = begin.on_system && !begin.reads_only;
            }
            _ => {}
        }
    }

    /// Whether the server has something to answer.
    pub(super) fn is_waiting_for_server(&mut self) -> bool {
        !self.unit.is_mid_request && self.upstream().tracker.unanswered().len() > 0
    }

    /// Whether the open transaction or result, or the server with half a request, waits for its
    /// client.
    pub(super) fn is_waiting_for_client(&mut self) -> bool {
        let is_mid_request = self.unit.is_mid_request;
        let tracker = &self.upstream().tracker;
        is_mid_request
            || tracker.unanswered().len() == 0
                && matches!(
                    tracker.state(),
                    ServerState::Streaming | ServerState::TxReady | ServerState::TxStreaming
                )
    }
}

/// What of BEGIN matters here.
#[derive(Debug, Default)]
struct Begin {
    on_system: bool,
    reads_only: bool,
}

/// Passes over bookmarks and metadata, which may be many.
fn read_begin(payload: &[u8]) -> Result<Begin, PackError> {
    let mut reader = Reader::new(payload);
    reader.structure()?;
    let mut begin = Begin::default();
    for _ in 0..reader.dictionary_header()? {
        match (reader.str()?, reader.peek()?) {
            ("db", Kind::String) => begin.on_system = reader.str()?.eq_ignore_ascii_case("system"),
            ("mode", Kind::String) => begin.reads_only = reader.str()?.eq_ignore_ascii_case("r"),
            _ => reader.skip()?,
        }
    }
    Ok(begin)
}

/// Bytes on their way to one side, past which the other side has to wait.
pub(super) const OUTPUT_MAX: usize = 256 * 1024;
