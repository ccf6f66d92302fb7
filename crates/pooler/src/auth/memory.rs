//! What the directory remembers: identities with their pools, and the checks that are under way.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use tracing::debug;

use super::Directory;
use super::checks::Checks;
use super::guesses::Guesses;
use super::identity::IdentityKey;
use super::record::Record;
use super::refusals::Refusals;
use crate::credential::Credential;
use crate::pool::{Owner, Pool, PoolId, UserId};

#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Only identities that the upstream has let in.
    pub records: HashMap<IdentityKey, Record>,
    pub refusals: Refusals,
    pub guesses: Guesses,
    pub checks: Checks,
    /// Grows when verified credentials are forgotten: what is being checked then is not remembered.
    pub generation: u64,
}

impl Directory {
    /// Somebody may have changed passwords: whoever comes next is checked again.
    pub fn forget_verified(&self) {
        let pools = self.change(|state| {
            state.generation += 1;
            state.records.values_mut().for_each(Record::forget);
            state.refusals.clear();
            state.pools()
        });
        pools.iter().for_each(Pool::doubt_credential);
        debug!("verified credentials are forgotten");
    }

    /// The server said that a credential of this pool has expired.
    pub fn distrust(&self, pool: &Pool, credential: &Credential) {
        self.change(|state| {
            state.generation += 1;
            let records = state.records.values_mut();
            records
                .filter(|record| record.has_pool(pool.id))
                .for_each(|record| record.forget_digest(&credential.digest));
        });
    }

    pub fn pools(&self) -> Vec<Arc<Pool>> {
        self.change(|state| state.pools())
    }

    /// Drops what is out of date, and pools that nobody uses, with their credentials.
    pub fn tidy(&self) {
        let ttl = self.around.limits.now().auth_cache_ttl.0;
        let unused: Vec<_> = self.pools().into_iter().filter(Pool::close_if_unused).collect();
        let ids = |pools: &mut dyn Iterator<Item = &Arc<Pool>>| -> HashSet<PoolId> {
            pools.map(|pool| pool.id).collect()
        };
        let refused = ids(&mut unused.iter().filter(|pool| pool.is_refused()));
        let unused = ids(&mut unused.iter());
        // What is taken out is dropped after the lock has been given back.
        let _forgotten = self.change(|state| state.tidy(ttl, &unused, &refused));
        self.around.tries.tidy();
    }

    /// The pool that all clients of this identity share. If there is none, it is created.
    pub(super) fn pool_of(&self, key: &IdentityKey) -> Arc<Pool> {
        if let Some(pool) = self.change(|state| state.pool_of(key)) {
            return pool;
        }
        let (id, owner) = self.new_pool(key);
        let new = Pool::shared(id, owner, self.around.clone());
        // Somebody else may have been quicker.
        self.change(|state| state.record(key).pool_or(&new))
    }

    pub(super) fn forget_pool(&self, key: &IdentityKey, id: PoolId) {
        let _forgotten = self.change(|state| state.records.get_mut(key)?.take_pool(id));
    }

    /// What a pool for this identity is called.
    pub(super) fn new_pool(&self, key: &IdentityKey) -> (PoolId, Owner) {
        let id = PoolId(self.ids.next());
        let named = key.principal().map(|name| UserId::Named(self.around.tries.name_id(name)));
        (id, Owner { name: key.name().to_owned(), user: named.unwrap_or(UserId::Alone(id)) })
    }

    /// The one door to the state. `change` may not call anything that takes the lock of a pool.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Memory) -> T) -> T {
        change(&mut self.state.lock())
    }
}

impl Memory {
    pub fn record(&mut self, key: &IdentityKey) -> &mut Record {
        self.records.entry(key.clone()).or_default()
    }

    pub fn pool_of(&self, key: &IdentityKey) -> Option<Arc<Pool>> {
        self.records.get(key)?.pool().cloned()
    }

    /// The pools of everybody who logs in by this name.
    pub fn pools_named(&self, principal: &str) -> Vec<Arc<Pool>> {
        let records = self.records.iter().filter(|(key, _)| key.principal() == Some(principal));
        records.filter_map(|(_, record)| record.pool().cloned()).collect()
    }

    fn pools(&self) -> Vec<Arc<Pool>> {
        self.records.values().filter_map(|record| record.pool().cloned()).collect()
    }

    /// Forgets what is out of date. Returns the pools among those in `unused` that were known. What was
    /// good for one whose credential was `refused` since is not known to be good any more.
    fn tidy(
        &mut self,
        ttl: Duration,
        unused: &HashSet<PoolId>,
        refused: &HashSet<PoolId>,
    ) -> Vec<Arc<Pool>> {
        let mut forgotten = Vec::new();
        self.refusals.tidy();
        self.guesses.tidy();
        self.records.retain(|_, record| {
            record.forget_old(ttl);
            let taken = record.take_pool_of(unused);
            if taken.as_ref().is_some_and(|pool| refused.contains(&pool.id)) {
                record.forget();
            }
            forgotten.extend(taken);
            !record.is_empty()
        });
        forgotten
    }
}
