//! Waits for a connection that were too long: who has waited, how that ended, and who held the
//! connections meanwhile.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use tracing::info;

use crate::clients::Listed;
use crate::locks::{Rank, Ranked};
use crate::log_limit::LogLimit;
use crate::pool::Holders;
use crate::reason::Reason;

/// The last ones.
#[derive(Debug)]
pub(crate) struct Waits {
    recent: Ranked<Mutex<VecDeque<Arc<Wait>>>>,
    logged: LogLimit,
}

#[derive(Debug)]
pub(crate) struct Wait {
    pub ended: SystemTime,
    pub client: Arc<Listed>,
    pub user: Option<Arc<str>>,
    pub waited: Duration,
    pub outcome: Outcome,
    pub witnessed: Witnessed,
}

/// What there was to be seen while somebody waited.
#[derive(Clone, Debug)]
pub(crate) struct Witnessed {
    /// Clients of the same principal, this one included.
    pub waiting: usize,
    pub whose: Whose,
    pub holders: Arc<Holders>,
}

/// Whose connections they are that somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The user has as many as it may have.
    OwnUsers,
    /// All users together have: `max_upstream_connections`.
    Everybodys,
}

impl Whose {
    pub fn label(self) -> &'static str {
        match self {
            Self::OwnUsers => "own_user",
            Self::Everybodys => "everybody",
        }
    }
}

/// For example "20 held by this user: 17 by airflow dag=load (longest for 312 s, idle in transaction), …".
impl fmt::Display for Witnessed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match self.whose {
            Whose::OwnUsers => "this user",
            Whose::Everybodys => "all users together",
        };
        write!(f, "{} held by {whose}{}", self.holders.total(), self.holders)
    }
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Served,
    Refused(Reason),
    /// The client has changed its mind.
    Cancelled,
    ClientLeft,
}

impl Outcome {
    pub fn label(self) -> &'static str {
        match self {
            Self::Served => "served",
            Self::Refused(reason) => reason.label(),
            Self::Cancelled => "cancelled",
            Self::ClientLeft => "client_left",
        }
    }
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            recent: Ranked::mutex(Rank::Waits, VecDeque::new()),
            logged: LogLimit::new("long waits for a connection"),
        }
    }
}

impl Waits {
    pub fn note(&self, wait: Wait) {
        if self.logged.allows() {
            wait.log();
        }
        let mut recent = self.recent.lock();
        if recent.len() == WAITS_MAX {
            recent.pop_front();
        }
        recent.push_back(Arc::new(wait));
    }

    /// The last ones, the newest first.
    pub fn recent(&self) -> Vec<Arc<Wait>> {
        self.recent.lock().iter().rev().cloned().collect()
    }

    pub fn next_second(&self) {
        self.logged.next_second();
    }
}

impl Wait {
    fn log(&self) {
        info!(
            client = %self.client.id,
            application = self.client.application().map(|one| one.name.to_string()),
            user = self.user.as_deref(),
            waited_s = self.waited.as_secs_f64(),
            outcome = self.outcome.label(),
            waiting = self.witnessed.waiting,
            held = %self.witnessed,
            "a unit of work waited long for an upstream connection"
        );
    }
}

/// So many are kept.
const WAITS_MAX: usize = 200;
