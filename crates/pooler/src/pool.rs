//! All upstream connections of one principal: one limit, one lock, one queue. Idle connections are
//! kept by compatibility class; whoever waits longest is served first, by direct hand-off.
//!
//! Nothing is closed, opened or awaited while the lock is held: what has to be done is collected
//! meanwhile and carried out afterwards.

mod actions;
mod budget;
mod connection;
mod connections;
mod contention;
mod growth;
mod hold;
mod holders;
mod lease;
mod leases;
mod login;
mod maintenance;
mod members;
mod owner;
mod probe;
mod queue;
mod sighting;
mod state;
#[cfg(test)]
pub(crate) mod tests;
mod ticket;

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bolt::Failure;
use harmless::{NAME_CHARS, short};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::class::Class;
use crate::credential::{Credential, Digest};
use crate::limits::CurrentLimits;
use crate::locks::{Rank, Ranked};
use crate::log_limit::LogLimit;
use crate::metrics::Metrics;
use crate::moment::Moment;
use crate::pool_numbers::PoolNumbers;
use crate::server::Server;
use crate::tries::Tries;
use crate::users::Users;
use crate::waits::Witnessed;

pub(crate) use crate::server::Upstream;
pub(crate) use budget::{Budget, Permit};
pub(crate) use hold::{Held, Hold, Holder};
pub(crate) use holders::{Holders, Share};
pub(crate) use lease::Lease;
pub(crate) use members::{KINDS_MAX, MemberId};
pub(crate) use owner::{Owner, UserId};
pub(crate) use sighting::{NotShared, Sighting};
pub(crate) use state::JoinError;
pub(crate) use ticket::{Acquired, Reply, Ticket};

use actions::Actions;
use budget::Claim;
use connection::Connection;
use state::{Next, State};

/// What all pools of a pooler share.
#[derive(Debug)]
pub(crate) struct Surroundings {
    pub server: Arc<Server>,
    pub limits: CurrentLimits,
    pub metrics: Metrics,
    pub budget: Arc<Budget>,
    pub tries: Tries,
    pub users: Users,
    /// How often the log is told of logins that could not be checked, and of connections that could not
    /// be opened.
    pub unchecked_logins: LogLimit,
    pub failed_connects: LogLimit,
}

impl Surroundings {
    pub fn new(server: Arc<Server>, limits: CurrentLimits, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            server,
            budget: Budget::new(limits.clone()),
            limits,
            metrics,
            tries: Tries::default(),
            users: Users::default(),
            unchecked_logins: LogLimit::new("logins that could not be checked"),
            failed_connects: LogLimit::new("upstream connections that could not be opened"),
        })
    }

    /// A second is over.
    pub fn next_second(&self) {
        self.unchecked_logins.next_second();
        self.failed_connects.next_second();
    }
}

/// Tells pools apart. Two may have the same name, as a name can come with several realms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PoolId(pub u64);

#[derive(Debug)]
pub(crate) struct Pool {
    pub id: PoolId,
    /// See [`Owner::name`].
    pub name: String,
    pub user: UserId,
    /// Connections serve one unit of work only: they belong to somebody who has to change an
    /// expired password first.
    pub is_single_use: bool,
    around: Arc<Surroundings>,
    /// What somebody has seen who waited a moment ago.
    witnessed: Moment<Witnessed>,
    state: Ranked<Mutex<State>>,
}

/// The two ways to the state.
impl Pool {
    /// Changes the state, and carries out what `change` has asked for once the lock is free again.
    fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut State, &mut Actions) -> T) -> T {
        let mut actions = Actions::default();
        let changed = {
            let mut state = self.state.lock_or_mend(|state| {
                // Somebody has panicked half-way through a change. Nothing of it is trusted: this pool
                // opens its connections anew, and all others go on.
                debug!(user = %self.shown_name(), "a pool's lock was poisoned");
                state.retire(&mut actions.close);
            });
            let changed = change(&mut state, &mut actions);
            self.withdraw_if_served(&mut state);
            debug_assert!(state.is_sound(), "somebody waits for what lies idle");
            changed
        };
        actions.carry_out(self);
        changed
    }

    /// The name for the log: whoever has chosen it has chosen its length.
    pub fn shown_name(&self) -> Cow<'_, str> {
        short(&self.name, NAME_CHARS)
    }

    fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.state.lock())
    }
}

/// Connections.
impl Pool {
    /// A pool whose connections are used again and again.
    pub fn shared(id: PoolId, owner: Owner, around: Arc<Surroundings>) -> Arc<Self> {
        Self::start(id, owner, false, around)
    }

