//! One credential on its way to the upstream. It runs in a task of its own: other clients may wait
//! for the outcome when the first one leaves.

use std::sync::Arc;

use bolt::message::Auth;
use tokio::sync::watch;
use tracing::{info, warn};

use super::identity::{Digest, IdentityKey};
use super::{Directory, Outcome, TryOutcome};
use crate::class::Class;
use crate::failures;
use crate::pool::Pool;
use crate::server::Verdict;

pub(super) struct CheckJob {
    pub directory: Arc<Directory>,
    pub key: IdentityKey,
    pub digest: Digest,
    pub auth: Arc<Auth>,
    pub class: Arc<Class>,
    /// The directory's, when the check was asked for.
    pub generation: u64,
    pub done: watch::Sender<Option<Outcome>>,
}

impl CheckJob {
    pub async fn run(self) {
        let directory = self.directory.clone();
        let turn = directory.checks.acquire().await;
        if self.is_abandoned() {
            return;
        }
        let outcome = match self.forgive_earlier_failures().await {
            Ok(()) => self.ask().await,
            Err(outcome) => outcome,
        };
        drop(turn);
        // Whoever asks from now on finds what is remembered, not this check.
        let done = self.done.clone();
        drop(self);
        done.send_replace(Some(outcome));
    }

    /// Whether everybody who waited has left. The record has a receiver, and so have the tries.
    fn is_abandoned(&self) -> bool {
        self.done.receiver_count() <= 1 + usize::from(self.key.principal().is_some())
    }

    async fn ask(&self) -> Outcome {
        let around = &self.directory.around;
        let limit = around.limits.now().connection_timeout.0;
        let login = around.server.login(&self.class, &self.auth, limit).await;
        let error = match login {
            Ok((upstream, metadata)) => {
                around.tries.note(self.key.principal(), TryOutcome::Worked);
                if metadata.boolean("credentials_expired") == Some(true) {
                    let pool = self.directory.new_pool(&self.key, true);
                    pool.adopt(upstream, self.auth.clone());
                    return Outcome::Expired(pool, metadata);
                }
                let pool = self.verified();
                pool.adopt(upstream, self.auth.clone());
                return Outcome::Verified(pool);
            }
            Err(error) => error,
        };
        warn!(user = self.key.name(), %error, "a login was not confirmed by the upstream");
        match (error.verdict(), error.into_failure()) {
            (Verdict::Passing, Some(failure)) => Outcome::Unavailable(failure),
            (Verdict::Passing, None) => {
                Outcome::Unavailable(failures::unavailable("the server can't be reached"))
            }
            (verdict, failure) => {
                let failure = failure.unwrap_or_else(failures::rate_limited);
                let is_locked = verdict == Verdict::Locked;
                let tried = if is_locked { TryOutcome::Locked } else { TryOutcome::Failed };
                around.tries.note(self.key.principal(), tried);
                let mut state = self.directory.lock();
                state.record(&self.key).refused(self.digest.clone(), failure.clone());
                Outcome::Refused(failure)
            }
        }
    }

    fn verified(&self) -> Arc<Pool> {
        let mut state = self.directory.lock();
        let is_current = state.generation == self.generation;
        let record = state.record(&self.key);
        if record.pool.as_ref().is_some_and(|pool| pool.is_refused()) {
            // What was good before has been refused since; only this one is known to be good.
            record.forget();
        }
        if is_current {
            record.verified(self.digest.clone());
        }
        record.pool_or(|| self.directory.new_pool(&self.key, false))
    }

    /// The server counts failures until a login works, however long that takes, and the third locks
    /// the user. So before a credential that may be wrong becomes the third, one that is good goes
    /// ahead, if there is any.
    async fn forgive_earlier_failures(&self) -> Result<(), Outcome> {
        let around = &self.directory.around;
        let pool = self.directory.lock().record(&self.key).pool.clone();
        let Some(pool) = pool.filter(|_| around.tries.may_lock(self.key.principal())) else {
            return Ok(());
        };
        let Some(credential) = pool.credential() else { return Ok(()) };
        let limit = around.limits.now().connection_timeout.0;
        match around.server.login(&self.class, &credential, limit).await {
            Ok((upstream, _)) => {
                around.tries.note(self.key.principal(), TryOutcome::Worked);
                pool.adopt(upstream, credential);
                Ok(())
            }
            Err(error) if error.verdict() == Verdict::Passing => Ok(()),
            Err(error) => {
                info!(user = self.key.name(), %error, "a stored credential is no longer good");
                around.tries.note(self.key.principal(), TryOutcome::Locked);
                let failure = error.into_failure().unwrap_or_else(failures::rate_limited);
                pool.forget_credential(&failure);
                Err(Outcome::Refused(failures::rate_limited()))
            }
        }
    }
}

/// However the check ends, nobody waits for it any more.
impl Drop for CheckJob {
    fn drop(&mut self) {
        {
            let mut state = self.directory.lock();
            state.waiting_checks -= 1;
            state.record(&self.key).end_check(&self.digest);
        }
        self.directory.around.tries.end(self.key.principal(), &self.done);
    }
}
