//! What a pool's lock protects. Everything here is a few steps on lists; nothing waits, and nothing
//! touches a socket except to ask whether it has ended.

use std::sync::Arc;
use std::time::Duration;

use bolt::Failure;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::actions::Actions;
use super::connection::{Connection, ConnectionId};
use super::connections::{Connections, Fitness};
use super::hold::PARKED_AFTER;
use super::login::Login;
use super::members::{MemberId, Members};
use super::queue::{Queue, Waiter};
use super::{COMPLAINT_PAUSE, Reply};
use crate::class::{Class, is_same};
use crate::credential::Credential;
use crate::ids::Ids;
use crate::pool_numbers::PoolNumbers;

#[derive(Debug, Default)]
pub(super) struct State {
    pub connections: Connections,
    queue: Queue,
    login: Login,
    /// Clients that have logged in, whatever they are doing.
    members: Members,
    /// The directory has forgotten this pool. Nobody can join it any more.
    is_closed: bool,
    /// Connections of an earlier epoch are closed instead of used again.
    epoch: u64,
    /// Nothing is opened before that.
    blocked_until: Option<Instant>,
    complained_at: Option<Instant>,
    /// The budget was asked for room, and may not have answered yet.
    pub asks_budget: bool,
    /// The class of the client that came last, for connections that are opened ahead of need.
    newest_class: Option<Arc<Class>>,
    ids: Ids,
}

/// What becomes of a connection that nobody holds.
pub(super) enum Next {
    Hand(Waiter),
    /// Close it and open one of this class instead.
    Convert(Arc<Class>),
    Rest,
}

/// Why a client could not join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinError {
    /// Its user has so many clients already that there may be no more.
    Full,
    /// So many kinds of clients are here already that there may be no other.
    TooManyKinds,
    /// The upstream has refused what the pool logs in with.
    Refused,
    /// The directory has forgotten this pool.
    Closed,
}

/// Connections.
impl State {
    /// Leases an idle connection. Those that turn out to have ended, or should have, are closed; those
    /// that have been silent since `before` are asked for a sign of life.
    pub fn lease_idle(
        &mut self,
        class: &Arc<Class>,
        before: Option<Instant>,
        actions: &mut Actions,
    ) -> Option<Connection> {
        let (now, epoch) = (Instant::now(), self.epoch);
        let lists = (&mut actions.close, &mut actions.probe);
        self.connections.lease_idle(class, lists, |connection| {
            let lives = connection.is_current(epoch)
                && now < connection.upstream.expires
                && connection.upstream.is_quiet();
            match before.is_some_and(|before| connection.alive_at <= before) {
                _ if !lives => Fitness::Ended,
                true => Fitness::Silent,
                false => Fitness::Good,
            }
        })
    }

    /// How many connections there are, those that are being opened included.
    pub fn open(&self) -> usize {
        self.connections.open()
    }

    /// Whether there is a connection that has been opened.
    pub fn has_opened(&self) -> bool {
        self.connections.open() > self.connections.connecting()
    }

    pub fn connecting(&self) -> usize {
        self.connections.connecting()
    }

    pub fn has_idle(&self) -> bool {
        self.connections.has_idle()
    }

    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    pub fn begin_connect(&mut self, class: &Arc<Class>) -> ConnectionId {
        let id = ConnectionId(self.ids.next());
        self.connections.begin_connect(class, id);
        id
    }

    /// A connection was opened. It counts as leased until it is put somewhere.
    pub fn end_connect(&mut self, connection: &Connection) {
        self.connections.end_connect(connection);
    }

    /// A connection could not be opened.
    pub fn give_up_connect(&mut self, class: &Arc<Class>, id: ConnectionId) {
        self.connections.give_up_connect(class, id);
    }

    /// The number of a connection that was opened elsewhere.
    pub fn next_connection(&mut self) -> ConnectionId {
        ConnectionId(self.ids.next())
    }

    /// A connection that was opened elsewhere. It counts as leased until it is put somewhere.
    pub fn enter(&mut self, connection: &Connection) {
        self.connections.enter(connection);
    }

    pub fn rest(&mut self, connection: Connection) {
        self.connections.rest(connection);
    }

    pub fn end(&mut self, connection: &Connection) {
        self.connections.end(connection);
    }

