//! How a pool opens connections: for those who wait, not more than the limits allow, and not many at
//! once with a credential that may no longer be good.

use std::sync::Arc;
use std::time::Duration;

use bolt::Failure;
use tokio::time::Instant;
use tracing::warn;

use super::connection::{Connection, ConnectionId};
use super::state::State;
use super::{Actions, Permit, Pool, Reply, Upstream};
use crate::class::Class;
use crate::credential::Credential;
use crate::server::{ConnectError, Verdict};
use crate::tries::TryOutcome;

/// A connection that is going to be opened.
#[derive(Debug)]
pub(super) struct Plan {
    pub id: ConnectionId,
    pub class: Arc<Class>,
    pub permit: Permit,
}

/// A connection that is being opened. If the attempt ends in a panic, it is counted out all the
/// same.
struct Attempt {
    pool: Arc<Pool>,
    id: ConnectionId,
    class: Arc<Class>,
    is_over: bool,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if !self.is_over {
            self.pool.change(|state, _| state.give_up_connect(&self.class, self.id));
        }
    }
}

/// What a refused login means for the pool.
enum Refusal {
    /// The credential is no longer good.
    Rejected(Failure),
    /// Nobody of that name is let in for a while.
    Locked,
    /// Nothing: another attempt may work.
    Passing,
}

impl Pool {
    /// Takes in a connection that was opened for a credential check, if there is room. Whoever was
    /// waiting for a working credential is served in any case.
    pub fn adopt(self: &Arc<Self>, upstream: Box<Upstream>, credential: Arc<Credential>) {
        let rejected = self.change(|state, actions| {
            let permit = self.around.budget.take(&self.claim(state));
            state.prove(credential.clone());
            let has_room = state.open() < self.size_allowed(state) && !state.is_closed();
            match permit.filter(|_| has_room) {
                Some(permit) => {
                    let (id, epoch) = (state.next_connection(), state.epoch());
                    let connection = Connection::new(id, upstream, credential, permit, epoch);
                    state.enter(&connection);
                    self.place(state, actions, connection);
                    None
                }
                None => {
                    self.grow(state, actions, None);
                    Some(upstream)
                }
            }
        });
        if let Some(upstream) = rejected {
            upstream.close();
        }
    }

    /// It is this pool's turn to open a connection, among those of all principals.
    pub fn grow_with(self: &Arc<Self>, permit: Permit) {
        self.change(|state, actions| self.grow(state, actions, Some(permit)));
    }

    /// Starts connections for those who wait and can't be served by what there is. `granted` is
    /// the right to open one of them.
    pub(super) fn grow(
        self: &Arc<Self>,
        state: &mut State,
        actions: &mut Actions,
        mut granted: Option<Permit>,
    ) {
        // Nearly every unit of work ends like this: nothing more is spent on it then.
        if !state.is_anybody_waiting() {
            return;
        }
        if state.credential().is_none() {
            actions.refuse.extend(state.take_hopeless());
            return;
        }
        let parallel = self.parallel_connects(state);
        while !state.is_blocked() && state.connecting() < parallel {
            let has_room = state.open() < self.size_allowed(state);
            if !has_room && !state.has_idle() {
                return;
            }
            let Some(class) = state.uncovered_class() else { return };
            let claim = self.claim(state);
            let take = || granted.take().or_else(|| self.around.budget.take(&claim));
            let own = has_room.then(take);
            let permit = match own.flatten() {
                Some(permit) => permit,
                // Idle connections of other classes make room for this one.
                None => match state.evict_idle() {
                    Some(idle) => actions.replace(idle),
                    None => {
                        state.asks_budget = true;
                        return self.around.budget.ask(claim, self);
                    }
                },
            };
            let id = state.begin_connect(&class);
            actions.connect(id, class, permit);
        }
    }

    /// Several wrong logins at once would lock the user, so one goes ahead until it has worked.
    pub(super) fn parallel_connects(&self, state: &State) -> usize {
        if state.is_proven() { self.around.limits.now().max_parallel_connects } else { 1 }
    }

