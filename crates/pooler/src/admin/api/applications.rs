//! `/api/v1/applications`: clients and what they hold, by application.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::seconds;
use crate::applications::{Application, ApplicationName};
use crate::clients::ClientState;
use crate::pool::Held;
use crate::shared::Shared;
use crate::unit::{Doing, Kind, Rest};

#[derive(Serialize)]
pub(super) struct ApplicationLine {
    application: ApplicationName,
    /// Connected.
    clients: usize,
    /// Of these, who wait for a connection.
    waiting: usize,
    /// Connections that they hold.
    connections: usize,
    /// Of these, on which a transaction is open and nothing runs.
    idle_in_transaction: usize,
    /// How long the transaction has been open that was opened first.
    longest_transaction_s: Option<f64>,
    /// Since the application was first seen.
    transactions: u64,
    errors: u64,
    waits: Waits,
    received_bytes: u64,
    sent_bytes: u64,
}

#[derive(Serialize)]
struct Waits {
    total_s: f64,
    p50_s: f64,
    p99_s: f64,
    max_s: f64,
}

/// What an application has to do with connections now.
#[derive(Default)]
struct Now {
    waiting: usize,
    connections: usize,
    idle_in_transaction: usize,
    longest_transaction: Option<Duration>,
}

/// Those that hold most connections first, then those that wait most.
pub(super) fn lines(shared: &Shared) -> Vec<ApplicationLine> {
    let now = now(shared);
    let nothing = Now::default();
    let mut lines: Vec<_> = shared.clients.applications.all();
    lines.sort_by(|a, b| a.name.cmp(&b.name));
    let mut lines: Vec<_> = lines
        .iter()
        .map(|application| line(application, now.get(&key(application)).unwrap_or(&nothing)))
        .collect();
    lines.sort_by_key(|line| Reverse((line.connections, line.waiting, line.clients)));
    lines
}

fn now(shared: &Shared) -> HashMap<*const Application, Now> {
    let mut found: HashMap<*const Application, Now> = HashMap::new();
    for client in shared.clients.all() {
        if let (Some(application), (ClientState::Waiting, _)) =
            (client.application(), client.activity())
        {
            found.entry(key(application)).or_default().waiting += 1;
        }
    }
    let pools = shared.directory().pools();
    let seen = pools.iter().flat_map(|pool| pool.sightings().0);
    for held in seen.filter_map(|seen| seen.hold?.held()) {
        if let Some(application) = held.holder.client.application() {
            found.entry(key(application)).or_default().add(&held);
        }
    }
    found
}

/// Those that are told apart have one allocation each.
fn key(application: &Arc<Application>) -> *const Application {
    Arc::as_ptr(application)
}

impl Now {
    fn add(&mut self, held: &Held) {
        self.connections += 1;
        if held.holder.kind == Kind::Transaction {
            let open = Some(held.holder.since.elapsed());
            self.longest_transaction = self.longest_transaction.max(open);
        }
        if held.doing == Doing::Resting(Rest::InTransaction) {
            self.idle_in_transaction += 1;
        }
    }
}

fn line(application: &Application, now: &Now) -> ApplicationLine {
    let (counted, waits) = (application.counted(), &application.waits);
    ApplicationLine {
        application: application.name.clone(),
        clients: counted.clients,
        waiting: now.waiting,
        connections: now.connections,
        idle_in_transaction: now.idle_in_transaction,
        longest_transaction_s: now.longest_transaction.map(seconds),
        transactions: counted.units,
        errors: counted.errors,
        waits: Waits {
            total_s: seconds(counted.waited),
            p50_s: seconds(waits.at(0.5)),
            p99_s: seconds(waits.at(0.99)),
            max_s: seconds(waits.max()),
        },
        received_bytes: counted.received,
        sent_bytes: counted.sent,
    }
}
