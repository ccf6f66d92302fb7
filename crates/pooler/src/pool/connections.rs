//! All connections of a pool by class: those that are idle, and the ids of those that are elsewhere.
//! How many there are of any kind is the length of a list, never a number kept beside it.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::task::Waker;

use tokio::time::Instant;

use super::connection::{Connection, ConnectionId};
use super::hold::{Held, Hold};
use super::leases::Leases;
use super::sighting::{Place, Sighting};
use crate::class::{Class, is_same};

#[derive(Debug, Default)]
pub(super) struct Connections {
    /// Only classes that have a connection, so there are no more than connections.
    shelves: Vec<Shelf>,
}

/// The connections of one class.
#[derive(Debug)]
struct Shelf {
    class: Arc<Class>,
    /// The one used last stands at the end. It is the next to be used, so that the others can grow
    /// old and be closed when fewer are needed.
    idle: Vec<Connection>,
    leases: Leases,
    /// Being opened.
    connecting: HashSet<ConnectionId>,
    probed: Probed,
}

/// Connections that are asked for a sign of life. Nobody has them meanwhile.
#[derive(Debug, Default)]
struct Probed {
    /// Most likely they will answer at once.
    asked: BTreeMap<ConnectionId, Arc<Hold>>,
    /// They have not.
    suspect: BTreeMap<ConnectionId, Arc<Hold>>,
}

/// Whether an idle connection can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fitness {
    Good,
    /// It has given no sign of life for so long that it is asked for one first.
    Silent,
    Ended,
}

impl Shelf {
    fn new(class: Arc<Class>) -> Self {
        let (leases, connecting, probed) = (Leases::default(), HashSet::new(), Probed::default());
        Self { class, idle: Vec::new(), leases, connecting, probed }
    }

    fn open(&self) -> usize {
        self.unused() + self.leases.len() + self.connecting.len()
    }

    fn unused(&self) -> usize {
        self.idle.len() + self.probed.asked.len() + self.probed.suspect.len()
    }

    fn coming(&self) -> usize {
        self.connecting.len() + self.probed.asked.len()
    }

    fn all(&self) -> Vec<Sighting> {
        let seen = |place, hold| Sighting::new(place, &self.class, hold);
        let Probed { asked, suspect } = &self.probed;
        let mut all: Vec<_> =
            self.idle.iter().map(|one| seen(Place::Idle, Some(&one.hold))).collect();
        all.extend(self.leases.held_or_resting().map(|hold| seen(Place::Held, Some(hold))));
        all.extend(self.leases.on_their_way_back().map(|hold| seen(Place::Leaving, Some(hold))));
        all.extend(asked.values().map(|hold| seen(Place::Probed, Some(hold))));
        all.extend(suspect.values().map(|hold| seen(Place::Suspect, Some(hold))));
        all.extend(self.connecting.iter().map(|_| seen(Place::Connecting, None)));
        all
    }

    /// Asks an idle connection for a sign of life.
    fn probe(&mut self, connection: Connection, probe: &mut Vec<Connection>) {
        self.probed.asked.insert(connection.id, connection.hold.clone());
        probe.push(connection);
    }
}

impl Connections {
    /// Idle, leased, being opened or asked for a sign of life.
    pub fn open(&self) -> usize {
        self.shelves.iter().map(Shelf::open).sum()
    }

    /// Those that nobody has, whether they can be had or are asked for a sign of life.
    pub fn unused(&self) -> usize {
        self.shelves.iter().map(Shelf::unused).sum()
    }

