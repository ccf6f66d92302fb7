//! Signs of life. What lies between the pooler and its server may forget a connection that rests, and
//! tell neither. So connections that rest are asked for an answer now and then, in the background:
//! whoever needs one finds it tried. One that does not answer condemns all that were silent as long.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::info;

use super::Pool;
use super::connection::Connection;
use crate::reason::Reason;

/// A connection while it is asked. If that ends in a panic, it is closed all the same.
struct Probe {
    pool: Arc<Pool>,
    connection: Option<Connection>,
}

impl Drop for Probe {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.pool.is_silent(connection);
        }
    }
}

impl Pool {
    /// Since when a connection has been silent for `liveness_check_timeout` and so much more.
    pub(super) fn silent_before(&self, more: Duration) -> Option<Instant> {
        let limit = self.around.limits.now().liveness_check_timeout.limit()?;
        Instant::now().checked_sub(limit + more)
    }

    pub(super) async fn probe(self: Arc<Self>, connection: Connection) {
        let patience = self.around.limits.now().connection_timeout.0.min(PATIENCE);
        let mut probe = Probe { pool: self.clone(), connection: Some(connection) };
        let Some(connection) = &mut probe.connection else { return };
        let (class, id) = (connection.upstream.class.clone(), connection.id);
        let is_alive = {
            let mut asking = std::pin::pin!(connection.upstream.probe(patience));
            match timeout(SUSPICION, asking.as_mut()).await {
                Ok(is_alive) => is_alive,
                Err(_) => {
                    // Nobody has to wait for it any longer.
                    self.change(|state, actions| {
                        state.connections.doubt(&class, id);
                        self.grow(state, actions, None);
                    });
                    asking.await
                }
            }
        };
        if is_alive && let Some(mut connection) = probe.connection.take() {
            connection.alive_at = Instant::now();
            self.change(|state, actions| {
                state.connections.end_probe(&connection);
                self.place(state, actions, connection);
            });
        }
    }

    fn is_silent(self: &Arc<Self>, connection: Connection) {
        info!(user = %self.shown_name(), upstream = %connection.upstream.id, "an idle upstream connection gives no sign of life");
        self.around.metrics.error(Reason::LivenessCheck);
        let alive_at = connection.alive_at;
        self.change(|state, actions| {
            state.connections.end_probe(&connection);
            state.end(&connection);
            actions.close.push(connection);
            state.sweep(&mut actions.close, |other, _| other.alive_at <= alive_at);
            self.grow(state, actions, None);
        });
    }
}

/// How long a connection that rested may take to show that it is alive.
const PATIENCE: Duration = Duration::from_secs(5);
/// After so long without an answer, others are opened for those who wait.
const SUSPICION: Duration = Duration::from_millis(200);
