//! The limit over the pools of all principals. A pool that finds it exhausted asks, and is served in
//! the order of asking as connections end or others give way.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::Notify;

use super::{Pool, PoolId};
use crate::ids::Ids;
use crate::limits::CurrentLimits;
use crate::locks::{Rank, Ranked};

#[derive(Debug)]
pub(crate) struct Budget {
    limits: CurrentLimits,
    state: Ranked<Mutex<Permits>>,
    /// What [`Permits::is_wanted`] says, to be read without the lock.
    is_wanted: AtomicBool,
    /// Something happened that may serve a pool.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Permits {
    /// The permits that exist: so many connections are open.
    granted: HashSet<u64>,
    ids: Ids,
    /// Pools that want to grow, the first to ask in front.
    asking: VecDeque<Asker>,
    /// Pools for which another one is closing a connection.
    promised: VecDeque<Asker>,
}

/// A pool that wants to open a connection.
#[derive(Debug)]
struct Asker {
    id: PoolId,
    pool: Weak<Pool>,
    /// How many connections it had when it asked.
    open: usize,
}

/// The right to have one upstream connection open, given up when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    id: u64,
    budget: Arc<Budget>,
}

impl Permits {
    /// Some pool asks, or was promised a connection.
    fn is_wanted(&self) -> bool {
        !self.promised.is_empty() || !self.asking.is_empty()
    }

    fn grant(&mut self, budget: &Arc<Budget>) -> Permit {
        let id = self.ids.next();
        self.granted.insert(id);
        Permit { id, budget: budget.clone() }
    }
}

impl Budget {
    pub fn new(limits: CurrentLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            state: Ranked::mutex(Rank::Budget, Permits::default()),
            is_wanted: AtomicBool::new(false),
            changed: Notify::new(),
        })
    }

    /// The one door to the state, so that `is_wanted` always says what the state says.
    fn change<T>(&self, change: impl FnOnce(&mut Permits) -> T) -> T {
        let mut state = self.state.lock();
        let changed = change(&mut state);
        self.is_wanted.store(state.is_wanted(), Ordering::Relaxed);
        changed
    }

    pub fn take(self: &Arc<Self>) -> Option<Permit> {
        self.change(|state| {
            // Nobody overtakes those who asked.
            let is_free = state.granted.len() < self.limit() && !state.is_wanted();
            is_free.then(|| state.grant(self))
        })
    }

    /// Puts a pool with `open` connections in the queue, once.
    pub fn ask(&self, pool: &Arc<Pool>, open: usize) {
        self.change(|state| {
            let mut known = state.asking.iter().chain(&state.promised);
            if known.all(|other| other.id != pool.id) {
                state.asking.push_back(Asker { id: pool.id, pool: Arc::downgrade(pool), open });
                self.changed.notify_one();
            }
        });
    }

    /// Whether this pool, which has `open` connections, is to close one so that another pool can
    /// open one. That depends on the pool that has asked first: this one makes room if that one has
    /// no connection at all, or if after the exchange that one would still not have more than this
    /// one. For each pool that asks, only one is told to make room.
    pub fn claims(&self, pool: PoolId, open: usize) -> bool {
        if !self.is_wanted.load(Ordering::Relaxed) {
            return false;
        }
        self.change(|state| {
            let claims =
                |first: &mut Asker| first.id != pool && (first.open == 0 || open > first.open + 1);
            let claiming = state.asking.pop_front_if(claims);
            let is_claimed = claiming.is_some();
            state.promised.extend(claiming);
            is_claimed
        })
    }

    /// The limit may have changed: whoever waits for room is looked at again.
    pub fn limit_changed(&self) {
        self.changed.notify_one();
    }

    /// Serves pools that ask, for ever. `others` are asked to let an idle connection go.
    pub async fn serve(self: &Arc<Self>, others: impl Fn() -> Vec<Arc<Pool>>) {
        loop {
            self.changed.notified().await;
            loop {
                while let Some((pool, permit)) = self.next_to_serve() {
                    pool.grow_with(permit);
                }
                let is_wanted = self.is_wanted.load(Ordering::Relaxed);
                if !is_wanted || !others().iter().any(|other| other.give_way()) {
                    break;
                }
            }
        }
    }

    /// The pool that may grow now, if there is room. Pools that have gone meanwhile are passed over.
    fn next_to_serve(self: &Arc<Self>) -> Option<(Arc<Pool>, Permit)> {
        self.change(|state| {
            while state.granted.len() < self.limit() {
                let first = state.promised.pop_front().or_else(|| state.asking.pop_front())?;
                if let Some(pool) = first.pool.upgrade() {
                    return Some((pool, state.grant(self)));
                }
            }
            None
        })
    }

    fn limit(&self) -> usize {
        match self.limits.now().max_upstream_connections {
            0 => usize::MAX,
            limit => limit,
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let is_wanted = self.budget.change(|state| {
            state.granted.remove(&self.id);
            state.is_wanted()
        });
        if is_wanted {
            self.budget.changed.notify_one();
        }
    }
}