    /// Those that have not answered when they were asked for a sign of life.
    pub fn suspect(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.probed.suspect.len()).sum()
    }

    /// Those that will be there in a moment: they are being opened, or asked for a sign of life.
    pub fn coming(&self) -> usize {
        self.shelves.iter().map(Shelf::coming).sum()
    }

    pub fn coming_of(&self, class: &Arc<Class>) -> usize {
        self.find(class).map_or(0, Shelf::coming)
    }

    pub fn leased(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.leases.len()).sum()
    }

    /// Those of the leased ones that rest.
    pub fn parked(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.leases.parked()).sum()
    }

    /// Those of the leased ones that are on their way back because others wait.
    pub fn leaving(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.leases.leaving()).sum()
    }

    /// Who holds the leased ones.
    pub fn held(&self) -> impl Iterator<Item = Held> {
        self.shelves.iter().flat_map(|shelf| shelf.leases.held())
    }

    /// Every connection.
    pub fn all(&self) -> Vec<Sighting> {
        self.shelves.iter().flat_map(Shelf::all).collect()
    }

    /// Parks the leased ones that have rested since `before`.
    pub fn park(&mut self, before: Instant) {
        self.shelves.iter_mut().for_each(|shelf| shelf.leases.park(before));
    }

    /// The client of a parked connection goes on.
    pub fn unpark(&mut self, id: ConnectionId) {
        self.shelves.iter_mut().for_each(|shelf| shelf.leases.unpark(id));
    }

    /// Since when the parked connection has rested that has done so for longest.
    pub fn longest_parked(&self) -> Option<Instant> {
        let shelves = self.shelves.iter();
        shelves.filter_map(|shelf| shelf.leases.longest_parked()).map(|(since, _)| since).min()
    }

    /// The client that lets its connection rest for longest has to give it back. Returns how to wake
    /// it.
    pub fn contend_longest(&mut self) -> Option<Waker> {
        let shelves = self.shelves.iter_mut().filter_map(|shelf| {
            let (since, id) = shelf.leases.longest_parked()?;
            Some((since, id, shelf))
        });
        let (_, id, shelf) = shelves.min_by_key(|(since, ..)| *since)?;
        shelf.leases.contend(id)
    }

    pub fn connecting(&self) -> usize {
        self.shelves.iter().map(|shelf| shelf.connecting.len()).sum()
    }

    pub fn open_of(&self, class: &Arc<Class>) -> usize {
        self.find(class).map_or(0, Shelf::open)
    }

    pub fn has_idle(&self) -> bool {
        self.shelves.iter().any(|shelf| !shelf.idle.is_empty())
    }

    /// A connection of this class is going to be opened.
    pub fn begin_connect(&mut self, class: &Arc<Class>, id: ConnectionId) {
        self.shelf(class).connecting.insert(id);
    }

    /// It is open now. Until it is put somewhere it counts as leased.
    pub fn end_connect(&mut self, connection: &Connection) {
        let id = connection.id;
        let shelf = self.shelf(&connection.upstream.class);
        let was_connecting = shelf.connecting.remove(&id);
        debug_assert!(was_connecting, "{id:?} was not being opened");
        shelf.leases.insert(id, connection.hold.clone());
    }

    /// It could not be opened.
    pub fn give_up_connect(&mut self, class: &Arc<Class>, id: ConnectionId) {
        let was_connecting = self.shelf(class).connecting.remove(&id);
        debug_assert!(was_connecting, "{id:?} was not being opened");
        self.tidy();
    }

    /// Takes in a connection that was opened elsewhere. Until it is put somewhere it counts as
    /// leased.
    pub fn enter(&mut self, connection: &Connection) {
        let shelf = self.shelf(&connection.upstream.class);
        shelf.leases.insert(connection.id, connection.hold.clone());
    }

    /// Leases the idle connection of this class that was used last and is good. Those that have ended
    /// are added to `ended`, those that were silent for too long to `probe`.
    pub fn lease_idle(
        &mut self,
        class: &Arc<Class>,
        (ended, probe): (&mut Vec<Connection>, &mut Vec<Connection>),
        mut fitness: impl FnMut(&mut Connection) -> Fitness,
    ) -> Option<Connection> {
        let shelf = self.shelves.iter_mut().find(|shelf| is_same(&shelf.class, class))?;
        while let Some(mut connection) = shelf.idle.pop() {
            match fitness(&mut connection) {
                Fitness::Good => {
                    shelf.leases.insert(connection.id, connection.hold.clone());
                    return Some(connection);
                }
                Fitness::Silent => shelf.probe(connection, probe),
                Fitness::Ended => ended.push(connection),
            }
        }
        self.tidy();
        None
    }

    /// Adds the idle connections that have been silent since `before` to `probe`.
    pub fn probe_silent(&mut self, before: Instant, probe: &mut Vec<Connection>) {
        for shelf in &mut self.shelves {
            let silent: Vec<_> =
                shelf.idle.extract_if(.., |connection| connection.alive_at <= before).collect();
            silent.into_iter().for_each(|connection| shelf.probe(connection, probe));
        }
    }

    /// A connection that was asked for a sign of life takes its time.
    pub fn doubt(&mut self, class: &Arc<Class>, id: ConnectionId) {
        let probed = &mut self.shelf(class).probed;
        if let Some(hold) = probed.asked.remove(&id) {
            probed.suspect.insert(id, hold);
        }
    }

    /// It has answered, or is given up. Until it is put somewhere it counts as leased.
    pub fn end_probe(&mut self, connection: &Connection) {
        let (id, shelf) = (connection.id, self.shelf(&connection.upstream.class));
        let asked = shelf.probed.asked.remove(&id);
        let probed = asked.or_else(|| shelf.probed.suspect.remove(&id));
        debug_assert!(probed.is_some(), "{id:?} was not asked");
        shelf.leases.insert(id, connection.hold.clone());
    }

    /// Nobody needs a leased connection now: it becomes idle.
    pub fn rest(&mut self, connection: Connection) {
        let shelf = self.shelf(&connection.upstream.class);
        let was_leased = shelf.leases.remove(connection.id);
        debug_assert!(was_leased, "{:?} was not leased", connection.id);
        let since = connection.idle_since;
        let place = shelf.idle.partition_point(|other| other.idle_since <= since);
        shelf.idle.insert(place, connection);
    }

    /// A leased connection is going to be closed.
    pub fn end(&mut self, connection: &Connection) {
        let was_leased = self.shelf(&connection.upstream.class).leases.remove(connection.id);
        debug_assert!(was_leased, "{:?} was not leased", connection.id);
        self.tidy();
    }

    /// Since when the connection has been idle that has been so for longest.
    pub fn longest_idle(&self) -> Option<Instant> {
        self.shelves.iter().filter_map(|shelf| shelf.idle.first()).map(|idle| idle.idle_since).min()
    }

    /// Takes out the connection that has been idle for longest, of any class.
    pub fn evict_idle(&mut self) -> Option<Connection> {
        let since = |shelf: &Shelf| shelf.idle.first().map(|first| first.idle_since);
        let shelves = self.shelves.iter_mut().filter(|shelf| !shelf.idle.is_empty());
        let oldest = shelves.min_by_key(|shelf| since(shelf))?.idle.remove(0);
        self.tidy();
        Some(oldest)
    }

    /// Adds the idle connections that `ends` says so of to `ended`. It is told how many connections
    /// are open at that moment.
    pub fn sweep(
        &mut self,
        ended: &mut Vec<Connection>,
        mut ends: impl FnMut(&mut Connection, usize) -> bool,
    ) {
        let mut open = self.open();
        for shelf in &mut self.shelves {
            ended.extend(shelf.idle.extract_if(.., |connection| {
                let ends = ends(connection, open);
                open -= usize::from(ends);
                ends
            }));
        }
        self.tidy();
    }

    /// For assertions.
    pub fn classes_with_idle(&self) -> impl Iterator<Item = &Arc<Class>> {
        self.shelves.iter().filter(|shelf| !shelf.idle.is_empty()).map(|shelf| &shelf.class)
    }

    fn find(&self, class: &Arc<Class>) -> Option<&Shelf> {
        self.shelves.iter().find(|shelf| is_same(&shelf.class, class))
    }

    fn shelf(&mut self, class: &Arc<Class>) -> &mut Shelf {
        match self.shelves.iter().position(|shelf| is_same(&shelf.class, class)) {
            Some(index) => &mut self.shelves[index],
            None => self.shelves.push_mut(Shelf::new(class.clone())),
        }
    }

    /// Forgets classes without connections: clients choose their classes freely.
    fn tidy(&mut self) {
        self.shelves.retain(|shelf| shelf.open() > 0);
    }
}
