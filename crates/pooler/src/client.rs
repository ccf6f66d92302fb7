//! One client's connection: its socket, its requests that wait, and what it believes. Whatever the
//! client is told goes through here, so that its view changes together with what was said.

mod patience;
mod view;

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use bolt::chunk::NOOP;
use bolt::message::{put_failure, put_success};
use bolt::{Dictionary, Failure, Piece, RequestTag, Response, ServerState, Version};
use bytes::BytesMut;
use net::{Inbox, Negotiated, Wire};
use tokio::time::Instant;

use crate::alarm::Alarm;
use crate::clients::Entry;
use crate::end::End;
use crate::inbox::INBOX_LIMITS;
use crate::metrics::Metrics;
use crate::reason::Reason;
use crate::shared::Shared;
use crate::unit::Side;

use patience::Idleness;
pub(crate) use view::{Handling, View};

pub(crate) struct Client {
    wire: Wire,
    inbox: Inbox,
    view: View,
    pub entry: Entry,
    pub negotiated: Negotiated,
    /// Since when it has taken next to nothing of what waits to be written, and how much it had taken
    /// then. In a box, because that is rare and clients are many.
    stalled: Option<Box<(Instant, u64)>>,
    /// Since when half a request has been here, while nothing else is under way.
    half_since: Option<Box<Instant>>,
    idleness: Idleness,
    /// Bytes that the metrics know of already.
    counted: (u64, u64),
}

/// What ended a wait for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken<T> {
    Input,
    Left,
    /// The pooler is going.
    Draining,
    Alarm,
    /// What else was waited for.
    Other(T),
}

/// Whether a wait ends when the pooler is going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drain {
    Heeded,
    Ignored,
}

/// Whether more may be read for a side that has not taken all yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Some,
    None,
}

impl Room {
    /// The room of a side that has not taken this output yet.
    pub fn beside(output: &BytesMut) -> Self {
        if output.len() < OUTPUT_MAX { Self::Some } else { Self::None }
    }
}

impl Client {
    /// A client that has agreed on a version and has to log in before `until`.
    pub fn new(wire: Wire, entry: Entry, negotiated: Negotiated, until: Instant) -> Self {
        Self {
            wire,
            inbox: Inbox::unauthenticated(&INBOX_LIMITS),
            view: View::logging_in(ServerState::Negotiation, until),
            entry,
            negotiated,
            stalled: None,
            half_since: None,
            idleness: Idleness::Busy,
            counted: (0, 0),
        }
    }

    pub fn version(&self) -> Version {
        self.negotiated.version
    }

    pub fn view(&self) -> &View {
        &self.view
    }

    /// The request that is next, if one has arrived.
    pub fn next_request(&mut self) -> Result<Option<RequestTag>, End> {
        self.take_in()?;
        while let Some(piece) = self.inbox.front() {
            match piece.request() {
                None => {
                    // The rest of a request that was refused when it began.
                    self.inbox.pop();
                    self.take_in()?;
                }
                request => return Ok(request),
            }
        }
        Ok(None)
    }

    /// Whether the request that is next was too large to be read.
    pub fn is_next_too_large(&self) -> bool {
        matches!(self.inbox.front(), Some(Piece::TooLarge { .. }))
    }

    /// What has arrived next, be it the middle of a request.
    pub fn front(&mut self) -> Result<Option<&Piece>, End> {
        self.take_in()?;
        Ok(self.inbox.front())
    }

    pub fn pop(&mut self) -> Option<Piece> {
        self.inbox.pop()
    }

    /// RESETs that have arrived and were not answered yet.
    pub fn resets(&self) -> usize {
        self.inbox.resets
    }

    fn take_in(&mut self) -> Result<(), End> {
        Ok(self.inbox.take_in(&mut self.wire.input)?)
    }

    /// Waits for the client, for what else the caller waits for, and for `due` or a limit of the client's
    /// own. It is the only
    /// place where a client's socket is polled while the client lives. `other` is told whether the
    /// client has room for more answers, and says whether there is room for more requests.
    pub fn wait<'a, T>(
        &'a mut self,
        shared: &'a Shared,
        drain: Drain,
        alarm: &'a mut Alarm,
        due: Option<Instant>,
        mut other: impl FnMut(&mut Context<'_>, Room) -> (Poll<T>, Room) + 'a,
    ) -> impl Future<Output = Woken<T>> + 'a {
        // Not an async function: that would keep room for its arguments twice, in every idle client.
        poll_fn(move |cx| {
            // First, so that answers leave before more of them are read.
            if self.poll_write(cx).is_err() {
                return Poll::Ready(Woken::Left);
            }
            let (ready, room) = other(cx, self.room());
            if let Poll::Ready(ready) = ready {
                return Poll::Ready(Woken::Other(ready));
            }
            if let Poll::Ready(read) = self.poll_read(cx, room) {
                return Poll::Ready(read.map_or(Woken::Left, |()| Woken::Input));
            }
            if drain == Drain::Heeded && self.entry.poll_draining(cx) {
                return Poll::Ready(Woken::Draining);
            }
            self.time_idleness(shared);
            // The client's own limits may have begun with what could not be written just now.
            let due = due.into_iter().chain(self.due(shared)).min();
            alarm.poll(cx, due).map(|()| Woken::Alarm)
        })
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let flushed = self.wire.poll_flush(cx);
        self.note_stall();
        match flushed {
            Poll::Ready(flushed) => flushed,
            Poll::Pending => Ok(()),
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, room: Room) -> Poll<io::Result<()>> {
        let may_read = room == Room::Some && !self.inbox.is_full();
        if may_read { self.wire.poll_fill(cx) } else { Poll::Pending }
    }

