//! The connections of one class that are held by units of work: those at work, those that rest, and
//! those that are on their way back because others wait for them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;

use tokio::time::Instant;

use super::connection::ConnectionId;
use super::hold::{Held, Hold};

/// Each connection is in one of the three. They change with every unit of work and are short: hashing
/// would cost more than comparing.
#[derive(Debug, Default)]
pub(super) struct Leases {
    working: BTreeMap<ConnectionId, Arc<Hold>>,
    parked: BTreeMap<ConnectionId, Arc<Hold>>,
    leaving: BTreeMap<ConnectionId, Arc<Hold>>,
}

impl Leases {
    pub fn len(&self) -> usize {
        self.working.len() + self.parked.len() + self.leaving.len()
    }

    pub fn parked(&self) -> usize {
        self.parked.len()
    }

    pub fn leaving(&self) -> usize {
        self.leaving.len()
    }

    pub fn insert(&mut self, id: ConnectionId, hold: Arc<Hold>) {
        self.working.insert(id, hold);
    }

    /// Returns whether it was there.
    pub fn remove(&mut self, id: ConnectionId) -> bool {
        let lists = [&mut self.working, &mut self.parked, &mut self.leaving];
        match lists.into_iter().find_map(|list| list.remove(&id)) {
            Some(hold) => {
                hold.end();
                true
            }
            None => false,
        }
    }

    /// Parks those that have rested since `before`.
    pub fn park(&mut self, before: Instant) {
        self.parked.extend(self.working.extract_if(.., |_, hold| hold.park(before)));
    }

    /// The client of a parked connection goes on.
    pub fn unpark(&mut self, id: ConnectionId) {
        let lists = [&mut self.parked, &mut self.leaving];
        if let Some(hold) = lists.into_iter().find_map(|list| list.remove(&id)) {
            self.working.insert(id, hold);
        }
    }

    /// Which of the parked ones has rested for longest, and since when.
    pub fn longest_parked(&self) -> Option<(Instant, ConnectionId)> {
        let since = |(id, hold): (&ConnectionId, &Arc<Hold>)| Some((hold.rests_since()?, *id));
        self.parked.iter().filter_map(since).min_by_key(|(since, _)| *since)
    }

    /// The client of a parked connection has to give it back. Returns how to wake it.
    pub fn contend(&mut self, id: ConnectionId) -> Option<Waker> {
        let hold = self.parked.remove(&id)?;
        let waker = hold.contend();
        self.leaving.insert(id, hold);
        waker
    }

    /// Those that are not on their way back.
    pub fn held_or_resting(&self) -> impl Iterator<Item = &Arc<Hold>> {
        self.working.values().chain(self.parked.values())
    }

    pub fn on_their_way_back(&self) -> impl Iterator<Item = &Arc<Hold>> {
        self.leaving.values()
    }

    pub fn held(&self) -> impl Iterator<Item = Held> {
        self.held_or_resting().chain(self.leaving.values()).filter_map(|hold| hold.held())
    }
}
