//! One connection to the server, logged in, with what is known about its state. It knows nothing of
//! pools: when it may be used, and by whom, is decided there.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bolt::message::tag;
use bolt::{Request, RequestTag, Scanned, Scanner, Summary, Tracker};
use net::Wire;
use tokio::time::Instant;

use super::reach::Peer;
use crate::alarm::Alarm;
use crate::class::Class;
use crate::metrics::OpenUpstream;

#[derive(Debug)]
pub(crate) struct Upstream {
    pub wire: Wire,
    pub scanner: Scanner,
    pub tracker: Tracker,
    pub class: Arc<Class>,
    /// Where it is, if it is a place.
    pub peer: Option<Peer>,
    /// How the server calls this connection in its list.
    pub id: String,
    /// From then on it is closed instead of being used for another unit of work.
    pub expires: Instant,
    /// The server promised a sign of life more often than this while it works.
    pub receive_timeout: Option<Duration>,
    /// Of the unit of work that has the connection. It stays from one unit to the next.
    pub alarm: Alarm,
    /// A warning about a result that was broken off can turn up in the next one.
    pub may_leak_warnings: bool,
    /// Counts this connection as open in the metrics for as long as it exists.
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
    pub fn close(self) {
        let is_clean = self.is_clean();
        self.wire.close(|output| {
            if is_clean {
                Request::Goodbye.put(output);
            }
        });
    }
}

#[cfg(test)]
impl Upstream {
    /// A connection to nobody, and its other end.
    pub fn for_test(
        class: &Arc<Class>,
        metrics: &crate::metrics::Metrics,
    ) -> (Box<Self>, tokio::io::DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(1024);
        let upstream = Self {
            wire: Wire::new(net::Socket::Other(Box::new(ours))),
            scanner: Scanner::new(1024),
            tracker: Tracker::ready(),
            class: class.clone(),
            peer: None,
            id: "bolt-1".to_owned(),
            expires: Instant::now() + Duration::from_secs(3600),
            receive_timeout: None,
            alarm: Alarm::default(),
            may_leak_warnings: false,
            _counted: metrics.upstream_opened(),
        };
        (Box::new(upstream), theirs)
    }
}
