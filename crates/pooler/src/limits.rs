//! The limits that hold now. A reload replaces them all at once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};

use crate::config::Limits;
use crate::locks::{Rank, Ranked};

#[derive(Clone, Debug)]
pub(crate) struct CurrentLimits(Arc<Current>);

#[derive(Debug)]
struct Current {
    limits: Ranked<RwLock<Arc<Limits>>>,
    /// Asked for with every unit of work.
    limits_idleness: AtomicBool,
}

impl CurrentLimits {
    pub fn new(limits: Limits) -> Self {
        let limits_idleness = AtomicBool::new(limits_idleness(&limits));
        let limits = Ranked::rw_lock(Rank::Limits, Arc::new(limits));
        Self(Arc::new(Current { limits, limits_idleness }))
    }

    pub fn now(&self) -> Arc<Limits> {
        self.0.limits.read().clone()
    }

    /// Whether there is a `client_idle_timeout`.
    pub fn limits_idleness(&self) -> bool {
        self.0.limits_idleness.load(Ordering::SeqCst)
    }

    pub fn replace(&self, limits: Limits) {
        let mut current = self.0.limits.write();
        self.0.limits_idleness.store(limits_idleness(&limits), Ordering::SeqCst);
        *current = Arc::new(limits);
    }
}

fn limits_idleness(limits: &Limits) -> bool {
    limits.client_idle_timeout.limit().is_some()
}
