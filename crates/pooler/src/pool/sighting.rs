//! The connections of a pool as they are seen by those who ask: where each is, who holds it, and why
//! nobody else can have it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Pool;
use super::hold::{Held, Hold};
use crate::class::{Class, is_same};
use crate::unit::{Doing, Kind, Rest};

/// Where a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Connecting,
    Idle,
    /// It is asked for a sign of life.
    Probed,
    /// It has been asked, and takes its time.
    Suspect,
    /// Somebody has it.
    Held,
    /// Somebody has it, and has to give it back.
    Leaving,
}

/// One connection.
#[derive(Clone, Debug)]
pub(crate) struct Sighting {
    pub place: Place,
    pub class: Arc<Class>,
    /// Once it is open.
    pub hold: Option<Arc<Hold>>,
    /// Who has it.
    pub held: Option<Held>,
}

/// Why nobody else can have a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NotShared {
    /// Its client's query runs.
    AtWork,
    /// It is idle, and of another class than the first in the queue needs.
    Class,
    OpenTransaction,
    /// It belongs to somebody who has to change an expired password.
    SingleUse,
    /// Its client has not asked for all records, or does not take them.
    UnreadResult,
}

impl Pool {
    /// Every connection, and why nobody else can have it now.
    pub fn sightings(&self) -> Vec<(Sighting, Option<NotShared>)> {
        let (all, wanted) =
            self.look(|state| (state.connections.all(), state.first_class_waiting()));
        let with_why = |seen: Sighting| {
            let why = seen.not_shared(wanted.as_ref(), self.is_single_use);
            (seen, why)
        };
        all.into_iter().map(with_why).collect()
    }

    /// How many connections nobody else can have now, by reason.
    pub fn not_shared(&self) -> BTreeMap<NotShared, usize> {
        let mut counts: BTreeMap<_, _> = NotShared::ALL.into_iter().map(|why| (why, 0)).collect();
        for why in self.sightings().into_iter().filter_map(|(_, why)| why) {
            *counts.entry(why).or_default() += 1;
        }
        counts
    }
}

impl NotShared {
    pub const ALL: [Self; 5] =
        [Self::AtWork, Self::Class, Self::OpenTransaction, Self::SingleUse, Self::UnreadResult];

    /// For programs.
    pub fn label(self) -> &'static str {
        match self {
            Self::AtWork => "at_work",
            Self::Class => "class",
            Self::OpenTransaction => "open_transaction",
            Self::SingleUse => "single_use",
            Self::UnreadResult => "unread_result",
        }
    }
}

impl Sighting {
    pub fn new(place: Place, class: &Arc<Class>, hold: Option<&Arc<Hold>>) -> Self {
        let held = hold.and_then(|hold| hold.held());
        Self { place, class: class.clone(), hold: hold.cloned(), held }
    }

    /// What happens on it, for programs.
    pub fn state(&self) -> &'static str {
        match (self.place, &self.held) {
            (Place::Connecting, _) => "connecting",
            (Place::Probed, _) => "liveness_check",
            (Place::Suspect, _) => "suspect",
            (Place::Leaving, _) => "leaving",
            (_, Some(held)) => held.doing.label(),
            // A held one is on its way from one client to the next.
            (Place::Idle | Place::Held, None) => "idle",
        }
    }

    /// Why nobody else can have it. `wanted` is the class that the first in the queue needs.
    pub fn not_shared(
        &self,
        wanted: Option<&Arc<Class>>,
        is_single_use: bool,
    ) -> Option<NotShared> {
        match (self.place, &self.held) {
            (_, Some(held)) => Some(match (held.holder.kind, held.doing) {
                (Kind::Transaction, _) => NotShared::OpenTransaction,
                (_, Doing::Resting(Rest::UnreadResult | Rest::NotReading)) => {
                    NotShared::UnreadResult
                }
                _ => NotShared::AtWork,
            }),
            (Place::Idle, None) if is_single_use => Some(NotShared::SingleUse),
            (Place::Idle, None) => {
                wanted.filter(|wanted| !is_same(wanted, &self.class)).map(|_| NotShared::Class)
            }
            _ => None,
        }
    }
}
