//! A client with nothing to do: what was collected is written, buffers are given back, and the
//! client's next bytes, or the end, are awaited.

use std::future::poll_fn;
use std::task::Poll;

use tokio::time::{Instant, sleep_until};

use super::{End, Session};
use crate::failures;
use crate::metrics::Fault;

/// What happened while a client had nothing to do.
enum Woken {
    Input,
    Draining,
    Deadline,
}

impl Session {
    pub(super) async fn wait(&mut self) -> Result<(), End> {
        if self.client.has_output() {
            // Nearly always the socket takes all of it at once; the limit is for when it doesn't.
            match self.client.flush_at_once().await {
                Poll::Ready(flushed) => flushed?,
                Poll::Pending => Box::pin(self.flush()).await?,
            }
        }
        self.inbox.release();
        if self.shared.is_draining() {
            return Box::pin(self.drain()).await;
        }
        let woken = if self.state.is_logged_in() {
            self.wait_for_input().await?
        } else {
            Box::pin(self.wait_for_login()).await?
        };
        match woken {
            Woken::Input => Ok(()),
            Woken::Draining => Box::pin(self.drain()).await,
            Woken::Deadline => Err(End::LoginTimedOut),
        }
    }

    async fn wait_for_input(&mut self) -> Result<Woken, End> {
        let Self { shared, client, entry, .. } = self;
        poll_fn(|cx| {
            if let Poll::Ready(filled) = client.poll_fill(cx) {
                return Poll::Ready(filled.map(|()| Woken::Input));
            }
            // In this order: whoever begins to drain wakes everybody behind saying so.
            entry.set_waker(cx.waker());
            if shared.is_draining() { Poll::Ready(Ok(Woken::Draining)) } else { Poll::Pending }
        })
        .await
        .map_err(End::from)
    }

    async fn wait_for_login(&mut self) -> Result<Woken, End> {
        let deadline = self.login_deadline;
        tokio::select! {
            woken = self.wait_for_input() => woken,
            () = sleep_until(deadline) => Ok(Woken::Deadline),
        }
    }

    /// Writes what there is, to a client that has to take some of it now and then.
    pub async fn flush(&mut self) -> Result<(), End> {
        let limit = self.shared.limits().client_write_timeout.0;
        let client = &mut self.client;
        let mut deadline = Box::pin(sleep_until(Instant::now() + limit));
        let mut written = client.written;
        poll_fn(|cx| {
            let flushed = client.poll_flush(cx);
            if flushed.is_ready() {
                return flushed.map_err(End::from);
            }
            if client.written != written {
                written = client.written;
                deadline.as_mut().reset(Instant::now() + limit);
            }
            deadline.as_mut().poll(cx).map(|()| Err(End::ClientStalled))
        })
        .await
    }

    /// The pooler is going: a client between two units of work is closed, one that has just sent
    /// something is told.
    async fn drain(&mut self) -> Result<(), End> {
        if !self.client.input.is_empty() && self.state.is_logged_in() {
            return self.refuse(&failures::draining(), Fault::Pooler, "draining").await;
        }
        Err(End::Drained)
    }
}
