//! Credentials that the upstream has refused a moment ago: the same again gets the same answer. Only
//! digests are kept, so that a stranger's long names take no memory.

use std::collections::HashMap;
use std::time::Duration;

use bolt::Failure;
use tokio::time::Instant;

use crate::credential::Digest;

#[derive(Debug, Default)]
pub(super) struct Refusals(HashMap<Digest, (Instant, Failure)>);

impl Refusals {
    pub fn of(&self, digest: &Digest) -> Option<&Failure> {
        let (since, failure) = self.0.get(digest)?;
        (since.elapsed() < TTL).then_some(failure)
    }

    pub fn remember(&mut self, digest: Digest, failure: Failure) {
        if self.0.len() < REFUSALS_MAX {
            self.0.insert(digest, (Instant::now(), failure));
        }
    }

    pub fn forget(&mut self, digest: &Digest) {
        self.0.remove(digest);
    }

    /// What was wrong may be right now.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    pub fn tidy(&mut self) {
        self.0.retain(|_, (since, _)| since.elapsed() < TTL);
    }
}

const TTL: Duration = Duration::from_secs(5);
/// More than the upstream can refuse in that time.
const REFUSALS_MAX: usize = 10_000;