    /// A pool for somebody who has to change an expired password; see [`Pool::is_single_use`].
    pub fn single_use(id: PoolId, owner: Owner, around: Arc<Surroundings>) -> Arc<Self> {
        Self::start(id, owner, true, around)
    }

    fn start(
        id: PoolId,
        Owner { name, user }: Owner,
        is_single_use: bool,
        around: Arc<Surroundings>,
    ) -> Arc<Self> {
        let state = Ranked::mutex(Rank::Pool, State::default());
        let witnessed = Moment::new(Rank::Witnessed);
        let pool = Arc::new(Self { id, name, user, is_single_use, around, witnessed, state });
        maintenance::start(&pool);
        pool
    }

    /// Takes an idle connection, or a place in the queue. Nobody overtakes somebody who waits for
    /// the same class: whatever such a client could use is not idle.
    pub fn acquire(self: &Arc<Self>, class: &Arc<Class>) -> Acquired {
        self.change(|state, actions| {
            // Those that were looked after are not silent for so long. But the machine may have slept.
            let before = self.silent_before(SILENCE_OVERLOOKED);
            if let Some(connection) = state.lease_idle(class, before, actions) {
                return Acquired::Ready(Lease::new(self.clone(), connection));
            }
            let waiting = state.waiting();
            if waiting >= self.around.limits.now().max_waiting_clients {
                return Acquired::QueueFull { waiting };
            }
            if let Some(refusal) = state.hopeless(class) {
                return Acquired::Refused(refusal);
            }
            let (sender, answer) = oneshot::channel();
            let number = state.enqueue(class, sender);
            if waiting == 0 {
                state.park();
            }
            self.grow(state, actions, None);
            Acquired::Waiting(Ticket::new(self.clone(), class.clone(), number, answer))
        })
    }

    /// A leased connection that nobody holds any more goes to whoever waits for it, or rests.
    fn put_back(self: &Arc<Self>, mut connection: Connection) {
        connection.idle_since = Instant::now();
        connection.alive_at = connection.idle_since;
        self.change(|state, actions| self.place(state, actions, connection));
    }

    /// Finds the place of a connection that counts as leased and that nobody holds.
    fn place(self: &Arc<Self>, state: &mut State, actions: &mut Actions, connection: Connection) {
        let size_max = self.size_allowed(state);
        // One that has served nobody yet stays with those for whom it was opened.
        let claimant = if connection.was_used { self.around.budget.claimant(self) } else { None };
        if let Some(claimant) = claimant {
            state.end(&connection);
            actions.give(connection, claimant);
        } else if self.is_worn(state, &connection, size_max) {
            state.end(&connection);
            actions.close.push(connection);
        } else {
            match state.next_for(&connection.upstream.class, size_max) {
                Next::Rest => state.rest(connection),
                Next::Hand(waiter) => actions.hand(waiter, connection),
                Next::Convert(class) => {
                    state.end(&connection);
                    let id = state.begin_connect(&class);
                    let permit = actions.replace(connection);
                    actions.connect(id, class, permit);
                }
            }
        }
        self.grow(state, actions, None);
    }

    /// Whether a connection that was just given back has served its time.
    fn is_worn(&self, state: &State, connection: &Connection, size_max: usize) -> bool {
        (self.is_single_use && connection.was_used)
            || !connection.is_current(state.epoch())
            || self.around.server.is_gone(&connection.upstream)
            || Instant::now() >= connection.upstream.expires
            || state.open() > size_max
    }

    /// A leased connection that can't be used again.
    fn discard(self: &Arc<Self>, connection: Connection) {
        self.change(|state, actions| {
            state.end(&connection);
            actions.close.push(connection);
            self.grow(state, actions, None);
        });
    }

    /// The upstream says that what it knows of this principal is out of date: every connection of this
    /// `epoch` ends when it is next free.
    fn retire(self: &Arc<Self>, epoch: u64) {
        self.change(|state, actions| {
            if state.epoch() == epoch {
                info!(user = %self.shown_name(), "connections are being replaced");
                state.retire(&mut actions.close);
                self.grow(state, actions, None);
            }
        });
    }

    /// Closes the connection that has been idle for longest, if that is at least `rest`, so that
    /// another principal can have one in its place.
    pub fn give_up_idle(self: &Arc<Self>, rest: Duration) -> Option<Permit> {
        self.change(|state, actions| {
            let idle = state.evict_idle_for(rest)?;
            Some(actions.replace(idle))
        })
    }

