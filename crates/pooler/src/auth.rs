//! Who may come in. The first login of an identity is checked by the upstream, on a connection that
//! carries nothing else; later ones against a keyed digest in memory. It never logs or keeps a
//! credential longer than the pool that needs it.

mod check;
mod identity;
mod record;
mod tries;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use bolt::message::Auth;
use bolt::{Dictionary, Failure};
use tokio::sync::{Semaphore, watch};
use tracing::debug;

use crate::class::Class;
use crate::failures;
use crate::locks::{Guard, Rank, Ranked};
use crate::metrics::LoginOutcome;
use crate::pool::{Pool, Surroundings};

pub(crate) use tries::{Tries, TryOutcome};

use check::CheckJob;
use identity::{Digest, Digester, IdentityKey};
use record::Record;
use tries::Turn;

/// Everybody who is known, and their pools.
#[derive(Debug)]
pub(crate) struct Directory {
    around: Arc<Surroundings>,
    digester: Digester,
    /// Bounds how many credentials are checked at the same time.
    checks: Semaphore,
    state: Ranked<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    records: HashMap<IdentityKey, Record>,
    waiting_checks: usize,
    /// Grows when verified credentials are forgotten: what is being checked then is not remembered.
    generation: u64,
}

/// A client's place among those of its principal, given up when dropped.
#[derive(Debug)]
pub(crate) struct Member {
    pub pool: Arc<Pool>,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.pool.left();
    }
}

/// What came of a check upstream; everybody who waited for it reads the same.
#[derive(Clone, Debug)]
enum Outcome {
    Verified(Arc<Pool>),
    /// Let in only to change the password: nothing is remembered, and connections are not shared.
    Expired(Arc<Pool>, Dictionary),
    Refused(Failure),
    Unavailable(Failure),
}

type Check = watch::Receiver<Option<Outcome>>;

/// What to do about a login, decided under the lock.
enum Decision {
    Admit(Arc<Pool>),
    Refuse(Failure, LoginOutcome),
    /// Ask the upstream, and tell everybody who waits.
    Check(watch::Sender<Option<Outcome>>, Check),
    /// Somebody else with the same credential has asked.
    Wait(Check),
    /// A check of another credential may still fail; only then is there an answer.
    WaitForOther(Check),
}

impl Directory {
    pub fn new(around: Arc<Surroundings>) -> Arc<Self> {
        Arc::new(Self {
            around,
            digester: Digester::new(),
            checks: Semaphore::new(PARALLEL_CHECKS),
            state: Ranked::mutex(Rank::Directory, State::default()),
        })
    }

    /// Lets a client in, or says why not. Returns what the server said to an unusual login.
    /// `is_new`: a check is wanted even if the credential is known.
    pub async fn login(
        self: &Arc<Self>,
        auth: Auth,
        class: &Arc<Class>,
        is_new: bool,
    ) -> Result<(Member, Dictionary), Failure> {
        let auth = Arc::new(auth);
        let (key, digest) = self.digester.identify(&auth);
        let mut check = loop {
            match self.decide(&key, &digest, &auth, is_new) {
                Decision::Admit(pool) => {
                    self.around.metrics.login(LoginOutcome::Cached);
                    return self.join(pool, class, Dictionary::new());
                }
                Decision::Refuse(failure, outcome) => {
                    self.around.metrics.login(outcome);
                    return Err(failure);
                }
                Decision::WaitForOther(mut check) => {
                    let _ = check.wait_for(Option::is_some).await;
                }
                Decision::Check(done, check) => {
                    let job = self.job(&key, &digest, &auth, class, done);
                    tokio::spawn(job.run());
                    break check;
                }
                Decision::Wait(check) => break check,
            }
        };
        let outcome = check.wait_for(Option::is_some).await.ok().and_then(|seen| seen.clone());
        let Some(outcome) = outcome else {
            return Err(failures::unavailable("the login could not be checked"));
        };
        self.around.metrics.login(outcome.kind());
        match outcome {
            Outcome::Verified(pool) => self.join(pool, class, Dictionary::new()),
            Outcome::Expired(pool, metadata) => self.join(pool, class, metadata),
            Outcome::Refused(failure) | Outcome::Unavailable(failure) => Err(failure),
        }
    }

