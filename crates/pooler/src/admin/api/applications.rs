//! `/api/v1/applications`: clients and what they hold, by application.

use serde::Serialize;

use super::seconds;
use crate::applications::{ApplicationName, Standing, standings};
use crate::shared::Shared;

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
    /// Units of work since the application was first seen, as all that follows.
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

/// See [`standings`] for the order.
pub(super) fn lines(shared: &Shared) -> Vec<ApplicationLine> {
    standings(shared).into_iter().map(line).collect()
}

fn line(standing: Standing) -> ApplicationLine {
    let Standing { application, counted, now } = standing;
    let waits = &application.waits;
    ApplicationLine {
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
        application: application.name.clone(),
    }
}
