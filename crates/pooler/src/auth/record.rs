//! What is remembered of one identity.

use std::sync::Arc;
use std::time::Duration;

use bolt::Failure;
use tokio::time::Instant;

use super::Check;
use super::identity::Digest;
use crate::pool::Pool;

#[derive(Debug, Default)]
pub(super) struct Record {
    pub pool: Option<Arc<Pool>>,
    /// With the time of the check, which a use does not renew.
    verified: Vec<(Digest, Instant)>,
    refused: Vec<(Digest, Instant, Failure)>,
    checks: Vec<(Digest, Check)>,
}

impl Record {
    /// Whether a login with this digest needs no check. It does if the upstream has refused what
    /// the pool would open connections with.
    pub fn is_verified(&self, digest: &Digest, ttl: Duration) -> bool {
        let is_current = |since: &Instant| since.elapsed() < ttl;
        let known = self.verified.iter().any(|(seen, since)| seen == digest && is_current(since));
        known && self.pool.as_ref().is_none_or(|pool| !pool.is_refused())
    }

    pub fn refusal(&self, digest: &Digest) -> Option<Failure> {
        let current = |since: &Instant| since.elapsed() < REFUSAL_TTL;
        let mut refused = self.refused.iter();
        let found = refused.find(|(seen, since, _)| seen == digest && current(since))?;
        Some(found.2.clone())
    }

    pub fn check(&self, digest: &Digest) -> Option<Check> {
        self.checks.iter().find(|(seen, _)| seen == digest).map(|(_, check)| check.clone())
    }

    pub fn begin_check(&mut self, digest: Digest, check: Check) {
        self.checks.push((digest, check));
    }

    pub fn end_check(&mut self, digest: &Digest) {
        self.checks.retain(|(seen, _)| seen != digest);
    }

    pub fn verified(&mut self, digest: Digest) {
        self.refused.retain(|(seen, ..)| *seen != digest);
        self.verified.retain(|(seen, _)| *seen != digest);
        self.verified.push((digest, Instant::now()));
    }

    pub fn refused(&mut self, digest: Digest, failure: Failure) {
        self.verified.retain(|(seen, _)| *seen != digest);
        self.refused.push((digest, Instant::now(), failure));
    }

    pub fn forget(&mut self) {
        self.verified.clear();
        self.refused.clear();
    }

    pub fn pool_or(&mut self, new: impl FnOnce() -> Arc<Pool>) -> Arc<Pool> {
        self.pool.get_or_insert_with(new).clone()
    }

    pub fn tidy(&mut self, ttl: Duration) {
        self.verified.retain(|(_, since)| since.elapsed() < ttl);
        self.refused.retain(|(_, since, _)| since.elapsed() < REFUSAL_TTL);
        // Nobody else holds it, so that nobody can be joining it either.
        self.pool.take_if(|pool| pool.is_unused() && Arc::strong_count(pool) == 1);
    }

    pub fn is_empty(&self) -> bool {
        self.pool.is_none()
            && self.verified.is_empty()
            && self.refused.is_empty()
            && self.checks.is_empty()
    }
}

/// A refusal is the answer to the same credentials for this long.
const REFUSAL_TTL: Duration = Duration::from_secs(5);
