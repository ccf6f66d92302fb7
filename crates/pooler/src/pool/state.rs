//! What a pool's lock protects. Everything here is a few steps on lists; nothing waits, and nothing
//! touches a socket except to ask whether it has ended.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bolt::Failure;
use bolt::message::Auth;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{AcquireError, Connection, Lease, PoolNumbers, Upstream};
use crate::class::Class;

#[derive(Debug, Default)]
pub(super) struct State {
    slots: Vec<Slot>,
    /// In the order in which they came.
    pub waiters: VecDeque<Waiter>,
    next_id: u64,
    /// Connections, those that are being opened included.
    pub open: usize,
    pub leased: usize,
    pub connecting: usize,
    pub clients: usize,
    /// What new connections log in with; `None` once the upstream has refused it.
    pub credential: Option<Arc<Auth>>,
    refusal: Option<Failure>,
    /// When it last worked.
    pub proven_at: Option<Instant>,
    /// Connections of an earlier epoch are closed instead of used again.
    pub epoch: u64,
    pub complained_at: Option<Instant>,
    /// No growth before.
    pub blocked_until: Option<Instant>,
    /// How often somebody of another class was served before the first in the queue.
    overtaken: usize,
    /// The class of the client that came last, for connections that are opened ahead of need.
    newest_class: Option<Arc<Class>>,
}

#[derive(Debug)]
struct Slot {
    class: Arc<Class>,
    /// The one used last at the end: it is the next to be used, so that the others can age out.
    idle: Vec<Connection>,
    waiting: usize,
    /// Idle, leased or being opened.
    open: usize,
    connecting: usize,
}

#[derive(Debug)]
pub(super) struct Waiter {
    id: u64,
    pub class: Arc<Class>,
    since: Instant,
    pub answer: oneshot::Sender<Result<Lease, AcquireError>>,
}

/// What becomes of a connection that nobody holds.
pub(super) enum Next {
    Hand(Waiter),
    /// Close it and open one of this class instead.
    Convert(Arc<Class>),
    Rest,
}

impl State {
    /// An idle connection, unless somebody waits for one of this class already. Those that turn out
    /// to have ended are moved to `dead`.
    pub fn take_idle(
        &mut self,
        class: &Arc<Class>,
        dead: &mut Vec<Connection>,
    ) -> Option<Connection> {
        let (now, epoch) = (Instant::now(), self.epoch);
        let slot = self.slots.iter_mut().find(|slot| is_same(&slot.class, class))?;
        if slot.waiting > 0 {
            return None;
        }
        while let Some(mut upstream) = slot.idle.pop() {
            if upstream.epoch == epoch && now < upstream.expires && upstream.is_quiet() {
                self.leased += 1;
                return Some(upstream);
            }
            slot.open -= 1;
            self.open -= 1;
            dead.push(upstream);
        }
        None
    }