    /// The limits may have been raised: whoever waits is served without waiting for the next tick.
    pub fn limits_changed(self: &Arc<Self>) {
        self.change(|state, actions| self.grow(state, actions, None));
    }

    /// A need that has gone is withdrawn from the budget's queue, whatever it was that has served it.
    fn withdraw_if_served(&self, state: &mut State) {
        if state.asks_budget && !state.wants_to_grow() {
            state.asks_budget = false;
            self.around.budget.withdraw(self.id);
        }
    }

    /// What the pool says when it wants to open a connection.
    fn claim(&self, state: &State) -> Claim {
        Claim { pool: self.id, user: self.user, allowed: self.size_allowed(state) }
    }

    /// How many connections there may be: for each that rests in the hands of a client another one, up
    /// to a limit, and for each that does not answer any more.
    fn size_allowed(&self, state: &State) -> usize {
        let limits = self.around.limits.now();
        let parked = state.connections.parked().min(limits.max_parked_connections());
        limits.max_connection_pool_size + parked + state.connections.suspect()
    }
}

/// Credentials.
impl Pool {
    /// What new connections log in with, while the upstream takes it.
    pub fn credential(&self) -> Option<Arc<Credential>> {
        self.look(|state| state.credential().cloned())
    }

    /// Whether there is nothing to open connections with, because the upstream has refused it.
    pub fn is_refused(&self) -> bool {
        self.look(State::is_refused)
    }

    /// The upstream has refused this credential: no connection is opened with it any more.
    pub fn refuse_credential(self: &Arc<Self>, credential: &Credential, why: &Failure) {
        self.change(|state, actions| {
            state.refuse_if_current(credential, why.clone());
            self.grow(state, actions, None);
        });
    }

    /// The upstream takes this credential no longer, and connections that were opened with it can't be
    /// used again.
    fn void_credential(self: &Arc<Self>, credential: &Credential, why: &Failure) {
        credential.void();
        self.change(|state, actions| {
            state.refuse_if_current(credential, why.clone());
            let epoch = state.epoch();
            state.sweep(&mut actions.close, |connection, _| !connection.is_current(epoch));
            self.grow(state, actions, None);
        });
    }

    /// Whether a connection is open that this login has opened, as far as is known.
    pub fn is_open_with(&self, digest: &Digest) -> bool {
        self.look(|state| {
            let is_same = |credential: &Arc<Credential>| credential.digest == *digest;
            state.credential().is_some_and(is_same) && state.has_opened()
        })
    }

    /// Somebody may have changed the password: not many connections at once are opened with it.
    pub fn doubt_credential(self: &Arc<Self>) {
        self.change(|state, _| state.doubt_credential());
    }

    /// Whose failed tries count together, if the scheme names somebody.
    fn principal(&self) -> Option<&str> {
        (!self.name.is_empty()).then_some(&self.name)
    }
}

/// Clients.
impl Pool {
    /// A client more, unless its user has `max` already. What it has logged in with, and what is known
    /// to be good, serves to open connections if the pool has nothing yet.
    pub fn join(
        self: &Arc<Self>,
        class: &Arc<Class>,
        credential: &Arc<Credential>,
        max: Option<usize>,
    ) -> Result<MemberId, JoinError> {
        let id = self.change(|state, _| state.join(class, credential))?;
        if self.around.users.join(self.user, max) {
            return Ok(id);
        }
        self.change(|state, _| state.left(id));
        Err(JoinError::Full)
    }

    pub fn left(self: &Arc<Self>, member: MemberId) {
        self.change(|state, _| state.left(member));
        self.around.users.left(self.user);
    }

    /// Whether nobody would notice if this pool were gone. If so, nobody can join it any more.
    pub fn close_if_unused(self: &Arc<Self>) -> bool {
        self.change(|state, _| state.close_if_unused())
    }

    /// Says now and then that clients wait in vain; the metrics count each of them.
    pub fn complain(self: &Arc<Self>, waiting: usize) {
        if self.change(|state, _| state.complaint_is_due()) {
            warn!(user = %self.shown_name(), waiting, "clients wait in vain for an upstream connection; is max_connection_pool_size large enough?");
        }
    }

    pub fn numbers(&self) -> PoolNumbers {
        self.look(State::numbers)
    }
}

/// How much longer than `liveness_check_timeout` a connection may have been silent that is lent.
const SILENCE_OVERLOOKED: Duration = Duration::from_secs(2);
const COMPLAINT_PAUSE: Duration = Duration::from_secs(60);
