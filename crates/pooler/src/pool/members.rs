//! The clients of a pool, whatever they are doing, by the kind of connection that they need.

use std::collections::HashMap;
use std::sync::Arc;

use crate::class::Class;

/// Tells the clients of one pool apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MemberId(pub u64);

#[derive(Debug, Default)]
pub(super) struct Members {
    classes: HashMap<MemberId, Arc<Class>>,
    /// How many clients each class has; none has zero. By the class's hash.
    kinds: HashMap<u64, usize>,
}

impl Members {
    /// A client more, unless it would be the first of one kind too many. Clients choose their kinds
    /// freely, and whatever is kept by kind is looked through under the pool's lock.
    pub fn join(&mut self, id: MemberId, class: &Arc<Class>) -> bool {
        let is_new = !self.kinds.contains_key(&class.hash());
        if is_new && self.kinds.len() >= KINDS_MAX {
            return false;
        }
        *self.kinds.entry(class.hash()).or_default() += 1;
        self.classes.insert(id, class.clone());
        true
    }

    pub fn left(&mut self, id: MemberId) {
        let Some(class) = self.classes.remove(&id) else { return };
        if let Some(count) = self.kinds.get_mut(&class.hash()) {
            *count -= 1;
            if *count == 0 {
                self.kinds.remove(&class.hash());
            }
        }
    }

    pub fn len(&self) -> usize {
        self.classes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.classes.is_empty()
    }
}

/// Far more than versions, routing and sensible filters make.
pub(crate) const KINDS_MAX: usize = 64;