    pub fn enqueue(
        &mut self,
        class: &Arc<Class>,
        answer: oneshot::Sender<Result<Lease, AcquireError>>,
    ) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.slot(class).waiting += 1;
        self.waiters.push_back(Waiter { id, class: class.clone(), since: Instant::now(), answer });
        id
    }

    /// Takes somebody out of the queue who may have been served already.
    pub fn give_up(&mut self, id: u64, class: &Arc<Class>) {
        if let Ok(index) = self.waiters.binary_search_by_key(&id, |waiter| waiter.id) {
            self.waiters.remove(index);
            self.slot(class).waiting -= 1;
            self.tidy();
        }
    }

    /// Everybody who waits.
    pub fn take_waiters(&mut self) -> Vec<Waiter> {
        self.slots.iter_mut().for_each(|slot| slot.waiting = 0);
        self.overtaken = 0;
        let waiters = self.waiters.drain(..).collect();
        self.tidy();
        waiters
    }

    /// Whose turn it is on a free connection of `class`. The first in the queue goes first; if it
    /// needs another class, others may pass it a few times while connections of its class exist,
    /// because opening a connection for every turn would cost the server more than the wait.
    pub fn next_for(&mut self, class: &Arc<Class>, size_max: usize) -> Next {
        let Some(first) = self.waiters.front() else { return Next::Rest };
        if is_same(&first.class, class) {
            self.overtaken = 0;
            return self.pop_waiter(0);
        }
        let wanted = first.class.clone();
        let may_connect = self.credential.is_some() && !self.is_blocked();
        let slot = self.slot(&wanted);
        let (has_none, has_enough) = (slot.open == 0, slot.connecting >= slot.waiting);
        let can_convert = may_connect && !has_enough;
        if can_convert && (has_none || self.overtaken >= OVERTAKEN_MAX) {
            self.overtaken = 0;
            return Next::Convert(wanted);
        }
        match self.waiters.iter().position(|waiter| is_same(&waiter.class, class)) {
            Some(index) => {
                self.overtaken += 1;
                self.pop_waiter(index)
            }
            None if can_convert && self.open >= size_max => Next::Convert(wanted),
            None => Next::Rest,
        }
    }

    fn pop_waiter(&mut self, index: usize) -> Next {
        match self.waiters.remove(index) {
            Some(waiter) => {
                self.slot(&waiter.class).waiting -= 1;
                Next::Hand(waiter)
            }
            None => Next::Rest,
        }
    }

    /// The class of the first waiter for whom no connection is being opened yet.
    pub fn uncovered_class(&mut self) -> Option<Arc<Class>> {
        if self.waiters.len() <= self.connecting {
            return None;
        }
        let mut covered: Vec<(Arc<Class>, usize)> = Vec::new();
        for waiter in self.waiters.iter().take(self.connecting + 1) {
            let wanted = match covered.iter_mut().find(|(class, _)| is_same(class, &waiter.class)) {
                Some((_, wanted)) => wanted,
                None => &mut covered.push_mut((waiter.class.clone(), 0)).1,
            };
            *wanted += 1;
        }
        covered
            .into_iter()
            .find(|(class, wanted)| *wanted > self.connecting_of(class))
            .map(|(class, _)| class)
    }

    fn connecting_of(&self, class: &Arc<Class>) -> usize {
        let slot = self.slots.iter().find(|slot| is_same(&slot.class, class));
        slot.map_or(0, |slot| slot.connecting)
    }

    pub fn has_idle(&self) -> bool {
        self.slots.iter().any(|slot| !slot.idle.is_empty())
    }

    /// The connection that has been idle for longest, of any class.
    pub fn evict_idle(&mut self) -> Option<Connection> {
        let slot = self
            .slots
            .iter_mut()
            .filter(|slot| !slot.idle.is_empty())
            .min_by_key(|slot| slot.idle.first().map(|upstream| upstream.idle_since))?;
        let upstream = slot.idle.remove(0);
        slot.open -= 1;
        self.open -= 1;
        Some(upstream)
    }

    /// Moves idle connections for which `ends` says so to `ended`.
    pub fn sweep(
        &mut self,
        ended: &mut Vec<Connection>,
        mut ends: impl FnMut(&mut Upstream, usize) -> bool,
    ) {
        for slot in &mut self.slots {
            let mut index = 0;
            while index < slot.idle.len() {
                if ends(&mut slot.idle[index], self.open) {
                    ended.push(slot.idle.remove(index));
                    slot.open -= 1;
                    self.open -= 1;
                } else {
                    index += 1;
                }
            }
        }
        self.tidy();
    }

    pub fn retire(&mut self, ended: &mut Vec<Connection>) {
        self.epoch += 1;
        self.sweep(ended, |_, _| true);
    }

    pub fn rest(&mut self, upstream: Box<Upstream>) {
        let class = upstream.class.clone();
        self.slot(&class).idle.push(upstream);
    }

    pub fn entered(&mut self, class: &Arc<Class>) {
        self.open += 1;
        self.slot(class).open += 1;
    }

    pub fn begin_connect(&mut self, class: &Arc<Class>) {
        self.entered(class);
        self.connecting += 1;
        self.slot(class).connecting += 1;
    }

    /// The attempt is over; whether the connection counts on is said by [`State::left`].
    pub fn end_connect(&mut self, class: &Arc<Class>) {
        self.connecting -= 1;
        self.slot(class).connecting -= 1;
    }

    /// A connection of this class has ended or could not be opened.
    pub fn left(&mut self, class: &Arc<Class>) {
        self.open -= 1;
        self.slot(class).open -= 1;
        self.tidy();
    }

    /// The upstream does not take the credential any more; clients have to bring another one.
    pub fn refuse(&mut self, why: Failure) {
        self.credential = None;
        self.refusal = Some(why);
    }

    /// Why nobody of this class can be served: there is no connection, and nothing to open one
    /// with.
    pub fn hopeless(&self, class: &Arc<Class>) -> Option<Failure> {
        let has_some = self.slots.iter().any(|slot| is_same(&slot.class, class) && slot.open > 0);
        self.refusal.clone().filter(|_| !has_some && self.credential.is_none())
    }

    /// Those who wait and can't be served, with the reason.
    pub fn take_hopeless(&mut self) -> Vec<(Waiter, AcquireError)> {
        let mut refused = Vec::new();
        let mut index = 0;
        while let Some(waiter) = self.waiters.get(index) {
            let class = waiter.class.clone();
            let Some(why) = self.hopeless(&class) else {
                index += 1;
                continue;
            };
            if let Some(waiter) = self.waiters.remove(index) {
                self.slot(&class).waiting -= 1;
                refused.push((waiter, AcquireError::Refused(why)));
            }
        }
        self.tidy();
        refused
    }

    /// This credential has just worked.
    pub fn prove(&mut self, credential: Arc<Auth>) {
        self.credential = Some(credential);
        self.refusal = None;
        self.blocked_until = None;
        self.proven_at = Some(Instant::now());
    }

    pub fn is_proven(&self) -> bool {
        self.proven_at.is_some_and(|since| since.elapsed() < PROOF_TTL)
    }

    pub fn is_blocked(&self) -> bool {
        self.blocked_until.is_some_and(|until| Instant::now() < until)
    }

    pub fn joined(&mut self, class: &Arc<Class>) {
        self.clients += 1;
        self.newest_class = Some(class.clone());
    }

    /// The class of a connection that is missing to `size_min`.
    pub fn class_below(&self, size_min: usize) -> Option<Arc<Class>> {
        self.newest_class.clone().filter(|_| self.clients > 0 && self.open < size_min)
    }

    pub fn numbers(&self) -> PoolNumbers {
        PoolNumbers {
            clients: self.clients,
            cl_waiting: self.waiters.len(),
            sv_active: self.leased,
            sv_idle: self.slots.iter().map(|slot| slot.idle.len()).sum(),
            sv_login: self.connecting,
            maxwait: self.waiters.front().map(|first| first.since.elapsed()).unwrap_or_default(),
        }
    }

    fn slot(&mut self, class: &Arc<Class>) -> &mut Slot {
        let index = match self.slots.iter().position(|slot| is_same(&slot.class, class)) {
            Some(index) => index,
            None => {
                let class = class.clone();
                self.slots.push(Slot {
                    class,
                    idle: Vec::new(),
                    waiting: 0,
                    open: 0,
                    connecting: 0,
                });
                self.slots.len() - 1
            }
        };
        &mut self.slots[index]
    }

    /// Classes that nobody uses are forgotten: clients choose them freely.
    fn tidy(&mut self) {
        self.slots.retain(|slot| slot.open > 0 || slot.waiting > 0);
    }
}

fn is_same(a: &Arc<Class>, b: &Arc<Class>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

/// How often the first in the queue may be passed by others before a connection is converted.
const OVERTAKEN_MAX: usize = 32;
/// For how long a credential that has worked is believed to work still.
const PROOF_TTL: Duration = Duration::from_secs(5);
