//! The limit over the pools of all principals. A pool that finds it exhausted asks, and is served in
//! the order of asking as connections end or others give way.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use super::Pool;
use crate::limits::CurrentLimits;

#[derive(Debug)]
pub(crate) struct Budget {
    limits: CurrentLimits,
    state: Mutex<State>,
    someone_asks: AtomicBool,
    /// Something happened that may serve a pool that asks.
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    open: usize,
    /// Pools that want to grow with the connections that they had when they asked, the first to
    /// ask in front.
    asking: VecDeque<(Weak<Pool>, usize)>,
}

/// The right to have one upstream connection open. The default one grants nothing.
#[derive(Debug, Default)]
pub(crate) struct Permit(Option<Arc<Budget>>);

impl Budget {
    pub fn new(limits: CurrentLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            state: Mutex::default(),
            someone_asks: AtomicBool::new(false),
            changed: Notify::new(),
        })
    }

    pub fn take(self: &Arc<Self>) -> Option<Permit> {
        let mut state = self.lock();
        if state.open >= self.limit() {
            return None;
        }
        state.open += 1;
        Some(Permit(Some(self.clone())))
    }

    /// Puts a pool with `open` connections in the queue, once.
    pub fn ask(&self, pool: &Arc<Pool>, open: usize) {
        let mut state = self.lock();
        if !state.asking.iter().any(|(asking, _)| asking.as_ptr() == Arc::as_ptr(pool)) {
            state.asking.push_back((Arc::downgrade(pool), open));
            self.someone_asks.store(true, Ordering::Relaxed);
            self.changed.notify_one();
        }
    }

    /// Whether a pool with `open` connections should let one go: the pool that asks first has none,
    /// or would still have fewer.
    pub fn is_over_share(&self, open: usize) -> bool {
        self.someone_asks.load(Ordering::Relaxed)
            && self
                .lock()
                .asking
                .front()
                .is_some_and(|(_, asking)| *asking == 0 || open > asking + 1)
    }

    /// Serves pools that ask, for ever. `others` are asked to let an idle connection go.
    pub async fn serve(&self, others: impl Fn() -> Vec<Arc<Pool>>) {
        loop {
            self.changed.notified().await;
            while let Some(pool) = self.first_asking() {
                let is_exhausted = self.lock().open >= self.limit();
                if is_exhausted && !others().iter().any(|other| other.give_way()) {
                    break;
                }
                self.served();
                pool.resume_growth();
            }
        }
    }

    fn first_asking(&self) -> Option<Arc<Pool>> {
        let mut state = self.lock();
        while let Some(first) = state.asking.front() {
            if let Some(pool) = first.0.upgrade() {
                return Some(pool);
            }
            state.asking.pop_front();
        }
        self.someone_asks.store(false, Ordering::Relaxed);
        None
    }

    fn served(&self) {
        let mut state = self.lock();
        state.asking.pop_front();
        self.someone_asks.store(!state.asking.is_empty(), Ordering::Relaxed);
    }

    fn limit(&self) -> usize {
        match self.limits.now().max_upstream_connections {
            0 => usize::MAX,
            limit => limit,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(budget) = self.0.take() {
            budget.lock().open -= 1;
            if budget.someone_asks.load(Ordering::Relaxed) {
                budget.changed.notify_one();
            }
        }
    }
}
