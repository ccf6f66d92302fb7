//! The limits that hold now. A reload replaces them all at once.

use std::sync::{Arc, RwLock};

use crate::config::Limits;
use crate::locks::{Rank, Ranked};

#[derive(Clone, Debug)]
pub(crate) struct CurrentLimits(Arc<Ranked<RwLock<Arc<Limits>>>>);

impl CurrentLimits {
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Ranked::rw_lock(Rank::Limits, Arc::new(limits))))
    }

    pub fn now(&self) -> Arc<Limits> {
        self.0.read().clone()
    }

    pub fn replace(&self, limits: Limits) {
        *self.0.write() = Arc::new(limits);
    }
}
