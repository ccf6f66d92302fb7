//! Failed logins by principal, whoever tried. Neo4j locks a name for five seconds after the third
//! failure (`dbms.security.auth_max_failed_attempts`, `auth_lock_time`), for everybody and with the
//! right password too; only a login that works lets it count anew (measured on 5.26).

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::{Check, Outcome};
use crate::locks::{Guard, Rank, Ranked};

#[derive(Debug)]
pub(crate) struct Tries(Ranked<Mutex<HashMap<String, Tally>>>);

impl Default for Tries {
    fn default() -> Self {
        Self(Ranked::mutex(Rank::Tries, HashMap::new()))
    }
}

#[derive(Debug, Default)]
struct Tally {
    failed: VecDeque<Instant>,
    since_success: usize,
    running: Vec<Check>,
}

/// What the upstream said to a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TryOutcome {
    Worked,
    Failed,
    /// There were too many failures already.
    Locked,
}

/// Whether a credential that may be wrong can be sent upstream now.
pub(super) enum Turn {
    Go,
    /// It depends on what comes of this one.
    WaitFor(Check),
    Refuse,
}

impl Tries {
    /// Counts a check as under way, unless it could be the third failure in a short time. Whoever
    /// has no name can't be locked.
    pub(super) fn begin(&self, principal: Option<&str>, check: &Check) -> Turn {
        let Some(principal) = principal else { return Turn::Go };
        let mut tallies = self.lock();
        let tally = tallies.entry(principal.to_owned()).or_default();
        tally.forget_old();
        if tally.failed.len() + tally.running.len() < FAILED_MAX {
            tally.running.push(check.clone());
            return Turn::Go;
        }
        tally.running.first().cloned().map_or(Turn::Refuse, Turn::WaitFor)
    }

    pub(super) fn end(&self, principal: Option<&str>, check: &watch::Sender<Option<Outcome>>) {
        let mut tallies = self.lock();
        if let Some(tally) = principal.and_then(|name| tallies.get_mut(name)) {
            tally.running.retain(|running| !running.same_channel(&check.subscribe()));
        }
    }

    pub fn note(&self, principal: Option<&str>, outcome: TryOutcome) {
        let Some(principal) = principal else { return };
        let mut tallies = self.lock();
        let tally = tallies.entry(principal.to_owned()).or_default();
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
        tally.failed.extend(std::iter::repeat_n(Instant::now(), failures));
    }

    /// Whether another failure would be the third since a login last worked.
    pub fn may_lock(&self, principal: Option<&str>) -> bool {
        let tallies = self.lock();
        let tally = principal.and_then(|name| tallies.get(name));
        tally.is_some_and(|tally| tally.since_success >= FAILED_MAX)
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

    fn lock(&self) -> Guard<MutexGuard<'_, HashMap<String, Tally>>> {
        self.0.lock()
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
