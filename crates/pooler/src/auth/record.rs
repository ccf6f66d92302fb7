//! What is remembered of one identity.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::credential::Digest;
use crate::pool::{Pool, PoolId};

#[derive(Debug, Default)]
pub(super) struct Record {
    pool: Option<Arc<Pool>>,
    /// With the time of the check, which a use does not renew.
    verified: Vec<(Digest, Instant)>,
}

impl Record {
    pub fn pool(&self) -> Option<&Arc<Pool>> {
        self.pool.as_ref()
    }

    pub fn has_pool(&self, id: PoolId) -> bool {
        self.pool.as_ref().is_some_and(|pool| pool.id == id)
    }

    /// Makes this the identity's pool unless it has one, and returns the one that it has.
    pub fn pool_or(&mut self, new: &Arc<Pool>) -> Arc<Pool> {
        self.pool.get_or_insert_with(|| new.clone()).clone()
    }

    /// Takes the pool out if it is the one with this id.
    pub fn take_pool(&mut self, id: PoolId) -> Option<Arc<Pool>> {
        self.pool.take_if(|pool| pool.id == id)
    }

    /// Takes the pool out if it is one of these.
    pub fn take_pool_of(&mut self, ids: &HashSet<PoolId>) -> Option<Arc<Pool>> {
        self.pool.take_if(|pool| ids.contains(&pool.id))
    }

    /// Whether the upstream has taken a login with this digest a short time ago.
    pub fn is_verified(&self, digest: &Digest, ttl: Duration) -> bool {
        let is_current = |since: &Instant| since.elapsed() < ttl;
        self.verified.iter().any(|(seen, since)| seen == digest && is_current(since))
    }

    pub fn verified(&mut self, digest: Digest) {
        self.verified.retain(|(seen, _)| *seen != digest);
        self.verified.push((digest, Instant::now()));
    }

    /// What was verified is not known to be good any more.
    pub fn forget_digest(&mut self, digest: &Digest) {
        self.verified.retain(|(seen, _)| seen != digest);
    }

    pub fn forget(&mut self) {
        self.verified.clear();
    }

    pub fn forget_old(&mut self, ttl: Duration) {
        self.verified.retain(|(_, since)| since.elapsed() < ttl);
    }

    pub fn is_empty(&self) -> bool {
        self.pool.is_none() && self.verified.is_empty()
    }
}
