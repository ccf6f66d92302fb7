//! All upstream connections of one principal: one limit, one lock, one queue. Idle connections are
//! kept by compatibility class; whoever waits longest is served first, by direct hand-off.
//!
//! Nothing is closed, opened or awaited under the lock: what has to be done is collected there and
//! carried out behind it.

mod budget;
mod lease;
mod maintenance;
mod state;
mod upstream;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bolt::Failure;
use bolt::message::Auth;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::class::Class;
use crate::limits::CurrentLimits;
use crate::metrics::Metrics;
use crate::server::{ConnectError, Server};

pub(crate) use budget::{Budget, Permit};
pub(crate) use lease::Lease;
pub(crate) use upstream::{Connection, Upstream};

use state::{Next, State, Waiter};

/// What all pools of a pooler share.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub server: Arc<Server>,
    pub limits: CurrentLimits,
    pub metrics: Metrics,
    pub budget: Arc<Budget>,
}

#[derive(Debug)]
pub(crate) struct Pool {
    /// The principal, for people; empty if the scheme has none.
    pub name: String,
    /// Connections serve one unit of work only: they belong to somebody who has to change an
    /// expired password first.
    single_use: bool,
    around: Arc<Surroundings>,
    state: Mutex<State>,
}

/// Why there is no connection.
#[derive(Clone, Debug)]
pub(crate) enum AcquireError {
    /// So many wait already.
    QueueFull(usize),
    Unavailable(String),
    /// The upstream refuses the pool's credential.
    Refused(Failure),
}

/// Where an acquisition stands.
pub(crate) enum Acquiring {
    Ready(Lease),
    Waiting(Ticket),
}

/// A place in the queue, given up when dropped.
pub(crate) struct Ticket {
    pool: Arc<Pool>,
    id: u64,
    class: Arc<Class>,
    pub answer: oneshot::Receiver<Result<Lease, AcquireError>>,
}

/// What was decided under the lock and has to be done behind it.
#[derive(Default)]
struct Actions {
    close: Vec<Connection>,
    connect: Vec<(Arc<Class>, Permit)>,
    refuse: Vec<(Waiter, AcquireError)>,
}

/// Numbers of a pool, in PgBouncer's words.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PoolNumbers {
    pub clients: usize,
    pub cl_waiting: usize,
    pub sv_active: usize,
    pub sv_idle: usize,
    pub sv_login: usize,
    /// How long the first in the queue has waited.
    pub maxwait: Duration,
}

impl PoolNumbers {
    pub fn by_state(&self) -> [(&'static str, usize); 5] {
        [
            ("cl_joined", self.clients),
            ("cl_waiting", self.cl_waiting),
            ("sv_active", self.sv_active),
            ("sv_idle", self.sv_idle),
            ("sv_login", self.sv_login),
        ]
    }
}

impl Pool {
    pub fn new(name: String, single_use: bool, around: Arc<Surroundings>) -> Arc<Self> {
        let pool = Arc::new(Self { name, single_use, around, state: Mutex::default() });
        maintenance::start(&pool);
        pool
    }

    /// Takes an idle connection, or a place in the queue. Nobody overtakes somebody who waits for
    /// the same class.
    pub fn acquire(self: &Arc<Self>, class: &Arc<Class>) -> Result<Acquiring, AcquireError> {
        let limits = self.around.limits.now();
        let mut actions = Actions::default();
        let acquired = {
            let mut state = self.lock();
            match state.take_idle(class, &mut actions.close) {
                Some(upstream) => Acquiring::Ready(Lease::new(self.clone(), upstream)),
                None if state.waiters.len() >= limits.max_waiting_clients => {
                    return Err(AcquireError::QueueFull(state.waiters.len()));
                }
                None if let Some(refusal) = state.hopeless() => {
                    return Err(AcquireError::Refused(refusal));
                }
                None => {
                    let (sender, answer) = oneshot::channel();
                    let id = state.enqueue(class, sender);
                    self.grow(&mut state, &mut actions);
                    let (pool, class) = (self.clone(), class.clone());
                    Acquiring::Waiting(Ticket { pool, id, class, answer })
                }
            }
        };
        self.carry_out(actions);
        Ok(acquired)
    }

