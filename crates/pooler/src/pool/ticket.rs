//! What becomes of asking a pool for a connection, and the place in the queue of whoever has to wait.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bolt::Failure;
use tokio::sync::oneshot;

use super::{Lease, Pool};
use crate::class::Class;

/// What a client gets that asks for a connection.
#[derive(Debug)]
pub(crate) enum Acquired {
    Ready(Lease),
    Waiting(Ticket),
    /// So many wait already that nobody else may.
    QueueFull {
        waiting: usize,
    },
    /// There is no connection, and the upstream refuses what new ones would log in with.
    Refused(Failure),
}

/// What a client is told that has waited.
#[derive(Debug)]
pub(crate) enum Reply {
    Ready(Lease),
    /// No connection can be opened now, for this reason.
    Unavailable(String),
    /// The upstream refuses what new connections would log in with.
    Refused(Failure),
}

/// A place in the queue. It is a future that resolves to the answer; dropping it gives the place up.
#[derive(Debug)]
pub(crate) struct Ticket {
    pool: Arc<Pool>,
    class: Arc<Class>,
    /// Gone once it was answered.
    number: Option<u64>,
    answer: oneshot::Receiver<Reply>,
}

impl Ticket {
    pub(super) fn new(
        pool: Arc<Pool>,
        class: Arc<Class>,
        number: u64,
        answer: oneshot::Receiver<Reply>,
    ) -> Self {
        Self { pool, class, number: Some(number), answer }
    }
}

impl Future for Ticket {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let answered = Pin::new(&mut self.answer).poll(cx);
        if answered.is_ready() {
            self.number = None;
        }
        // Nothing is sent only if the pool has gone, and with it whoever could answer.
        answered.map(|answer| answer.unwrap_or_else(|_| Reply::Unavailable(CLOSED.to_owned())))
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.pool.change(|state, _| state.leave_queue(&self.class, number));
        }
    }
}

const CLOSED: &str = "the pool was closed";
