//! Who may come in. The first login of an identity is checked by the upstream, on a connection that
//! carries nothing else; later ones against a keyed digest in memory. It never logs or keeps a
//! credential longer than the pool that needs it.
//!
//! While the directory's lock is held, only a decision is made. Pools are created, asked and told
//! after that; the tries alone are counted together with the decision, under a lock of their own.

mod check;
mod checks;
mod guesses;
mod identity;
mod memory;
mod record;
mod refusals;
mod source;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};

use bolt::failure::code;
use bolt::message::Auth;
use bolt::{Dictionary, Failure};
use tokio::sync::{Semaphore, watch};

use crate::class::Class;
use crate::credential::{Credential, Digest};
use crate::failures;
use crate::ids::Ids;
use crate::locks::{Rank, Ranked};
use crate::metrics::LoginOutcome;
use crate::pool::{JoinError, MemberId, Pool, Surroundings};
use crate::tries::{CheckId, Turn};

use check::CheckJob;
use checks::{AskerId, Asking};
use guesses::{GuessOutcome, Suspect};
use identity::{Digester, IdentityKey};
use memory::Memory;

pub(crate) use source::Source;

/// Everybody who is known, and their pools.
#[derive(Debug)]
pub(crate) struct Directory {
    around: Arc<Surroundings>,
    digester: Digester,
    /// Bounds how many credentials are checked at the same time.
    turns: Semaphore,
    ids: Ids,
    state: Ranked<Mutex<Memory>>,
}

/// A client's place among those of its pool and of its user, given up when dropped.
#[derive(Debug)]
pub(crate) struct Member {
    pub pool: Arc<Pool>,
    id: MemberId,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.pool.left(self.id);
    }
}

/// What a client wants to come in with.
#[derive(Clone, Debug)]
struct Login {
    key: IdentityKey,
    /// Who may be guessing a password, if this is one.
    suspect: Option<Suspect>,
    credential: Arc<Credential>,
    class: Arc<Class>,
}

/// What came of a check upstream; everybody who waited for it reads the same.
#[derive(Clone, Debug)]
enum Outcome {
    Verified,
    /// Let in only to change the password: nothing is remembered, and connections are not shared.
    Expired(Arc<Pool>, Dictionary),
    Refused(Failure),
    Unavailable(Failure),
}

/// What to do about a login, decided under the lock.
enum Decision {
    Admit,
    Refuse(Failure, LoginOutcome),
    /// Too many different ones were wrong lately. Only what connections are open with is known to be
    /// good without asking.
    AdmitIfOpen,
    /// Ask the upstream, and tell everybody who waits.
    Check(CheckJob, Asking),
    /// Somebody else with the same credential has asked.
    Wait(Asking),
    /// A check of another credential may still fail; only then is there an answer.
    WaitForOther(Asking),
}

/// Where a login goes from here.
enum Step {
    Done(Result<(Member, Dictionary), Failure>),
    /// Decide again.
    Again,
    /// The upstream has refused what the pool logs in with, so only another check can help.
    CheckAgain,
}

impl Directory {
    pub fn new(around: Arc<Surroundings>) -> Arc<Self> {
        Arc::new(Self {
            around,
            digester: Digester::new(),
            turns: Semaphore::new(PARALLEL_CHECKS),
            ids: Ids::default(),
            state: Ranked::mutex(Rank::Directory, Memory::default()),
        })
    }

    /// Lets a client in, or says why not. Returns what the server said to an unusual login.
    /// `is_new`: a check is wanted even if the credential is known.
    pub async fn login(
        self: &Arc<Self>,
        auth: Auth,
        class: &Arc<Class>,
        source: Source,
        is_new: bool,
    ) -> Result<(Member, Dictionary), Failure> {
        let login = self.identified(auth, class, source);
        let mut guess = Guess { directory: self, login: &login, outcome: GuessOutcome::Unknown };
        let mut must_check = is_new;
        loop {
            let decision = self.decide(&login, must_check);
            must_check = match self.act(decision, &login).await {
                Step::Done(outcome) => {
                    guess.outcome = GuessOutcome::of(&outcome);
                    return outcome;
                }
                Step::Again => is_new,
                Step::CheckAgain => true,
            };
        }
    }

