//! What was decided while a pool's lock was held and has to be done after that: sockets are closed,
//! connections opened and clients woken only when nobody has to wait for it.

use std::sync::Arc;
use std::task::Waker;

use super::budget::Claim;
use super::connection::{Connection, ConnectionId};
use super::growth::Plan;
use super::queue::Waiter;
use super::{Lease, Permit, Pool, Reply};
use crate::class::Class;
use crate::server::Upstream;

#[derive(Debug, Default)]
pub(super) struct Actions {
    pub close: Vec<Connection>,
    /// Upstreams whose permits have gone to other connections.
    replaced: Vec<Upstream>,
    connect: Vec<Plan>,
    /// Permits that go to other pools.
    given: Vec<(Permit, (Claim, Arc<Pool>))>,
    pub refuse: Vec<(Waiter, Reply)>,
    /// Connections that are asked for a sign of life.
    pub probe: Vec<Connection>,
    /// Units of work that have to give their connections back.
    pub wake: Vec<Waker>,
    /// At most one: every change puts at most one connection somewhere.
    hand: Option<(Waiter, Connection)>,
}

impl Actions {
    pub fn connect(&mut self, id: ConnectionId, class: Arc<Class>, permit: Permit) {
        self.connect.push(Plan { id, class, permit });
    }

    /// Closes a connection so that another one can be opened with its permit.
    pub fn replace(&mut self, connection: Connection) -> Permit {
        let (upstream, permit) = connection.into_parts();
        self.replaced.push(upstream);
        permit
    }

    /// Closes a connection so that another pool can open one in its place.
    pub fn give(&mut self, connection: Connection, claimant: (Claim, Arc<Pool>)) {
        let permit = self.replace(connection);
        self.given.push((permit, claimant));
    }

    pub fn hand(&mut self, waiter: Waiter, connection: Connection) {
        debug_assert!(self.hand.is_none(), "one change puts one connection somewhere");
        self.hand = Some((waiter, connection));
    }

    pub fn carry_out(self, pool: &Arc<Pool>) {
        let Self { close, replaced, connect, given, refuse, probe, wake, hand } = self;
        if let Some((waiter, connection)) = hand {
            let lease = Lease::new(pool.clone(), connection);
            // If the waiter has gone meanwhile, the lease comes back and serves the next one.
            if let Err(Reply::Ready(lease)) = waiter.answer.send(Reply::Ready(lease)) {
                lease.give_back();
            }
        }
        close.into_iter().for_each(Connection::close);
        for upstream in replaced {
            upstream.close();
        }
        for (permit, (claim, claimant)) in given {
            permit.give_to(&claim, &claimant);
        }
        for (waiter, answer) in refuse {
            let _ = waiter.answer.send(answer);
        }
        for connection in probe {
            tokio::spawn(pool.clone().probe(connection));
        }
        wake.into_iter().for_each(Waker::wake);
        for plan in connect {
            tokio::spawn(pool.clone().connect(plan));
        }
    }
}
