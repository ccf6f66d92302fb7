//! What applications have to do with connections at this moment.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Application, Counted};
use crate::clients::ClientState;
use crate::pool::Held;
use crate::shared::Shared;
use crate::unit::{Doing, Kind, Rest};

/// One application.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub application: Arc<Application>,
    pub counted: Counted,
    pub now: Now,
}

/// What its clients do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Now {
    /// Clients that wait for a connection.
    pub waiting: usize,
    /// Connections that they hold.
    pub connections: usize,
    /// Of these, on which a transaction is open and nothing runs.
    pub idle_in_transaction: usize,
    /// How long the transaction has been open that was opened first.
    pub longest_transaction: Option<Duration>,
}

/// Every application. Those that hold most connections come first, then those that wait most.
pub(crate) fn standings(shared: &Shared) -> Vec<Standing> {
    let mut now = now(shared);
    let standing = |application: Arc<Application>| Standing {
        counted: application.counted(),
        now: now.remove(&Arc::as_ptr(&application)).unwrap_or_default(),
        application,
    };
    let mut standings: Vec<_> =
        shared.clients.applications.all().into_iter().map(standing).collect();
    standings.sort_by(|a, b| {
        let by_size = b.size().cmp(&a.size());
        by_size.then_with(|| a.application.name.cmp(&b.application.name))
    });
    standings
}

/// By application: those that are told apart have one allocation each.
fn now(shared: &Shared) -> HashMap<*const Application, Now> {
    let mut found: HashMap<*const Application, Now> = HashMap::new();
    for client in shared.clients.all() {
        if let (Some(application), (ClientState::Waiting, _)) =
            (client.application(), client.activity())
        {
            found.entry(Arc::as_ptr(application)).or_default().waiting += 1;
        }
    }
    let pools = shared.directory().pools();
    for held in pools.iter().flat_map(|pool| pool.held()) {
        if let Some(application) = held.holder.client.application() {
            found.entry(Arc::as_ptr(application)).or_default().add_held(&held);
        }
    }
    found
}

impl Standing {
    /// What tells larger applications from smaller ones.
    pub fn size(&self) -> (usize, usize, usize, u64) {
        let Now { connections, waiting, .. } = self.now;
        (connections, waiting, self.counted.clients, self.counted.units)
    }
}

impl Now {
    fn add_held(&mut self, held: &Held) {
        self.connections += 1;
        if held.holder.kind == Kind::Transaction {
            let open = Some(held.holder.since.elapsed());
            self.longest_transaction = self.longest_transaction.max(open);
        }
        if held.doing == Doing::Resting(Rest::InTransaction) {
            self.idle_in_transaction += 1;
        }
    }

    /// Adds what the clients of another one do.
    pub fn add(&mut self, other: &Self) {
        self.waiting += other.waiting;
        self.connections += other.connections;
        self.idle_in_transaction += other.idle_in_transaction;
        self.longest_transaction = self.longest_transaction.max(other.longest_transaction);
    }
}
