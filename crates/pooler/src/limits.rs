//! The limits that hold now. A reload replaces them all at once.

use std::sync::{Arc, PoisonError, RwLock};

use crate::config::Limits;

#[derive(Clone, Debug)]
pub(crate) struct CurrentLimits(Arc<RwLock<Arc<Limits>>>);

impl CurrentLimits {
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(limits))))
    }

    pub fn now(&self) -> Arc<Limits> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn replace(&self, limits: Limits) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(limits);
    }
}