    /// A connection that nobody holds any more goes to whoever waits for it, or rests.
    fn offer(self: &Arc<Self>, mut upstream: Box<Upstream>) {
        let mut actions = Actions::default();
        {
            let mut state = self.lock();
            state.leased -= 1;
            if self.is_worn(&state, &upstream) || self.around.budget.is_over_share(state.open) {
                state.left(&upstream.class);
                actions.close.push(upstream);
            } else {
                loop {
                    match state.next_for(&upstream.class, self.max_size()) {
                        Next::Rest => {
                            state.rest(upstream);
                            break;
                        }
                        Next::Convert(class) => {
                            state.left(&upstream.class);
                            state.begin_connect(&class);
                            actions.connect.push((class, std::mem::take(&mut upstream.permit)));
                            actions.close.push(upstream);
                            break;
                        }
                        Next::Hand(waiter) => match self.hand(&mut state, waiter, upstream) {
                            Ok(()) => break,
                            Err(returned) => upstream = returned,
                        },
                    }
                }
            }
            self.grow(&mut state, &mut actions);
        }
        self.carry_out(actions);
    }

    /// Gives a connection to a waiter. It comes back if the waiter has gone meanwhile.
    fn hand(
        self: &Arc<Self>,
        state: &mut State,
        waiter: Waiter,
        upstream: Box<Upstream>,
    ) -> Result<(), Box<Upstream>> {
        state.leased += 1;
        let lease = Lease::new(self.clone(), upstream);
        waiter.answer.send(Ok(lease)).map_err(|returned| {
            state.leased -= 1;
            let lease = returned.expect("a lease was sent");
            lease.into_upstream()
        })
    }

    /// A connection that can't be used again.
    fn discard(self: &Arc<Self>, upstream: Box<Upstream>) {
        let mut actions = Actions::default();
        {
            let mut state = self.lock();
            state.leased -= 1;
            state.left(&upstream.class);
            actions.close.push(upstream);
            self.grow(&mut state, &mut actions);
        }
        self.carry_out(actions);
    }

    /// Takes in a connection that was opened for a credential check, if there is room.
    pub fn adopt(self: &Arc<Self>, mut upstream: Box<Upstream>, credential: Arc<Auth>) {
        let permit = self.around.budget.take();
        let mut state = self.lock();
        state.credential = Some(credential);
        state.blocked_until = None;
        let has_room = state.open < self.max_size();
        match permit.filter(|_| has_room) {
            Some(permit) => {
                upstream.permit = permit;
                upstream.epoch = state.epoch;
                state.entered(&upstream.class);
                state.leased += 1;
                drop(state);
                self.offer(upstream);
            }
            None => {
                // Whoever was waiting for a working credential is served now.
                let mut actions = Actions::default();
                self.grow(&mut state, &mut actions);
                drop(state);
                upstream.close();
                self.carry_out(actions);
            }
        }
    }

    /// Starts connections for those who wait and can't be served by what there is.
    fn grow(self: &Arc<Self>, state: &mut State, actions: &mut Actions) {
        let limits = self.around.limits.now();
        if let Some(refusal) = state.hopeless() {
            let refused = AcquireError::Refused(refusal);
            actions.refuse =
                state.take_waiters().into_iter().map(|w| (w, refused.clone())).collect();
        }
        if state.credential.is_none() || state.is_blocked() {
            return;
        }
        while state.connecting < limits.max_parallel_connects {
            let Some(class) = state.uncovered_class() else { return };
            if state.open >= self.max_size() {
                let Some(mut idle) = state.evict_idle() else { return };
                actions.connect.push((class.clone(), std::mem::take(&mut idle.permit)));
                actions.close.push(idle);
            } else {
                let Some(permit) = self.around.budget.take() else {
                    self.around.budget.ask(self, state.open);
                    return;
                };
                actions.connect.push((class.clone(), permit));
            }
            state.begin_connect(&class);
        }
    }

    fn carry_out(self: &Arc<Self>, actions: Actions) {
        for upstream in actions.close {
            upstream.close();
        }
        for (waiter, error) in actions.refuse {
            let _ = waiter.answer.send(Err(error));
        }
        for (class, permit) in actions.connect {
            tokio::spawn(self.clone().connect(class, permit));
        }
    }

    async fn connect(self: Arc<Self>, class: Arc<Class>, permit: Permit) {
        let (credential, epoch) = {
            let state = self.lock();
            (state.credential.clone(), state.epoch)
        };
        let opened = match credential {
            Some(credential) => {
                let timeout = self.around.limits.now().connection_timeout.0;
                let opened = self.around.server.connect(&class, &credential, timeout).await;
                opened.map_err(|error| (error, credential))
            }
            // The credential was refused while this connection was being planned.
            None => {
                let mut state = self.lock();
                state.end_connect(&class);
                state.left(&class);
                return;
            }
        };
        match opened {
            Ok(mut upstream) => {
                upstream.permit = permit;
                upstream.epoch = epoch;
                {
                    let mut state = self.lock();
                    state.end_connect(&class);
                    state.leased += 1;
                }
                self.offer(upstream);
            }
            Err((error, credential)) => {
                drop(permit);
                self.connect_failed(&class, &error, &credential);
            }
        }
    }