    /// Takes out the connection that has been idle for longest, if that is at least `rest`.
    pub fn evict_idle_for(&mut self, rest: Duration) -> Option<Connection> {
        self.connections.longest_idle().filter(|since| since.elapsed() >= rest)?;
        self.evict_idle()
    }

    pub fn evict_idle(&mut self) -> Option<Connection> {
        self.connections.evict_idle()
    }

    /// See [`Connections::sweep`].
    pub fn sweep(
        &mut self,
        ended: &mut Vec<Connection>,
        ends: impl FnMut(&mut Connection, usize) -> bool,
    ) {
        self.connections.sweep(ended, ends);
    }

    /// Ends all connections: the idle ones now, the others when they are given back.
    pub fn retire(&mut self, ended: &mut Vec<Connection>) {
        self.epoch += 1;
        self.sweep(ended, |_, _| true);
    }
}

/// Connections that rest while a client holds them.
impl State {
    /// Parks what has rested for long enough.
    pub fn park(&mut self) {
        if let Some(before) = Instant::now().checked_sub(PARKED_AFTER) {
            self.connections.park(before);
        }
    }

    /// How many of those who wait, since `before` at least, have no connection coming.
    pub fn waiting_in_vain(&self, before: Instant) -> usize {
        let coming = self.connections.coming() + self.connections.leaving();
        self.queue.waiting_since(before).saturating_sub(coming)
    }
}

/// Turns.
impl State {
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    pub fn is_anybody_waiting(&self) -> bool {
        !self.queue.is_empty()
    }

    /// The class for which somebody has waited longest.
    pub fn first_class_waiting(&self) -> Option<Arc<Class>> {
        self.queue.first_class().cloned()
    }

    /// Returns the number of the place.
    pub fn enqueue(&mut self, class: &Arc<Class>, answer: oneshot::Sender<Reply>) -> u64 {
        let number = self.ids.next();
        self.queue.join(class, number, answer);
        number
    }

    pub fn leave_queue(&mut self, class: &Arc<Class>, number: u64) {
        self.queue.leave(class, number);
    }

    /// Everybody who waits.
    pub fn take_waiters(&mut self) -> Vec<Waiter> {
        self.queue.take_all()
    }

    /// Whose turn it is on a free connection of `class`. The first in the queue goes first; if it
    /// needs another class, others may pass it a few times while connections of its class exist,
    /// because opening a connection for every turn would cost the server more than the wait.
    pub fn next_for(&mut self, class: &Arc<Class>, size_max: usize) -> Next {
        let Some(wanted) = self.queue.first_class().cloned() else { return Next::Rest };
        let convert = !is_same(&wanted, class) && self.may_connect() && {
            let opening = self.connections.coming_of(&wanted);
            opening < self.queue.waiting_of(&wanted)
        };
        let has_none = self.connections.open_of(&wanted) == 0;
        if convert && (has_none || self.queue.overtaken() >= OVERTAKEN_MAX) {
            return self.convert(wanted);
        }
        match self.queue.pop(class) {
            Some(waiter) => Next::Hand(waiter),
            None if convert && self.open() >= size_max => Next::Convert(wanted),
            None => Next::Rest,
        }
    }

    fn convert(&mut self, class: Arc<Class>) -> Next {
        self.queue.forgive_overtaking();
        Next::Convert(class)
    }

    /// Whether there is something to log in with, and no reason to wait.
    pub fn may_connect(&self) -> bool {
        self.login.credential().is_some() && !self.is_blocked()
    }

    /// Whether a connection would be opened if there were room for it.
    pub fn wants_to_grow(&self) -> bool {
        self.is_anybody_waiting() && self.may_connect() && self.uncovered_class().is_some()
    }

    /// The class of the first waiter for whom no connection is being opened yet.
    pub fn uncovered_class(&self) -> Option<Arc<Class>> {
        let connections = &self.connections;
        let coming_of = |class: &Arc<Class>| connections.coming_of(class);
        self.queue.uncovered(connections.coming(), coming_of).cloned()
    }

    /// Why nobody of this class can be served: there is no connection, and nothing to open one
    /// with.
    pub fn hopeless(&self, class: &Arc<Class>) -> Option<Failure> {
        let refusal = self.login.refusal()?;
        (self.connections.open_of(class) == 0).then(|| refusal.clone())
    }

