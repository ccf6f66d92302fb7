//! One credential on its way to the upstream. It runs in a task of its own: other clients may wait
//! for the outcome when the first one leaves.

use std::sync::Arc;

use harmless::{NAME_CHARS, short};
use tokio::sync::watch;
use tracing::{info, warn};

use super::{Directory, Login, Outcome};
use crate::credential::Credential;
use crate::failures;
use crate::pool::Pool;
use crate::server::{ConnectError, Upstream, Verdict};
use crate::tries::{CheckId, TryOutcome};

pub(super) struct CheckJob {
    pub directory: Arc<Directory>,
    pub login: Login,
    pub id: CheckId,
    /// The directory's, when the check was asked for.
    pub generation: u64,
    pub done: watch::Sender<Option<Outcome>>,
}

impl CheckJob {
    pub async fn run(self) {
        let directory = self.directory.clone();
        let turn = directory.turns.acquire().await;
        if directory.end_check_if_unwanted(&self.login, self.id) {
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

    async fn ask(&self) -> Outcome {
        let around = &self.directory.around;
        let limit = around.limits.now().connection_timeout.0;
        let auth = &self.login.credential.auth;
        match around.server.login(&self.login.class, auth, limit).await {
            Ok((upstream, metadata)) => {
                self.note(TryOutcome::Worked);
                if metadata.boolean("credentials_expired") == Some(true) {
                    let pool = self.expired();
                    self.adopt(&pool, upstream);
                    return Outcome::Expired(pool, metadata);
                }
                self.adopt(&self.verified(), upstream);
                Outcome::Verified
            }
            Err(error) => self.refused(error),
        }
    }

    fn refused(&self, error: ConnectError) -> Outcome {
        let Login { key, .. } = &self.login;
        let user = &*short(key.name(), NAME_CHARS);
        let tried = match error.verdict() {
            Verdict::Passing => {
                if self.directory.around.unchecked_logins.allows() {
                    warn!(user, %error, "a login could not be checked");
                }
                let why = failures::unavailable(&error);
                return Outcome::Unavailable(error.into_failure().unwrap_or(why));
            }
            // The log hears of those together with the client.
            Verdict::Locked => TryOutcome::Locked,
            Verdict::Rejected => TryOutcome::Failed,
        };
        let failure = error.into_failure().unwrap_or_else(failures::rate_limited);
        self.note(tried);
        let digest = self.login.digest().clone();
        self.directory.change(|state| {
            if let Some(record) = state.records.get_mut(key) {
                record.forget_digest(&digest);
            }
            state.refusals.remember(digest, failure.clone());
        });
        Outcome::Refused(failure)
    }

    /// Remembers that the login is good. Returns the pool of its identity.
    fn verified(&self) -> Arc<Pool> {
        let (key, digest) = (&self.login.key, self.login.digest());
        let pool = self.directory.pool_of(key);
        let was_refused = pool.is_refused();
        self.directory.change(|state| {
            let is_current = state.generation == self.generation;
            state.refusals.forget(digest);
            let record = state.record(key);
            if was_refused {
                // What was good before has been refused since; only this one is known to be good.
                record.forget();
            }
            if is_current {
                record.verified(digest.clone());
            }
        });
        pool
    }

    /// A pool for those who have to change their password first.
    fn expired(&self) -> Arc<Pool> {
        let (id, owner) = self.directory.new_pool(&self.login.key);
        Pool::single_use(id, owner, self.directory.around.clone())
    }

    fn adopt(&self, pool: &Arc<Pool>, upstream: Box<Upstream>) {
        pool.adopt(upstream, self.login.credential.clone());
    }

    /// The server counts failures until a login works, however long that takes, and the third locks
    /// the user. So before a credential that may be wrong could become the third, one that is good goes
    /// ahead, if there is any.
    async fn forgive_earlier_failures(&self) -> Result<(), Outcome> {
        let Some(principal) = self.login.key.principal() else { return Ok(()) };
        if !self.directory.around.tries.may_lock(principal, self.id) {
            return Ok(());
        }
        let pools = self.directory.change(|state| state.pools_named(principal));
        let mut was_refused = false;
        for pool in pools {
            let Some(credential) = pool.credential() else { continue };
            match self.prove(&pool, credential).await {
                Proof::Good | Proof::Unknown => return Ok(()),
                Proof::Refused => was_refused = true,
                Proof::Locked => return Err(Outcome::Refused(failures::rate_limited())),
            }
        }
        // Nobody is known any more who is good, and one more try has failed.
        if was_refused { Err(Outcome::Refused(failures::rate_limited())) } else { Ok(()) }
    }

    /// Logs in with what a pool already has.
    async fn prove(&self, pool: &Arc<Pool>, credential: Arc<Credential>) -> Proof {
        let around = &self.directory.around;
        let limit = around.limits.now().connection_timeout.0;
        let error = match around.server.login(&self.login.class, &credential.auth, limit).await {
            Ok((upstream, _)) => {
                self.note(TryOutcome::Worked);
                pool.adopt(upstream, credential);
                return Proof::Good;
            }
            Err(error) => error,
        };
        match error.verdict() {
            Verdict::Passing => Proof::Unknown,
            Verdict::Locked => {
                // It says nothing about the credential, which stays.
                self.note(TryOutcome::Locked);
                Proof::Locked
            }
            Verdict::Rejected => {
                info!(user = %pool.shown_name(), %error, "a stored credential is no longer good");
                self.note(TryOutcome::Failed);
                let failure = error.into_failure().unwrap_or_else(failures::rate_limited);
                pool.refuse_credential(&credential, &failure);
                Proof::Refused
            }
        }
    }

    fn note(&self, outcome: TryOutcome) {
        self.directory.around.tries.note(self.login.key.principal(), outcome);
    }
}

/// What came of logging in with a credential that should be good.
enum Proof {
    Good,
    Refused,
    Locked,
    Unknown,
}

/// However the check ends, nobody waits for it any more.
impl Drop for CheckJob {
    fn drop(&mut self) {
        self.directory.end_check(&self.login, self.id);
    }
}
