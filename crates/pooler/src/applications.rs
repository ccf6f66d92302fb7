//! Applications, by what their clients' user agents say, and what all clients of each have done together.

mod name;
mod standing;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::locks::{Rank, Ranked};
use crate::quantiles::Quantiles;

pub(crate) use name::ApplicationName;
pub(crate) use standing::{Now, Standing, standings};

/// Those that are told apart. There are never more than [`APPLICATIONS_MAX`]: what somebody calls itself
/// costs nothing, and must not fill the memory.
#[derive(Debug)]
pub(crate) struct Applications {
    known: Ranked<Mutex<Known>>,
    /// All that are not told apart any more.
    others: Arc<Application>,
    /// Grows whenever a client comes or goes.
    now: AtomicU64,
}

type Known = HashMap<ApplicationName, Arc<Application>>;

/// One application. Numbers are since it was first seen.
#[derive(Debug)]
pub(crate) struct Application {
    pub name: ApplicationName,
    /// Connected now.
    clients: AtomicUsize,
    units: AtomicU64,
    /// Failures that its clients were told, by the server or by the pooler.
    errors: AtomicU64,
    pub waits: Quantiles,
    received: AtomicU64,
    sent: AtomicU64,
    last_seen: AtomicU64,
}

/// What [`Application`] has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub clients: usize,
    pub units: u64,
    pub errors: u64,
    pub waited: Duration,
    /// From its clients.
    pub received: u64,
    /// To its clients.
    pub sent: u64,
}

impl Default for Applications {
    fn default() -> Self {
        Self {
            known: Ranked::mutex(Rank::Applications, HashMap::new()),
            others: Arc::new(Application::new(ApplicationName::others())),
            now: AtomicU64::new(0),
        }
    }
}

impl Applications {
    /// A client with this user agent has come. It has to [leave](Self::leave) some time.
    pub fn join(&self, user_agent: &str) -> Arc<Application> {
        let name = ApplicationName::of(user_agent);
        let mut known = self.known.lock();
        let application = self.find(&mut known, name);
        // Before the lock is given back, so that nobody takes it for one without clients.
        application.clients.fetch_add(1, Ordering::Relaxed);
        self.saw(&application);
        application
    }

    pub fn leave(&self, application: &Application) {
        self.saw(application);
        application.clients.fetch_sub(1, Ordering::Relaxed);
    }

    /// Everybody who is known, in no order.
    pub fn all(&self) -> Vec<Arc<Application>> {
        let known: Vec<_> = self.known.lock().values().cloned().collect();
        let others = (self.others.counted() != Counted::default()).then(|| self.others.clone());
        known.into_iter().chain(others).collect()
    }

    fn saw(&self, application: &Application) {
        let now = self.now.fetch_add(1, Ordering::Relaxed);
        application.last_seen.store(now, Ordering::Relaxed);
    }

    fn find(&self, known: &mut Known, name: ApplicationName) -> Arc<Application> {
        if let Some(application) = known.get(&name) {
            return application.clone();
        }
        if known.len() >= APPLICATIONS_MAX {
            let gone = known.values().filter(|one| one.clients.load(Ordering::Relaxed) == 0);
            let oldest = gone.min_by_key(|one| one.last_seen.load(Ordering::Relaxed)).cloned();
            let Some(oldest) = oldest else { return self.others.clone() };
            known.remove(&oldest.name);
            self.others.add(&oldest);
        }
        let application = Arc::new(Application::new(name.clone()));
        known.insert(name, application.clone());
        application
    }
}

impl Application {
    fn new(name: ApplicationName) -> Self {
        Self {
            name,
            clients: AtomicUsize::new(0),
            units: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            waits: Quantiles::default(),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            last_seen: AtomicU64::new(0),
        }
    }

    /// A unit of work is over that has waited for so long for a connection.
    pub fn unit_ended(&self, waited: Duration) {
        self.units.fetch_add(1, Ordering::Relaxed);
        self.waits.count(waited);
    }

    pub fn failed(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes have come from a client and gone to it.
    pub fn carried(&self, received: u64, sent: u64) {
        self.received.fetch_add(received, Ordering::Relaxed);
        self.sent.fetch_add(sent, Ordering::Relaxed);
    }

    pub fn counted(&self) -> Counted {
        Counted {
            clients: self.clients.load(Ordering::Relaxed),
            units: self.units.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            waited: self.waits.total(),
            received: self.received.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
        }
    }

    /// Adds what another one has done, whose clients have gone.
    fn add(&self, other: &Self) {
        let counted = other.counted();
        self.units.fetch_add(counted.units, Ordering::Relaxed);
        self.errors.fetch_add(counted.errors, Ordering::Relaxed);
        self.carried(counted.received, counted.sent);
        self.waits.add(&other.waits);
    }
}

/// So many are told apart. Each has about a kilobyte.
const APPLICATIONS_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn units(applications: &Applications, name: &str) -> Option<u64> {
        let all = applications.all();
        all.iter().find(|one| one.name.to_string() == name).map(|one| one.counted().units)
    }

    #[test]
    fn those_who_have_gone_make_room_and_nothing_that_was_counted_is_lost() {
        let applications = Applications::default();
        let stays = applications.join("stays/1");
        for number in 0..2 * APPLICATIONS_MAX {
            let application = applications.join(&format!("app{number}/1"));
            application.unit_ended(Duration::from_millis(1));
            applications.leave(&application);
        }
        let all = applications.all();
        assert_eq!(all.len(), APPLICATIONS_MAX + 1);
        let total: u64 = all.iter().map(|one| one.counted().units).sum();
        assert_eq!(total, 2 * APPLICATIONS_MAX as u64);
        assert_eq!(units(&applications, "app0/1"), None);
        assert_eq!(units(&applications, "app1999/1"), Some(1));
        assert_eq!(units(&applications, "others"), Some(1001));
        assert_eq!((units(&applications, "stays/1"), stays.counted().clients), (Some(0), 1));
    }

    #[test]
    fn who_comes_while_all_places_are_taken_is_one_of_the_others() {
        let applications = Applications::default();
        let join = |number: usize| applications.join(&format!("app{number}/1"));
        let _there: Vec<_> = (0..APPLICATIONS_MAX).map(join).collect();
        let late = applications.join("late/1");
        assert_eq!(late.name, ApplicationName::others());
        applications.leave(&late);
        assert_eq!(applications.join("app5/1").counted().clients, 2);
    }
}