    /// Everybody who waits for a connection of this class.
    pub fn take_waiters_of(&mut self, class: &Arc<Class>) -> Vec<Waiter> {
        self.queue.take_of(|other| is_same(other, class))
    }

    /// How many connections of a class there are, those that are being opened included.
    pub fn open_of(&self, class: &Arc<Class>) -> usize {
        self.connections.open_of(class)
    }

    /// Those who wait and can't be served, each with the reason.
    pub fn take_hopeless(&mut self) -> Vec<(Waiter, Reply)> {
        let Some(why) = self.login.refusal() else { return Vec::new() };
        let connections = &self.connections;
        let waiters = self.queue.take_of(|class| connections.open_of(class) == 0);
        waiters.into_iter().map(|waiter| (waiter, Reply::Refused(why.clone()))).collect()
    }
}

/// Opening connections.
impl State {
    pub fn credential(&self) -> Option<&Arc<Credential>> {
        self.login.credential()
    }

    pub fn is_refused(&self) -> bool {
        self.login.refusal().is_some()
    }

    pub fn is_proven(&self) -> bool {
        self.login.is_proven()
    }

    pub fn doubt_credential(&mut self) {
        self.login.doubt();
    }

    pub fn refuse_if_current(&mut self, credential: &Credential, why: Failure) {
        self.login.refuse_if_current(credential, why);
    }

    /// This credential has just worked.
    pub fn prove(&mut self, credential: Arc<Credential>) {
        self.login.prove(credential);
        self.blocked_until = None;
    }

    pub fn is_blocked(&self) -> bool {
        self.blocked_until.is_some_and(|until| Instant::now() < until)
    }

    pub fn block_until(&mut self, until: Option<Instant>) {
        self.blocked_until = until;
    }

    /// Which class to open a connection of, if there are clients and fewer connections than
    /// `size_min`.
    pub fn class_below(&self, size_min: usize) -> Option<Arc<Class>> {
        self.newest_class.clone().filter(|_| self.has_members() && self.open() < size_min)
    }
}

/// Clients.
impl State {
    /// A client more. What it has logged in with serves to open connections if there was nothing yet.
    pub fn join(
        &mut self,
        class: &Arc<Class>,
        credential: &Arc<Credential>,
    ) -> Result<MemberId, JoinError> {
        if self.is_closed {
            return Err(JoinError::Closed);
        }
        if self.is_refused() {
            return Err(JoinError::Refused);
        }
        self.login.suggest(credential);
        let id = self.members.join(class).ok_or(JoinError::TooManyKinds)?;
        self.newest_class = Some(class.clone());
        Ok(id)
    }

    pub fn left(&mut self, member: MemberId) {
        self.members.left(member);
    }

    pub fn has_members(&self) -> bool {
        !self.members.is_empty()
    }

    /// Closes the pool if it has neither clients nor connections. Whoever finds it closed takes
    /// another one.
    pub fn close_if_unused(&mut self) -> bool {
        self.is_closed |= self.members.is_empty() && self.open() == 0;
        self.is_closed
    }

    pub fn is_closed(&self) -> bool {
        self.is_closed
    }

    /// Whether it is time to complain again.
    pub fn complaint_is_due(&mut self) -> bool {
        let is_due = self.complained_at.is_none_or(|since| since.elapsed() >= COMPLAINT_PAUSE);
        if is_due {
            self.complained_at = Some(Instant::now());
        }
        is_due
    }

    pub fn numbers(&self) -> PoolNumbers {
        PoolNumbers {
            clients: self.members.len(),
            cl_waiting: self.queue.len(),
            sv_active: self.connections.leased() - self.connections.parked(),
            sv_parked: self.connections.parked(),
            sv_idle: self.connections.unused(),
            sv_login: self.connections.connecting(),
            maxwait: self.queue.first_since().map(|since| since.elapsed()).unwrap_or_default(),
        }
    }

    /// Nobody waits for what lies idle, and the queue is in order; for assertions.
    pub fn is_sound(&self) -> bool {
        let mut with_idle = self.connections.classes_with_idle();
        with_idle.all(|class| self.queue.waiting_of(class) == 0) && self.queue.is_sound()
    }
}

/// How often the first in the queue may be passed by others before a connection is converted.
const OVERTAKEN_MAX: usize = 32;
