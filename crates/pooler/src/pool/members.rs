//! The clients of a pool, whatever they are doing, by the kind of connection that they need.

use std::collections::HashMap;
use std::sync::Arc;

use crate::class::Class;

/// A client's place in its pool. It costs the pool nothing: clients are many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MemberId {
    /// Its class's hash.
    kind: u64,
}

#[derive(Debug, Default)]
pub(super) struct Members {
    /// How many clients each class has, by its hash; none has zero.
    kinds: HashMap<u64, usize>,
}

impl Members {
    /// A client more, unless it would be the first of one kind too many. Clients choose their kinds
    /// freely, and whatever is kept by kind is looked through under the pool's lock.
    pub fn join(&mut self, class: &Arc<Class>) -> Option<MemberId> {
        let kind = class.hash();
        if !self.kinds.contains_key(&kind) && self.kinds.len() >= KINDS_MAX {
            return None;
        }
        *self.kinds.entry(kind).or_default() += 1;
        Some(MemberId { kind })
    }

    /// Whoever has joined leaves once.
    pub fn left(&mut self, MemberId { kind }: MemberId) {
        if let Some(count) = self.kinds.get_mut(&kind) {
            *count -= 1;
            if *count == 0 {
                self.kinds.remove(&kind);
            }
        }
    }

    pub fn len(&self) -> usize {
        self.kinds.values().sum()
    }

    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }
}

/// Far more than versions, routing and sensible filters make.
pub(crate) const KINDS_MAX: usize = 64;