    /// Somebody may have changed passwords: whoever comes next is checked again.
    pub fn forget_verified(&self) {
        let mut state = self.lock();
        state.generation += 1;
        for record in state.records.values_mut() {
            record.forget();
            if let Some(pool) = &record.pool {
                pool.doubt_credential();
            }
        }
        debug!("verified credentials are forgotten");
    }

    /// A server said that what this pool's clients logged in with has expired.
    pub fn distrust(&self, pool: &Arc<Pool>, why: &Failure) {
        let mut state = self.lock();
        state.generation += 1;
        for record in state.records.values_mut() {
            if record.pool.as_ref().is_some_and(|known| Arc::ptr_eq(known, pool)) {
                record.forget();
            }
        }
        pool.forget_credential(why);
    }

    pub fn pools(&self) -> Vec<Arc<Pool>> {
        self.lock().records.values().filter_map(|record| record.pool.clone()).collect()
    }

    /// Drops what is out of date, and pools that nobody uses, with their credentials.
    pub fn tidy(&self) {
        let ttl = self.around.limits.now().auth_cache_ttl.0;
        let mut state = self.lock();
        state.records.retain(|_, record| {
            record.tidy(ttl);
            !record.is_empty()
        });
        self.around.tries.tidy();
    }

    fn decide(
        &self,
        key: &IdentityKey,
        digest: &Digest,
        auth: &Arc<Auth>,
        is_new: bool,
    ) -> Decision {
        let ttl = self.around.limits.now().auth_cache_ttl.0;
        let mut state = self.lock();
        let record = state.record(key);
        if !is_new && record.is_verified(digest, ttl) {
            let pool = record.pool_or(|| self.new_pool(key, false));
            pool.set_credential(auth.clone());
            return Decision::Admit(pool);
        }
        if let Some(failure) = record.refusal(digest) {
            return Decision::Refuse(failure, LoginOutcome::Refused);
        }
        if let Some(check) = record.check(digest) {
            return Decision::Wait(check);
        }
        if state.waiting_checks >= WAITING_CHECKS_MAX {
            let failure = failures::unavailable("too many logins are waiting to be checked");
            return Decision::Refuse(failure, LoginOutcome::Unavailable);
        }
        let (sender, check) = watch::channel(None);
        match self.around.tries.begin(key.principal(), &check) {
            Turn::Go => {}
            Turn::WaitFor(other) => return Decision::WaitForOther(other),
            Turn::Refuse => {
                return Decision::Refuse(failures::rate_limited(), LoginOutcome::RateLimited);
            }
        }
        state.record(key).begin_check(digest.clone(), check.clone());
        state.waiting_checks += 1;
        Decision::Check(sender, check)
    }

    fn job(
        self: &Arc<Self>,
        key: &IdentityKey,
        digest: &Digest,
        auth: &Arc<Auth>,
        class: &Arc<Class>,
        done: watch::Sender<Option<Outcome>>,
    ) -> CheckJob {
        CheckJob {
            directory: self.clone(),
            key: key.clone(),
            digest: digest.clone(),
            auth: auth.clone(),
            class: class.clone(),
            generation: self.lock().generation,
            done,
        }
    }

    fn new_pool(&self, key: &IdentityKey, single_use: bool) -> Arc<Pool> {
        Pool::new(key.name().to_owned(), single_use, self.around.clone())
    }

    fn join(
        &self,
        pool: Arc<Pool>,
        class: &Arc<Class>,
        metadata: Dictionary,
    ) -> Result<(Member, Dictionary), Failure> {
        let max = match self.around.limits.now().max_user_client_connections {
            0 => None,
            max => Some(max),
        };
        match pool.join(class, max) {
            true => Ok((Member { pool }, metadata)),
            false => Err(failures::too_many_clients(max.unwrap_or_default())),
        }
    }

    fn lock(&self) -> Guard<MutexGuard<'_, State>> {
        self.state.lock()
    }
}

impl Outcome {
    fn kind(&self) -> LoginOutcome {
        match self {
            Self::Verified(_) | Self::Expired(..) => LoginOutcome::Verified,
            Self::Refused(_) => LoginOutcome::Refused,
            Self::Unavailable(_) => LoginOutcome::Unavailable,
        }
    }
}

impl State {
    fn record(&mut self, key: &IdentityKey) -> &mut Record {
        self.records.entry(key.clone()).or_default()
    }
}

const PARALLEL_CHECKS: usize = 16;
/// Past so many, strangers have to come back later.
const WAITING_CHECKS_MAX: usize = 1000;
