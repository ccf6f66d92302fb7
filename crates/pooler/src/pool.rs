//! All upstream connections of one principal: one limit, one lock, one queue. Idle connections are
//! kept by compatibility class; whoever waits longest is served first, by direct hand-off.
//!
//! Nothing is closed, opened or awaited under the lock: what has to be done is collected there and
//! carried out behind it.

mod budget;
mod growth;
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

use crate::auth::Tries;
use crate::class::Class;
use crate::limits::CurrentLimits;
use crate::locks::{Guard, Rank, Ranked};
use crate::metrics::Metrics;
use crate::server::Server;

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
    pub tries: Tries,
}

#[derive(Debug)]
pub(crate) struct Pool {
    /// The principal, for people; empty if the scheme has none.
    pub name: String,
    /// Connections serve one unit of work only: they belong to somebody who has to change an
    /// expired password first.
    pub is_single_use: bool,
    around: Arc<Surroundings>,
    state: Ranked<Mutex<State>>,
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
    pub pool: Arc<Pool>,
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
    pub fn new(name: String, is_single_use: bool, around: Arc<Surroundings>) -> Arc<Self> {
        let state = Ranked::mutex(Rank::Pool, State::default());
        let pool = Arc::new(Self { name, is_single_use, around, state });
        maintenance::start(&pool);
        pool
    }

    /// Takes an idle connection, or a place in the queue. Nobody overtakes somebody who waits for
    /// the same class.
    pub fn acquire(self: &Arc<Self>, class: &Arc<Class>) -> Result<Acquiring, AcquireError> {
        let mut actions = Actions::default();
        let acquired = {
            let mut state = self.lock();
            match state.take_idle(class, &mut actions.close) {
                Some(upstream) => Acquiring::Ready(Lease::new(self.clone(), upstream)),
                None if state.waiters.len() >= self.around.limits.now().max_waiting_clients => {
                    return Err(AcquireError::QueueFull(state.waiters.len()));
                }
                None if let Some(refusal) = state.hopeless(class) => {
                    return Err(AcquireError::Refused(refusal));
                }
                None => {
                    let (sender, answer) = oneshot::channel();
                    let id = state.enqueue(class, sender);
                    self.grow(&mut state, &mut actions, None);
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
        let size_max = self.max_size();
        upstream.idle_since = Instant::now();
        {
            let mut state = self.lock();
            state.leased -= 1;
            // One that has served nobody yet stays with those for whom it was opened.
            let yields = upstream.was_used && self.around.budget.claims(self, state.open);
            if self.is_worn(&state, &upstream, size_max) || yields {
                state.left(&upstream.class);
                actions.close.push(upstream);
            } else {
                loop {
                    match state.next_for(&upstream.class, size_max) {
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
            self.grow(&mut state, &mut actions, None);
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
            self.grow(&mut state, &mut actions, None);
        }
        self.carry_out(actions);
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

    /// Says now and then that clients wait in vain; the metrics count each of them.
    pub fn complain(&self, waiting: usize) {
        let mut state = self.lock();
        let is_due = state.complained_at.is_none_or(|since| since.elapsed() >= COMPLAINT_PAUSE);
        if is_due {
            state.complained_at = Some(Instant::now());
            drop(state);
            warn!(user = %self.name, waiting, "clients wait in vain for an upstream connection; is max_connection_pool_size large enough?");
        }
    }

    /// What new connections log in with, while the upstream takes it.
    pub fn credential(&self) -> Option<Arc<Auth>> {
        self.lock().credential.clone()
    }

    /// Somebody may have changed the password: not many connections at once are opened with it.
    pub fn doubt_credential(&self) {
        self.lock().proven_at = None;
    }

    /// Closes idle connections that have been so for at least as long as one that gave no sign of
    /// life.
    pub fn drop_idle_since(self: &Arc<Self>, time: Instant) {
        let mut actions = Actions::default();
        self.lock().sweep(&mut actions.close, |upstream, _| upstream.idle_since <= time);
        self.carry_out(actions);
    }

    /// A credential that was checked, for growing.
    pub fn set_credential(self: &Arc<Self>, credential: Arc<Auth>) {
        let mut actions = Actions::default();
        {
            let mut state = self.lock();
            state.credential.get_or_insert(credential);
            self.grow(&mut state, &mut actions, None);
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
            if state.has_idle() && self.around.budget.claims(self, state.open) {
                actions.close.extend(state.evict_idle());
            }
        }
        let gave = !actions.close.is_empty();
        self.carry_out(actions);
        gave
    }

    /// Whose failed tries count together, if the scheme names somebody.
    fn principal(&self) -> Option<&str> {
        (!self.name.is_empty()).then_some(&self.name)
    }

    fn max_size(&self) -> usize {
        self.around.limits.now().max_connection_pool_size
    }

    /// Whether a connection that was just given back has served its time.
    fn is_worn(&self, state: &State, upstream: &Upstream, size_max: usize) -> bool {
        (self.is_single_use && upstream.was_used)
            || upstream.epoch != state.epoch
            || upstream.idle_since >= upstream.expires
            || state.open > size_max
    }

    fn lock(&self) -> Guard<MutexGuard<'_, State>> {
        self.state.lock_or_mend(|state| {
            debug!(user = %self.name, "a pool's lock was poisoned");
            state.retire(&mut Vec::new());
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

const COMPLAINT_PAUSE: Duration = Duration::from_secs(60);
