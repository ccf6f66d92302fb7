//! The limit over the pools of all principals. A pool that finds it exhausted asks, and is served in
//! the order of asking as connections end or others give way.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use tokio::sync::Notify;

use super::Pool;
use crate::limits::CurrentLimits;
use crate::locks::{Guard, Rank, Ranked};

#[derive(Debug)]
pub(crate) struct Budget {
    limits: CurrentLimits,
    state: Ranked<Mutex<State>>,
    /// Some pool asks, or was promised a connection.
    is_wanted: AtomicBool,
    /// Something happened that may serve a pool.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    open: usize,
    /// Pools that want to grow with the connections that they had when they asked, the first to
    /// ask in front.
    asking: VecDeque<(Weak<Pool>, usize)>,
    /// Pools for which another one is closing a connection.
    promised: VecDeque<Weak<Pool>>,
}

/// The right to have one upstream connection open. The default one grants nothing.
#[derive(Debug, Default)]
pub(crate) struct Permit(Option<Arc<Budget>>);

impl State {
    fn is_wanted(&self) -> bool {
        !self.promised.is_empty() || !self.asking.is_empty()
    }
}

impl Budget {
    pub fn new(limits: CurrentLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            state: Ranked::mutex(Rank::Budget, State::default()),
            is_wanted: AtomicBool::new(false),
            changed: Notify::new(),
        })
    }

    pub fn take(self: &Arc<Self>) -> Option<Permit> {
        let mut state = self.lock();
        // Nobody overtakes those who asked.
        if state.open >= self.limit() || state.is_wanted() {
            return None;
        }
        state.open += 1;
        Some(Permit(Some(self.clone())))
    }

    /// Puts a pool with `open` connections in the queue, once.
    pub fn ask(&self, pool: &Arc<Pool>, open: usize) {
        let mut state = self.lock();
        let is_same = |other: &Weak<Pool>| other.as_ptr() == Arc::as_ptr(pool);
        let is_known = state.asking.iter().any(|(asking, _)| is_same(asking))
            || state.promised.iter().any(is_same);
        if !is_known {
            state.asking.push_back((Arc::downgrade(pool), open));
            self.is_wanted.store(true, Ordering::Relaxed);
            self.changed.notify_one();
        }
    }

    /// Whether a pool with `open` connections is to close one now: the other pool that asks first
    /// has none, or would still have fewer. Only one pool is told so for each that asks.
    pub fn claims(&self, pool: &Arc<Pool>, open: usize) -> bool {
        if !self.is_wanted.load(Ordering::Relaxed) {
            return false;
        }
        let mut state = self.lock();
        let is_over_share = state.asking.front().is_some_and(|(asking, theirs)| {
            asking.as_ptr() != Arc::as_ptr(pool) && (*theirs == 0 || open > theirs + 1)
        });
        if is_over_share && let Some((asking, _)) = state.asking.pop_front() {
            state.promised.push_back(asking);
        }
        is_over_share
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

    /// Who may grow now, if there is room.
    fn next_to_serve(self: &Arc<Self>) -> Option<(Arc<Pool>, Permit)> {
        let mut state = self.lock();
        let mut next = None;
        while next.is_none() && state.open < self.limit() {
            let first = state.promised.pop_front();
            let Some(first) = first.or_else(|| Some(state.asking.pop_front()?.0)) else { break };
            next = first.upgrade();
        }
        self.is_wanted.store(state.is_wanted(), Ordering::Relaxed);
        state.open += usize::from(next.is_some());
        next.map(|pool| (pool, Permit(Some(self.clone()))))
    }

    fn limit(&self) -> usize {
        match self.limits.now().max_upstream_connections {
            0 => usize::MAX,
            limit => limit,
        }
    }

    fn lock(&self) -> Guard<MutexGuard<'_, State>> {
        self.state.lock()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(budget) = self.0.take() {
            budget.lock().open -= 1;
            if budget.is_wanted.load(Ordering::Relaxed) {
                budget.changed.notify_one();
            }
        }
    }
}
