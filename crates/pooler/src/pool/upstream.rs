//! One connection to the server, logged in, with what is known about its state.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bolt::message::tag;
use bolt::{Request, RequestTag, Scanned, Scanner, Summary, Tracker};
use net::Wire;
use tokio::time::Instant;

use super::Permit;
use crate::alarm::Alarm;
use crate::class::Class;
use crate::metrics::OpenUpstream;

/// In a box, because it is handed from list to lease to queue.
pub(crate) type Connection = Box<Upstream>;

#[derive(Debug)]
pub(crate) struct Upstream {
    pub wire: Wire,
    pub scanner: Scanner,
    pub tracker: Tracker,
    pub class: Arc<Class>,
    /// How the server calls this connection in its list.
    pub id: String,
    pub expires: Instant,
    /// When it was last handed back.
    pub idle_since: Instant,
    /// A client has had it.
    pub was_used: bool,
    /// Of the pool, when this connection was planned.
    pub epoch: u64,
    pub permit: Permit,
    /// The server promised a sign of life more often than this while it works.
    pub receive_timeout: Option<Duration>,
    /// Of the unit of work that has the connection. It stays from one unit to the next.
    pub alarm: Alarm,
    /// A warning about a result that was broken off can turn up in the next one.
    pub may_leak_warnings: bool,
    pub _counted: OpenUpstream,
}

impl Upstream {
    /// Whether the next client may have it: everything was answered, the server is READY, and no
    /// byte is on its way in our buffers.
    pub fn is_clean(&self) -> bool {
        self.tracker.can_release()
            && self.scanner.is_at_boundary()
            && self.wire.input.is_empty()
            && !self.wire.has_output()
    }

    /// Whether an idle connection is still open and has nothing to say. Asks the socket only, and
    /// wakes nobody later.
    pub fn is_quiet(&mut self) -> bool {
        self.poll_quiet(&mut Context::from_waker(Waker::noop()))
    }

    /// As [`Self::is_quiet`], and wakes the task when that is no longer so.
    pub fn poll_quiet(&mut self, cx: &mut Context<'_>) -> bool {
        self.wire.poll_fill(cx).is_pending()
    }

    /// Asks a connection that was idle for a sign of life.
    pub async fn probe(&mut self, timeout: Duration) -> bool {
        Request::Reset.put(&mut self.wire.output);
        self.tracker.sent(RequestTag::Reset);
        let answered = tokio::time::timeout(timeout, async {
            self.wire.flush().await?;
            let unexpected = std::io::Error::from(std::io::ErrorKind::InvalidData);
            loop {
                match self.scanner.next(&mut self.wire.input) {
                    Ok(None) => self.wire.fill().await?,
                    Ok(Some(Scanned::Message { tag: tag::SUCCESS, .. })) => return Ok(()),
                    _ => return Err(unexpected),
                }
            }
        });
        let is_alive = matches!(answered.await, Ok(Ok(())));
        let summary =
            if is_alive { Summary::Success { has_more: false } } else { Summary::Failure };
        let _ = self.tracker.answered(summary);
        is_alive && self.is_clean()
    }

    /// Says goodbye if the server is listening, and closes.
    pub fn close(self: Box<Self>) {
        let is_clean = self.is_clean();
        let Self { wire, .. } = *self;
        wire.close(|output| {
            if is_clean {
                Request::Goodbye.put(output);
            }
        });
    }
}