    /// Nobody is left waiting for a connection that can't come. If others are open, their turn
    /// comes with those.
    fn connect_failed(&self, class: &Arc<Class>, error: &ConnectError, credential: &Arc<Auth>) {
        self.around.metrics.upstream_connect_failed(error);
        let answer = match error {
            ConnectError::Refused { failure, .. } => {
                warn!(user = %self.name, code = %failure.code, "the upstream refuses a credential that it took before");
                AcquireError::Refused(failure.clone())
            }
            other => {
                warn!(user = %self.name, error = %other, "cannot open an upstream connection");
                AcquireError::Unavailable(other.to_string())
            }
        };
        let unserved = {
            let mut state = self.lock();
            state.end_connect(class);
            state.left(class);
            if matches!(error, ConnectError::Refused { .. })
                && state.credential.as_ref().is_some_and(|current| Arc::ptr_eq(current, credential))
            {
                state.refuse(failure_of(error));
            }
            state.blocked_until = Some(Instant::now() + GROWTH_PAUSE);
            if state.open > state.connecting {
                Vec::new()
            } else {
                state.blocked_until = None;
                state.take_waiters()
            }
        };
        for waiter in unserved {
            let _ = waiter.answer.send(Err(answer.clone()));
        }
    }

    /// The upstream says that what this principal logged in with is no longer good: every
    /// connection ends when it is next free.
    pub fn retire(self: &Arc<Self>) {
        let mut actions = Actions::default();
        self.lock().retire(&mut actions.close);
        info!(user = %self.name, "connections are being replaced");
        self.carry_out(actions);
    }

    /// Forgets the credential, so that no connection is opened with it.
    pub fn forget_credential(&self, why: &Failure) {
        self.lock().refuse(why.clone());
    }

    /// Whether there is nothing to open connections with, because the upstream has refused it.
    pub fn is_refused(&self) -> bool {
        self.lock().credential.is_none()
    }

    /// A credential that was checked, for growing.
    pub fn set_credential(self: &Arc<Self>, credential: Arc<Auth>) {
        let mut actions = Actions::default();
        {
            let mut state = self.lock();
            state.credential.get_or_insert(credential);
            self.grow(&mut state, &mut actions);
        }
        self.carry_out(actions);
    }

    /// A client more, unless there are `max` already.
    pub fn join(&self, class: &Arc<Class>, max: Option<usize>) -> bool {
        let mut state = self.lock();
        let has_room = max.is_none_or(|max| state.clients < max);
        if has_room {
            state.joined(class);
        }
        has_room
    }

    pub fn left(&self) {
        self.lock().clients -= 1;
    }

    /// Neither clients nor connections: nobody would notice if it were gone.
    pub fn is_unused(&self) -> bool {
        let state = self.lock();
        state.clients == 0 && state.open == 0
    }

    pub fn numbers(&self) -> PoolNumbers {
        self.lock().numbers()
    }

    /// Closes one idle connection to make room for another principal's, if it is this one's turn.
    pub fn give_way(self: &Arc<Self>) -> bool {
        let mut actions = Actions::default();
        {
            let mut state = self.lock();
            if self.around.budget.is_over_share(state.open) {
                actions.close.extend(state.evict_idle());
            }
        }
        let gave = !actions.close.is_empty();
        self.carry_out(actions);
        gave
    }

    /// There is room again among all upstream connections.
    pub fn resume_growth(self: &Arc<Self>) {
        let mut actions = Actions::default();
        self.grow(&mut self.lock(), &mut actions);
        self.carry_out(actions);
    }

    fn max_size(&self) -> usize {
        self.around.limits.now().max_connection_pool_size
    }

    fn is_worn(&self, state: &State, upstream: &Upstream) -> bool {
        (self.single_use && upstream.was_used)
            || upstream.epoch != state.epoch
            || Instant::now() >= upstream.expires
            || state.open > self.max_size()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| {
            debug!(user = %self.name, "a pool's lock was poisoned");
            self.state.clear_poison();
            let mut state = poisoned.into_inner();
            let mut ended = Vec::new();
            state.retire(&mut ended);
            state
        })
    }
}

impl Ticket {
    /// How many wait in the same queue.
    pub fn waiting(&self) -> usize {
        self.pool.lock().waiters.len()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.pool.lock().give_up(self.id, &self.class);
    }
}

fn failure_of(error: &ConnectError) -> Failure {
    match error {
        ConnectError::Refused { failure } => failure.clone(),
        other => crate::failures::unavailable(other),
    }
}

/// How long a pool with open connections waits after a failed attempt to open another one.
const GROWTH_PAUSE: Duration = Duration::from_secs(1);