    fn identified(&self, auth: Auth, class: &Arc<Class>, source: Source) -> Login {
        let (key, digest) = self.digester.identify(&auth);
        let name = key.principal().map(|principal| self.around.tries.name_id(principal));
        let suspect = name.map(|name| Suspect { source, name });
        let credential = Arc::new(Credential::new(self.ids.next(), auth, digest));
        Login { key, suspect, credential, class: class.clone() }
    }

    /// Carries out what was decided, and waits for what has to be waited for.
    async fn act(self: &Arc<Self>, decision: Decision, login: &Login) -> Step {
        let asking = match decision {
            Decision::Admit => return self.admit(login, LoginOutcome::Cached),
            Decision::Refuse(failure, outcome) => {
                self.around.metrics.login(outcome);
                return Step::Done(Err(failure));
            }
            Decision::AdmitIfOpen => return self.admit_if_open(login),
            Decision::WaitForOther(asking) => {
                Box::pin(asking.outcome()).await;
                return Step::Again;
            }
            Decision::Check(job, asking) => {
                tokio::spawn(job.run());
                asking
            }
            Decision::Wait(asking) => asking,
        };
        let Some(outcome) = Box::pin(asking.outcome()).await else {
            return Step::Done(Err(failures::unavailable("the login could not be checked")));
        };
        match outcome {
            Outcome::Verified => self.admit(login, LoginOutcome::Verified),
            Outcome::Expired(pool, metadata) => self.join(pool, login, metadata),
            Outcome::Refused(failure) => {
                self.around.metrics.login(LoginOutcome::Refused);
                Step::Done(Err(failure))
            }
            Outcome::Unavailable(failure) => {
                self.around.metrics.login(LoginOutcome::Unavailable);
                Step::Done(Err(failure))
            }
        }
    }

    fn decide(self: &Arc<Self>, login: &Login, must_check: bool) -> Decision {
        let ttl = self.around.limits.now().auth_cache_ttl.0;
        self.change(|state| {
            let digest = login.digest();
            if login.suspect.is_some_and(|suspect| state.guesses.is_past(&suspect, digest)) {
                return Decision::Refuse(failures::rate_limited(), LoginOutcome::RateLimited);
            }
            let record = state.records.get(&login.key);
            if !must_check && record.is_some_and(|record| record.is_verified(digest, ttl)) {
                return Decision::Admit;
            }
            if let Some(suspect) = login.suspect {
                state.guesses.begin(suspect, digest, login.credential.id);
            }
            if let Some(failure) = state.refusals.of(digest) {
                return Decision::Refuse(failure.clone(), LoginOutcome::Refused);
            }
            let asker = AskerId(self.ids.next());
            if let Some(asking) = state.checks.ask(digest, asker, self) {
                return Decision::Wait(asking);
            }
            if state.checks.len() >= WAITING_CHECKS_MAX {
                let failure = failures::unavailable("too many logins are waiting to be checked");
                return Decision::Refuse(failure, LoginOutcome::Unavailable);
            }
            self.begin_check(state, login, asker)
        })
    }

    /// Begins a check, unless that has to wait for another one. The tries are counted while the
    /// directory is locked, so that they never speak of a check that the directory does not know.
    fn begin_check(
        self: &Arc<Self>,
        state: &mut Memory,
        login: &Login,
        asker: AskerId,
    ) -> Decision {
        let id = CheckId(self.ids.next());
        match self.around.tries.begin(login.key.principal(), id) {
            Turn::Go => {}
            Turn::Refuse => return Decision::AdmitIfOpen,
            Turn::WaitFor(other) => {
                let asking = state.checks.ask_for(other, asker, self);
                return asking.map_or(Decision::AdmitIfOpen, Decision::WaitForOther);
            }
        }
        let (done, outcome) = watch::channel(None);
        let asking = state.checks.begin(login.digest(), id, outcome, asker, self);
        let (directory, login, generation) = (self.clone(), login.clone(), state.generation);
        Decision::Check(CheckJob { directory, login, id, generation, done }, asking)
    }