    /// Writes what the socket takes now. What it does not take, or refuses, is dealt with by the
    /// next wait.
    pub async fn flush_at_once(&mut self) {
        if self.wire.has_output() {
            let _: Poll<_> = self.wire.flush_at_once().await;
            self.note_stall();
        }
    }

    /// Whether something that was said has not left yet.
    pub fn has_output(&self) -> bool {
        self.wire.has_output()
    }

    /// Whether it has taken so much of what was said that more may be read for it.
    pub fn room(&self) -> Room {
        Room::beside(&self.wire.output)
    }

    /// Whether more waits to be taken than may be kept for a client at all.
    pub fn has_too_much(&self) -> bool {
        self.wire.output.len() > OUTPUT_KEPT_MAX
    }

    /// Bytes that it has taken.
    pub fn taken(&self) -> u64 {
        self.wire.written
    }

    /// Gives buffers back that are empty.
    pub fn release_buffers(&mut self) {
        self.inbox.release();
    }

    /// See [`Wire::finish_at_once`].
    pub async fn finish_at_once(&mut self) {
        self.wire.finish_at_once().await;
    }

    /// See [`Wire::finish`].
    pub async fn finish(&mut self) {
        self.wire.finish().await;
    }

    /// Nobody will read what was said.
    pub fn discard_output(&mut self) {
        self.wire.discard_output();
        self.note_stall();
    }

    /// Counts the bytes that have come from it and gone to it since this was last done. Returns them.
    pub fn count_bytes(&mut self, metrics: &Metrics) -> (u64, u64) {
        let now = self.wire.counts();
        let before = std::mem::replace(&mut self.counted, now);
        let (received, sent) = (now.0 - before.0, now.1 - before.1);
        metrics.bytes(Side::Client, received, sent);
        (received, sent)
    }
}

/// What the client is told.
impl Client {
    /// Answers a request that leaves the view as it is.
    pub fn success(&mut self, metadata: &Dictionary) {
        put_success(&mut self.wire.output, metadata);
    }

    /// HELLO was answered; LOGON comes next.
    pub fn greeted(&mut self, metadata: &Dictionary, until: Instant) {
        self.view = View::logging_in(ServerState::Authentication, until);
        self.success(metadata);
    }

    pub fn logged_in(&mut self, metadata: &Dictionary) {
        self.inbox.log_in();
        self.view.reset();
        self.success(metadata);
    }

    /// LOGOFF was answered; it has to log in again before `until`.
    pub fn logged_off(&mut self, until: Instant) {
        self.inbox.log_off();
        self.greeted(&Dictionary::new(), until);
    }

    pub fn reset(&mut self) {
        self.view.reset();
        self.success(&Dictionary::new());
    }

    pub fn ignored(&mut self) {
        let version = self.version();
        Response::Ignored.put(&mut self.wire.output, version);
    }

    /// Answers with a failure that lasts until RESET.
    pub fn fail(&mut self, failure: &Failure) {
        let version = self.version();
        put_failure(&mut self.wire.output, failure, version);
        self.view.failed();
        self.entry.failed();
    }

    /// The next request will be answered with a failure.
    pub fn owe(&mut self, reason: Reason) {
        self.view.owe(reason);
    }

    /// Passes an answer of the server on, which leaves the client in `state`.
    pub fn answer(&mut self, wire: BytesMut, state: ServerState) {
        self.wire.forward(wire);
        // What is ignored after a failure is none itself.
        if state == ServerState::Failed && self.view.state() != ServerState::Failed {
            self.entry.failed();
        }
        self.view.answered(state);
    }

    /// Passes records on, of any length.
    pub fn stream(&mut self, wire: BytesMut) {
        self.wire.forward(wire);
    }

    /// Shows that the connection is alive. Only between two messages: anywhere else these bytes
    /// would end the message.
    pub fn noop(&mut self) {
        if !self.wire.has_output() {
            self.wire.output.extend_from_slice(&NOOP);
        }
    }
}

/// Bytes on their way to one side, past which the other side has to wait.
const OUTPUT_MAX: usize = 256 * 1024;
/// A client that sends or takes less than this counts as one that has stopped.
pub(crate) const FAIR_BYTES: u64 = 16 * 1024;
/// What is kept at most for a client that takes nothing, when its connection is needed elsewhere: the
/// record that had begun when its time was over may be that long.
const OUTPUT_KEPT_MAX: usize = 4 << 20;
