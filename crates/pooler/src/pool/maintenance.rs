//! One task for each pool: watches idle connections, so that those which end are dropped when they
//! do and not when they are needed; closes old ones; opens those that should be there.

use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::info;

use super::state::State;
use super::{Actions, Pool};

pub(super) fn start(pool: &Arc<Pool>) {
    tokio::spawn(maintain(Arc::downgrade(pool)));
}

async fn maintain(pool: Weak<Pool>) {
    let (mut ticks, mut looks) = (interval(TICK), interval(LOOK));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // Watches from one tick to the next what was idle at the first.
        let due = poll_fn(|cx| {
            let tick = ticks.poll_tick(cx).is_ready();
            let Some(pool) = pool.upgrade() else { return Poll::Ready(Due::End) };
            pool.drop_ended(cx);
            let look = pool.is_anybody_waiting() && looks.poll_tick(cx).is_ready();
            match (tick, look) {
                (true, _) => Poll::Ready(Due::Tick),
                (_, true) => Poll::Ready(Due::Look),
                _ => Poll::Pending,
            }
        });
        let due = due.await;
        let Some(pool) = pool.upgrade() else { return };
        match due {
            Due::Tick => pool.drop_old_and_refill(),
            Due::Look => {}
            Due::End => return,
        }
        pool.relieve();
    }
}

/// What the maintenance of a pool is woken for.
enum Due {
    Tick,
    /// Somebody waits, so that connections which rest are looked at more often.
    Look,
    End,
}

impl Pool {
    /// Drops idle connections that have ended, and wakes the task when another one does. Those that
    /// become idle later are watched from the next tick on: they come and go with every query, and
    /// waking this task for each would cost more than it gives.
    fn drop_ended(self: &Arc<Self>, cx: &mut Context<'_>) {
        let count = self.change(|state, actions| {
            state.sweep(&mut actions.close, |connection, _| !connection.upstream.poll_quiet(cx));
            actions.close.len()
        });
        if count > 0 {
            self.doubt_server_if_alone();
            info!(user = %self.shown_name(), count, "idle upstream connections have ended");
        }
    }

    /// If everything that was open has ended, the server most likely has, too.
    fn doubt_server_if_alone(&self) {
        if !self.look(State::has_opened) {
            self.around.server.doubt();
        }
    }

    fn drop_old_and_refill(self: &Arc<Self>) {
        let limits = self.around.limits.now();
        let now = Instant::now();
        let is_old = |idle_since: Instant| {
            limits.max_idle_time.limit().is_some_and(|limit| now >= idle_since + limit)
        };
        self.change(|state, actions| {
            let size_allowed = self.size_allowed(state);
            let wanted = if state.has_members() { limits.min_connection_pool_size } else { 0 };
            let epoch = state.epoch();
            state.sweep(&mut actions.close, |connection, open| {
                now >= connection.upstream.expires
                    || !connection.is_current(epoch)
                    || self.around.server.is_gone(&connection.upstream)
                    || open > size_allowed
                    || (open > wanted && is_old(connection.idle_since))
            });
            if let Some(before) = self.silent_before(Duration::ZERO) {
                state.connections.probe_silent(before, &mut actions.probe);
            }
            self.grow(state, actions, None);
            self.refill(state, actions, wanted);
        });
    }

    /// Opens connections ahead of need until there are `wanted`.
    fn refill(self: &Arc<Self>, state: &mut State, actions: &mut Actions, wanted: usize) {
        while state.connecting() < self.parallel_connects(state)
            && state.may_connect()
            && let Some(class) = state.class_below(wanted)
            && let Some(permit) = self.around.budget.take(&self.claim(state))
        {
            let id = state.begin_connect(&class);
            actions.connect(id, class, permit);
        }
    }
}

const TICK: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(100);