    /// The check is over, whatever came of it.
    fn end_check(&self, login: &Login, id: CheckId) {
        self.change(|state| {
            state.checks.end(login.digest(), id);
            self.around.tries.end(login.key.principal(), id);
        });
    }

    /// Ends a check if everybody who waited for it has left.
    fn end_check_if_unwanted(&self, login: &Login, id: CheckId) -> bool {
        self.change(|state| {
            let is_unwanted = !state.checks.is_wanted(login.digest(), id);
            if is_unwanted {
                state.checks.end(login.digest(), id);
                self.around.tries.end(login.key.principal(), id);
            }
            is_unwanted
        })
    }

    /// While checks are limited, what the open connections of a pool were opened with is good enough:
    /// somebody else's wrong passwords take nothing from those who have the right one.
    fn admit_if_open(&self, login: &Login) -> Step {
        let pool = self.change(|state| state.pool_of(&login.key));
        if pool.is_some_and(|pool| pool.is_open_with(login.digest())) {
            return self.admit(login, LoginOutcome::Cached);
        }
        self.around.metrics.login(LoginOutcome::RateLimited);
        Step::Done(Err(failures::rate_limited()))
    }

    /// Lets a client join the pool of its identity. `outcome` says how it is known to be who it
    /// says.
    fn admit(&self, login: &Login, outcome: LoginOutcome) -> Step {
        loop {
            let pool = self.pool_of(&login.key);
            let joined = match self.member(&pool, login) {
                Err(JoinError::Refused) => return Step::CheckAgain,
                // It was given up as unused in this very moment.
                Err(JoinError::Closed) => {
                    self.forget_pool(&login.key, pool.id);
                    continue;
                }
                joined => joined,
            };
            self.around.metrics.login(outcome);
            return Step::Done(self.told(joined, Dictionary::new()));
        }
    }

    /// Lets a client join a pool that is not its identity's.
    fn join(&self, pool: Arc<Pool>, login: &Login, metadata: Dictionary) -> Step {
        let joined = self.member(&pool, login);
        if let Err(JoinError::Refused | JoinError::Closed) = joined {
            return Step::CheckAgain;
        }
        self.around.metrics.login(LoginOutcome::Verified);
        Step::Done(self.told(joined, metadata))
    }

    fn told(
        &self,
        joined: Result<Member, JoinError>,
        metadata: Dictionary,
    ) -> Result<(Member, Dictionary), Failure> {
        joined.map(|member| (member, metadata)).map_err(|why| match why {
            JoinError::Full => failures::too_many_clients(self.clients_max().unwrap_or_default()),
            _ => failures::too_many_kinds(),
        })
    }

    fn member(&self, pool: &Arc<Pool>, login: &Login) -> Result<Member, JoinError> {
        let id = pool.join(&login.class, &login.credential, self.clients_max())?;
        Ok(Member { pool: pool.clone(), id })
    }

    fn clients_max(&self) -> Option<usize> {
        match self.around.limits.now().max_user_client_connections {
            0 => None,
            max => Some(max),
        }
    }
}

impl Login {
    fn digest(&self) -> &Digest {
        &self.credential.digest
    }
}

/// A login as long as it may be a guess. However it ends, it is counted.
struct Guess<'a> {
    directory: &'a Directory,
    login: &'a Login,
    outcome: GuessOutcome,
}

impl Drop for Guess<'_> {
    fn drop(&mut self) {
        let Self { directory, login, outcome } = self;
        if let Some(suspect) = login.suspect {
            let (digest, id) = (login.digest(), login.credential.id);
            directory.change(|state| state.guesses.end(suspect, digest, id, *outcome));
        }
    }
}

impl GuessOutcome {
    fn of<T>(outcome: &Result<T, Failure>) -> Self {
        let failure = match outcome {
            Ok(_) => return Self::Right,
            Err(failure) => failure,
        };
        match failure.code.as_str() {
            code::UNAUTHORIZED | code::AUTHENTICATION_RATE_LIMIT => Self::Wrong,
            _ => Self::Unknown,
        }
    }
}

const PARALLEL_CHECKS: usize = 16;
/// Past so many, strangers have to come back later.
const WAITING_CHECKS_MAX: usize = 1000;
