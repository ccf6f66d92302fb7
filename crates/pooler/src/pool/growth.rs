//! How a pool opens connections: for those who wait, not more than the limits allow, and not many at
//! once with a credential that may no longer be good.

use std::sync::Arc;
use std::time::Duration;

use bolt::Failure;
use bolt::message::Auth;
use tokio::time::Instant;
use tracing::warn;

use super::state::State;
use super::{AcquireError, Actions, Connection, Permit, Pool};
use crate::auth::TryOutcome;
use crate::class::Class;
use crate::server::{ConnectError, Verdict};

/// A connection that is being opened. If the attempt ends in a panic, the pool's count is right
/// again all the same.
struct Attempt {
    pool: Arc<Pool>,
    class: Arc<Class>,
    is_over: bool,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.is_over {
            let mut state = self.pool.lock();
            state.end_connect(&self.class);
            state.left(&self.class);
        }
    }
}

impl Pool {
    /// Takes in a connection that was opened for a credential check, if there is room.
    pub fn adopt(self: &Arc<Self>, mut upstream: Connection, credential: Arc<Auth>) {
        let permit = self.around.budget.take();
        let mut state = self.lock();
        state.prove(credential);
        let has_room = state.open < self.max_size();
        if let Some(permit) = permit.filter(|_| has_room) {
            upstream.permit = permit;
            upstream.epoch = state.epoch;
            state.entered(&upstream.class);
            state.leased += 1;
            drop(state);
            self.offer(upstream);
        } else {
            // Whoever was waiting for a working credential is served now.
            let mut actions = Actions::default();
            self.grow(&mut state, &mut actions, None);
            drop(state);
            upstream.close();
            self.carry_out(actions);
        }
    }

    /// It is this pool's turn to open a connection, among those of all principals.
    pub fn grow_with(self: &Arc<Self>, permit: Permit) {
        let mut actions = Actions::default();
        self.grow(&mut self.lock(), &mut actions, Some(permit));
        self.carry_out(actions);
    }

    /// Starts connections for those who wait and can't be served by what there is. `granted` is
    /// the right to open one of them.
    pub(super) fn grow(
        self: &Arc<Self>,
        state: &mut State,
        actions: &mut Actions,
        mut granted: Option<Permit>,
    ) {
        if state.credential.is_none() {
            actions.refuse.extend(state.take_hopeless());
            return;
        }
        let parallel = self.parallel_connects(state);
        while !state.is_blocked() && state.connecting < parallel {
            let has_room = state.open < self.max_size();
            // So it is whenever the pool is busy: nothing more is spent on it then.
            if !has_room && !state.has_idle() {
                return;
            }
            let Some(class) = state.uncovered_class() else { return };
            let own = has_room.then(|| granted.take().or_else(|| self.around.budget.take()));
            let permit = match (own.flatten(), state.has_idle()) {
                (Some(permit), _) => permit,
                (None, false) => return self.around.budget.ask(self, state.open),
                // Idle connections of other classes make room for this one.
                (None, true) => {
                    let Some(mut idle) = state.evict_idle() else { return };
                    let permit = std::mem::take(&mut idle.permit);
                    actions.close.push(idle);
                    permit
                }
            };
            state.begin_connect(&class);
            actions.connect.push((class, permit));
        }
    }

    /// Several wrong logins at once would lock the user, so one goes ahead until it has worked.
    pub(super) fn parallel_connects(&self, state: &State) -> usize {
        if state.is_proven() { self.around.limits.now().max_parallel_connects } else { 1 }
    }

    pub(super) async fn connect(self: Arc<Self>, class: Arc<Class>, permit: Permit) {
        let mut attempt = Attempt { pool: self.clone(), class: class.clone(), is_over: false };
        let (credential, epoch) = {
            let state = self.lock();
            (state.credential.clone(), state.epoch)
        };
        // It may have been refused while this connection was being planned.
        let Some(credential) = credential else { return };
        let timeout = self.around.limits.now().connection_timeout.0;
        let opened = self.around.server.connect(&class, &credential, timeout).await;
        attempt.is_over = true;
        match opened {
            Ok(mut upstream) => {
                self.around.tries.note(self.principal(), TryOutcome::Worked);
                upstream.permit = permit;
                upstream.epoch = epoch;
                {
                    let mut state = self.lock();
                    state.end_connect(&class);
                    state.leased += 1;
                    state.prove(credential);
                }
                self.offer(upstream);
            }
            Err(error) => {
                drop(permit);
                self.connect_failed(&class, &error, &credential);
            }
        }
    }

    /// Nobody is left waiting for a connection that can't come. As long as another one is open, or
    /// may come to be, their turn comes with that.
    fn connect_failed(
        self: &Arc<Self>,
        class: &Arc<Class>,
        error: &ConnectError,
        credential: &Arc<Auth>,
    ) {
        self.around.metrics.upstream_connect_failed(error);
        warn!(user = %self.name, %error, "cannot open an upstream connection");
        let mut pause = GROWTH_PAUSE;
        let mut rejection: Option<Failure> = None;
        let answer = match error {
            ConnectError::Refused { failure } => {
                match error.verdict() {
                    Verdict::Rejected => {
                        self.around.tries.note(self.principal(), TryOutcome::Failed);
                        rejection = Some(failure.clone());
                    }
                    Verdict::Locked => {
                        self.around.tries.note(self.principal(), TryOutcome::Locked);
                        pause = LOCK_TIME;
                    }
                    Verdict::Passing => {}
                }
                AcquireError::Refused(failure.clone())
            }
            other => AcquireError::Unavailable(other.to_string()),
        };
        let mut actions = Actions::default();
        {
            let mut state = self.lock();
            state.end_connect(class);
            state.left(class);
            let is_current =
                state.credential.as_ref().is_some_and(|current| Arc::ptr_eq(current, credential));
            if let Some(failure) = rejection.filter(|_| is_current) {
                state.refuse(failure);
            }
            let is_locked = pause == LOCK_TIME;
            let has_others = state.open > 0;
            state.blocked_until = (has_others || is_locked).then(|| Instant::now() + pause);
            if !has_others {
                let waiters = state.take_waiters().into_iter();
                actions.refuse = waiters.map(|waiter| (waiter, answer.clone())).collect();
            }
            self.grow(&mut state, &mut actions, None);
        }
        self.carry_out(actions);
    }
}

/// How long a pool with open connections waits after a failed attempt to open another one.
const GROWTH_PAUSE: Duration = Duration::from_secs(1);
/// Neo4j's `dbms.security.auth_lock_time`.
const LOCK_TIME: Duration = Duration::from_secs(5);
