//! What is run. Whoever makes these settings has checked them.

use std::time::Duration;

use bolt::message::{Auth, Secret};
use net::Target;

use crate::check::Check;
use crate::workload::Workload;

#[derive(Clone, Debug)]
pub struct Settings {
    /// The others are compared with the first one.
    pub targets: Vec<NamedTarget>,
    pub user: String,
    pub password: Secret,
    pub database: Option<String>,
    /// If set, clients log in as `user1`, `user2` and so on, up to this number, instead of as one user.
    pub users: Option<usize>,
    pub workloads: Vec<Workload>,
    /// Clients of each target, each with a connection of its own.
    pub clients: usize,
    /// Clients of each target that are connected and do nothing.
    pub idle_clients: usize,
    /// For each workload and target, over all rounds.
    pub duration: Duration,
    pub rounds: usize,
    /// For each workload and target, before the first round. Nothing of it counts.
    pub warm_up: Duration,
    /// At the beginning of each turn, on top of its share of the duration. Clients that all begin at once
    /// wait for one another as they will not later, so that nothing of this time counts.
    pub settle: Duration,
    /// Operations per second for each target, over all its clients. `None` means as fast as the answers
    /// come.
    pub rate: Option<f64>,
    /// How many records one `stream` has.
    pub records: u64,
    pub record_bytes: usize,
    /// Puts a relay before every target, with this round trip.
    pub link_delay: Option<Duration>,
    pub processes: Vec<NamedProcess>,
    pub checks: Vec<Check>,
    /// For each wait for an answer.
    pub timeout: Duration,
    pub shows_progress: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedTarget {
    pub name: String,
    pub target: Target,
}

/// A process whose processor time and memory are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedProcess {
    pub name: String,
    pub pid: i32,
}

impl Settings {
    /// How long each turn of a target lasts.
    pub fn turn_duration(&self) -> Duration {
        self.duration / u32::try_from(self.rounds).unwrap_or(u32::MAX).max(1)
    }

    /// The login of a client by its number.
    pub fn auth(&self, client: usize) -> Auth {
        let user = match self.users {
            Some(users) => format!("{}{}", self.user, client % users + 1),
            None => self.user.clone(),
        };
        Auth::basic(&user, self.password.expose())
    }

    /// How many connections the load generator has open at once.
    pub fn connections(&self) -> usize {
        self.clients.saturating_add(self.idle_clients).saturating_mul(self.targets.len())
    }
}
