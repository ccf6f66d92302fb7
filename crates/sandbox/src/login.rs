//! Users, passwords and the lock-out: after three failed logins a name is locked for five seconds,
//! for everybody and with the right password too, as in Neo4j.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bolt::Failure;
use bolt::failure::code;
use bolt::message::{Auth, Secret};

use crate::settings::Settings;

#[derive(Debug)]
pub(crate) struct Users {
    passwords: HashMap<String, Secret>,
    cost: Duration,
    failures: Mutex<HashMap<String, Failures>>,
}

#[derive(Debug)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    /// Failures are forgiven by a success only: once there were three, each further one locks the
    /// name again (measured on 5.26).
    fn is_locked(&self, now: Instant) -> bool {
        self.count >= ATTEMPTS_MAX && now.duration_since(self.last) < LOCK_TIME
    }
}

impl Users {
    pub fn new(settings: &Settings) -> Self {
        Self {
            passwords: settings.users.iter().cloned().collect(),
            cost: settings.auth_cost,
            failures: Mutex::default(),
        }
    }

    /// Checks credentials and returns the user's name. Takes as much processor time as was set, so
    /// it belongs on a thread that may be busy.
    ///
    /// # Errors
    /// `Security.Unauthorized`, or `Security.AuthenticationRateLimit` while the name is locked.
    pub fn check(&self, auth: &Auth, now: Instant) -> Result<String, Failure> {
        if self.passwords.is_empty() {
            return Ok(auth.principal().to_owned());
        }
        self.burn();
        let unauthorized = || {
            Failure::new(
                code::UNAUTHORIZED,
                "The client is unauthorized due to authentication failure.",
            )
        };
        match auth.scheme() {
            "basic" | "native" => {}
            "none" => return Err(unauthorized()),
            other => {
                let message =
                    format!("Unsupported authentication token, scheme '{other}' is not supported.");
                return Err(Failure::new(code::UNAUTHORIZED, message));
            }
        }
        let name = auth.principal();
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= NAMES_MAX {
            failures.retain(|_, failed| failed.is_locked(now));
        }
        if failures.get(name).is_some_and(|failed| failed.is_locked(now)) {
            let message =
                "The client has provided incorrect authentication details too many times in a row.";
            return Err(Failure::new(code::AUTHENTICATION_RATE_LIMIT, message));
        }
        if self.passwords.get(name).is_some_and(|password| password.expose() == auth.credentials())
        {
            failures.remove(name);
            return Ok(name.to_owned());
        }
        let failed = failures.entry(name.to_owned()).or_insert(Failures { count: 0, last: now });
        failed.count += 1;
        failed.last = now;
        Err(unauthorized())
    }

    pub fn is_costly(&self) -> bool {
        !self.cost.is_zero()
    }

    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.passwords.keys().cloned().collect();
        names.sort();
        names
    }

    /// Hashing a password keeps a processor busy; so does this. A thread that has to wait for a processor
    /// takes longer.
    fn burn(&self) {
        if self.cost.is_zero() {
            return;
        }
        let end = thread_cpu_time() + self.cost;
        while thread_cpu_time() < end {
            std::hint::spin_loop();
        }
    }
}

/// Processor time that this thread has used so far.
pub(crate) fn thread_cpu_time() -> Duration {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(used.tv_sec.try_into().unwrap_or(0), used.tv_nsec.try_into().unwrap_or(0))
}

const ATTEMPTS_MAX: u32 = 3;
const LOCK_TIME: Duration = Duration::from_secs(5);
/// Past so many names that failed, those that are not locked are forgotten: strangers choose them.
const NAMES_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_lock_the_name_for_five_seconds() {
        let users = Users::new(&Settings::default());
        let now = Instant::now();
        let wrong = Auth::basic("neo4j", "wrong");
        let right = Auth::basic("neo4j", "boltbouncer");
        for _ in 0..3 {
            assert_eq!(users.check(&wrong, now).unwrap_err().code, code::UNAUTHORIZED);
        }
        assert_eq!(users.check(&right, now).unwrap_err().code, code::AUTHENTICATION_RATE_LIMIT);
        assert!(users.check(&right, now + LOCK_TIME).is_ok());
    }

    #[test]
    fn time_alone_forgives_nothing() {
        let users = Users::new(&Settings::default());
        let now = Instant::now();
        let (wrong, right) = (Auth::basic("neo4j", "x"), Auth::basic("neo4j", "boltbouncer"));
        for later in [0, 7, 14, 21] {
            let now = now + Duration::from_secs(later);
            assert_eq!(users.check(&wrong, now).unwrap_err().code, code::UNAUTHORIZED);
        }
        let (at_once, later) = (now + Duration::from_secs(21), now + Duration::from_secs(27));
        assert_eq!(users.check(&right, at_once).unwrap_err().code, code::AUTHENTICATION_RATE_LIMIT);
        assert!(users.check(&right, later).is_ok());
    }

    #[test]
    fn a_success_forgives_earlier_failures() {
        let users = Users::new(&Settings::default());
        let now = Instant::now();
        let (wrong, right) = (Auth::basic("neo4j", "x"), Auth::basic("neo4j", "boltbouncer"));
        for auth in [&wrong, &wrong, &right, &wrong, &wrong] {
            let _ = users.check(auth, now);
        }
        assert!(users.check(&right, now).is_ok());
    }
}
