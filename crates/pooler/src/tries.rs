//! Failed logins by principal, whoever tried. Neo4j locks a name for five seconds after the third
//! failure (`dbms.security.auth_max_failed_attempts`, `auth_lock_time`), for everybody and with the
//! right password too; only a login that works lets it count anew (measured on 5.26).

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use crate::locks::{Guard, Rank, Ranked};

#[derive(Debug)]
pub(crate) struct Tries {
    names: RandomState,
    tallies: Ranked<Mutex<HashMap<NameId, Tally>>>,
}

/// A name's hash. Names come from strangers and may be long; what is remembered of one is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct NameId(pub u64);

#[derive(Debug, Default)]
struct Tally {
    failed: VecDeque<Instant>,
    since_success: usize,
    /// Checks that are under way, the oldest in front.
    running: Vec<CheckId>,
}

/// Tells the checks of credentials apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CheckId(pub u64);

/// What the upstream said to a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TryOutcome {
    Worked,
    Failed,
    /// There were too many failures already.
    Locked,
}

/// Whether a credential that may be wrong can be sent upstream now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Go,
    /// It depends on what comes of this one.
    WaitFor(CheckId),
    Refuse,
}

impl Default for Tries {
    fn default() -> Self {
        let tallies = Ranked::mutex(Rank::Tries, HashMap::new());
        Self { names: RandomState::new(), tallies }
    }
}

impl Tries {
    pub fn name_id(&self, principal: &str) -> NameId {
        NameId(self.names.hash_one(principal))
    }

    /// Counts a check as under way, unless it could be the third failure in a short time. Whoever
    /// has no name can't be locked.
    pub fn begin(&self, principal: Option<&str>, check: CheckId) -> Turn {
        let Some(principal) = principal else { return Turn::Go };
        let mut tallies = self.lock();
        let tally = tallies.entry(self.name_id(principal)).or_default();
        tally.forget_old();
        if tally.failed.len() + tally.running.len() < FAILED_MAX {
            tally.running.push(check);
            return Turn::Go;
        }
        tally.running.first().copied().map_or(Turn::Refuse, Turn::WaitFor)
    }

    pub fn end(&self, principal: Option<&str>, check: CheckId) {
        let mut tallies = self.lock();
        if let Some(tally) = principal.and_then(|name| tallies.get_mut(&self.name_id(name))) {
            tally.running.retain(|running| *running != check);
        }
    }

    pub fn note(&self, principal: Option<&str>, outcome: TryOutcome) {
        let Some(principal) = principal else { return };
        let mut tallies = self.lock();
        let tally = tallies.entry(self.name_id(principal)).or_default();
        let failures = match outcome {
            TryOutcome::Worked => {
                tally.failed.clear();
                tally.since_success = 0;
                return;
            }
            TryOutcome::Failed => 1,
            TryOutcome::Locked => FAILED_MAX,
        };
        tally.since_success += failures;
        tally.forget_old();
        tally.failed.extend(std::iter::repeat_n(Instant::now(), failures));
    }

    /// Whether this check would be the third failure since a login last worked, if it and all others
    /// that are under way fail.
    pub fn may_lock(&self, principal: &str, check: CheckId) -> bool {
        let tallies = self.lock();
        tallies.get(&self.name_id(principal)).is_some_and(|tally| {
            let others = tally.running.iter().filter(|running| **running != check).count();
            tally.since_success + others >= FAILED_MAX
        })
    }

    /// Forgets names with nothing to remember, and old ones if there are very many.
    pub fn tidy(&self) {
        let mut tallies = self.lock();
        let has_many = tallies.len() > NAMES_MAX;
        tallies.retain(|_, tally| {
            tally.forget_old();
            let is_remembered = tally.since_success > 0 && !has_many;
            is_remembered || !tally.failed.is_empty() || !tally.running.is_empty()
        });
    }

    fn lock(&self) -> Guard<MutexGuard<'_, HashMap<NameId, Tally>>> {
        self.tallies.lock()
    }
}

impl Tally {
    fn forget_old(&mut self) {
        self.failed.retain(|since| since.elapsed() < LOCK_TIME);
    }
}

const LOCK_TIME: Duration = Duration::from_secs(5);
const FAILED_MAX: usize = 2;
const NAMES_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_third_try_waits_for_the_first_or_is_refused() {
        let tries = Tries::default();
        let (eve, bob) = (Some("eve"), Some("bob"));
        assert_eq!(tries.begin(eve, CheckId(1)), Turn::Go);
        assert_eq!(tries.begin(eve, CheckId(2)), Turn::Go);
        assert_eq!(tries.begin(eve, CheckId(3)), Turn::WaitFor(CheckId(1)));
        assert_eq!(tries.begin(bob, CheckId(4)), Turn::Go);
        // It is the check that ends, not any check of that name.
        tries.end(eve, CheckId(4));
        assert_eq!(tries.begin(eve, CheckId(3)), Turn::WaitFor(CheckId(1)));
        for check in [1, 2] {
            tries.note(eve, TryOutcome::Failed);
            tries.end(eve, CheckId(check));
        }
        assert_eq!(tries.begin(eve, CheckId(3)), Turn::Refuse);
        assert!(tries.may_lock("eve", CheckId(3)) && !tries.may_lock("bob", CheckId(4)));
        tries.note(eve, TryOutcome::Worked);
        assert_eq!(tries.begin(eve, CheckId(3)), Turn::Go);
    }

    #[tokio::test(start_paused = true)]
    async fn tries_under_way_count_like_failures() {
        let (tries, eve) = (Tries::default(), Some("eve"));
        tries.note(eve, TryOutcome::Failed);
        // Long ago, but the server counts on.
        tokio::time::advance(2 * LOCK_TIME).await;
        assert_eq!(tries.begin(eve, CheckId(1)), Turn::Go);
        assert!(!tries.may_lock("eve", CheckId(1)));
        assert_eq!(tries.begin(eve, CheckId(2)), Turn::Go);
        assert!(tries.may_lock("eve", CheckId(2)));
    }
}
