//! Work on engine threads, and what the connection does meanwhile.

use std::sync::Arc;
use std::time::Duration;

use bolt::Failure;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep_until};

use super::{End, Session, internal};
use crate::work::Work;

impl Session {
    /// Runs `job` on an engine thread while the socket is still read.
    pub(super) async fn job<T: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut Work) -> Result<T, Failure> + Send + 'static,
    ) -> Result<Result<T, Failure>, End> {
        let Some(mut work) = self.work.take() else { return Ok(Err(internal())) };
        let (control, deadline) = (work.control.clone(), work.deadline);
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            control.time_out();
        }
        let mut handle = self.shared.threads().spawn_blocking(move || {
            let outcome = job(&mut work);
            (work, outcome)
        });
        let mut guard = CancelOnDrop(Some(control.clone()));
        let joined = match self.attend(&mut handle, &control, deadline).await {
            Ok(joined) => joined,
            Err(end) => {
                // The client need not wait for what the engine still does; the books close the
                // connection only when its transaction is over, too.
                control.cancel();
                self.connection.shut_down().await;
                self.work = handle.await.ok().map(|(work, _)| work);
                return Err(end);
            }
        };
        guard.0 = None;
        match joined {
            Ok((work, outcome)) => {
                self.work = Some(work);
                Ok(outcome)
            }
            Err(error) => {
                // The panic's own text may hold values of the query.
                if error.is_panic() {
                    tracing::error!(connection = self.entry.id, "a query ended in a panic");
                }
                self.entry.end();
                Ok(Err(internal()))
            }
        }
    }

    /// Waits for a job, and meanwhile reads, keeps the connection alive, and watches the clock.
    async fn attend<T>(
        &mut self,
        handle: &mut JoinHandle<T>,
        control: &graph::Control,
        mut deadline: Option<Instant>,
    ) -> Result<Result<T, JoinError>, End> {
        let mut keep_alive = Instant::now() + KEEP_ALIVE;
        let kill = self.entry.kill.clone();
        loop {
            self.receive()?;
            if self.inbox.resets > 0 {
                control.cancel();
            }
            let has_room = !self.inbox.is_full();
            tokio::select! {
                biased;
                joined = &mut *handle => return Ok(joined),
                filled = self.connection.fill(), if has_room => filled?,
                () = kill.notified() => return Err(End::Killed),
                () = sleep_until(deadline.unwrap_or(keep_alive)), if deadline.is_some() => {
                    deadline = None;
                    control.time_out();
                }
                () = sleep_until(keep_alive) => {
                    keep_alive += KEEP_ALIVE;
                    self.connection.wire.output.extend_from_slice(&bolt::chunk::NOOP);
                    self.flush().await?;
                }
            }
        }
    }

    /// Ends the open transaction, if there is one. Rolling much back takes the engine a while.
    pub(super) async fn end_work(&mut self) {
        let Some(mut work) = self.work.take() else { return };
        if work.has_something_to_drop() {
            let ending = self.shared.threads().spawn_blocking(move || work.fail());
            let _ = ending.await;
        } else {
            drop(work);
        }
        self.entry.end();
    }
}

/// Ends a query whose connection is gone.
struct CancelOnDrop(Option<Arc<graph::Control>>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(control) = &self.0 {
            control.cancel();
        }
    }
}

/// NOOP while a query runs, as often as Neo4j.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(60);