    pub(super) async fn connect(self: Arc<Self>, plan: Plan) {
        let Plan { id, class, permit } = plan;
        let mut attempt = Attempt { pool: self.clone(), id, class: class.clone(), is_over: false };
        let (credential, epoch) = self.look(|state| (state.credential().cloned(), state.epoch()));
        // It may have been refused while this connection was being planned.
        let Some(credential) = credential else { return };
        let timeout = self.around.limits.now().connection_timeout.0;
        let opened = self.around.server.connect(&class, &credential.auth, timeout).await;
        attempt.is_over = true;
        match opened {
            Ok(upstream) => {
                self.around.tries.note(self.principal(), TryOutcome::Worked);
                let connection = Connection::new(id, upstream, credential.clone(), permit, epoch);
                self.change(|state, actions| {
                    state.end_connect(&connection);
                    state.prove(credential);
                    self.place(state, actions, connection);
                });
            }
            Err(error) => {
                drop(permit);
                self.connect_failed(&class, id, &error, &credential);
            }
        }
    }

    /// Nobody is left waiting for a connection that can't come. As long as another one is open, or
    /// may come to be, their turn comes with that.
    fn connect_failed(
        self: &Arc<Self>,
        class: &Arc<Class>,
        id: ConnectionId,
        error: &ConnectError,
        credential: &Credential,
    ) {
        self.around.metrics.error(error.reason());
        if self.around.failed_connects.allows() {
            warn!(user = %self.shown_name(), %error, "cannot open an upstream connection");
        }
        let refusal = self.note_refusal(error);
        self.change(|state, actions| {
            state.give_up_connect(class, id);
            let concerns = Concerns::of(error);
            let has_others = match concerns {
                Concerns::Pool => state.open() > 0,
                Concerns::Class => state.open_of(class) > 0,
            };
            let pause = match refusal {
                Refusal::Rejected(failure) => {
                    state.refuse_if_current(credential, failure);
                    has_others.then_some(GROWTH_PAUSE)
                }
                Refusal::Locked => Some(LOCK_TIME),
                Refusal::Passing => has_others.then_some(GROWTH_PAUSE),
            };
            state.block_until(pause.map(|pause| Instant::now() + pause));
            if !has_others {
                let waiters = match concerns {
                    Concerns::Pool => state.take_waiters(),
                    Concerns::Class => state.take_waiters_of(class),
                };
                let waiters = waiters.into_iter();
                actions.refuse.extend(waiters.map(|waiter| (waiter, answer_to(error))));
            }
            self.grow(state, actions, None);
        });
    }

    /// Counts a refusal among the tries of the principal.
    fn note_refusal(&self, error: &ConnectError) -> Refusal {
        let ConnectError::Refused { failure } = error else { return Refusal::Passing };
        match error.verdict() {
            Verdict::Rejected => {
                self.around.tries.note(self.principal(), TryOutcome::Failed);
                Refusal::Rejected(failure.clone())
            }
            Verdict::Locked => {
                self.around.tries.note(self.principal(), TryOutcome::Locked);
                Refusal::Locked
            }
            Verdict::Passing => Refusal::Passing,
        }
    }
}

/// Whom an attempt that has failed says something about.
#[derive(Clone, Copy)]
enum Concerns {
    Pool,
    /// Those with the same version and filter only: others may have more luck.
    Class,
}

impl Concerns {
    fn of(error: &ConnectError) -> Self {
        let is_general = error.verdict() != Verdict::Passing
            || matches!(
                error,
                ConnectError::Unreachable(_)
                    | ConnectError::NoAgreement(_)
                    | ConnectError::TimedOut(_)
            );
        if is_general { Self::Pool } else { Self::Class }
    }
}

/// What those are told who have waited for a connection that could not be opened.
fn answer_to(error: &ConnectError) -> Reply {
    match error {
        ConnectError::Refused { failure } => Reply::Refused(failure.clone()),
        other => Reply::Unavailable(other.to_string()),
    }
}

/// How long a pool with open connections waits after a failed attempt to open another one.
const GROWTH_PAUSE: Duration = Duration::from_secs(1);
/// Neo4j's `dbms.security.auth_lock_time`.
const LOCK_TIME: Duration = Duration::from_secs(5);
