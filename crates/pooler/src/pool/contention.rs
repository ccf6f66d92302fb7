//! What is done for those who wait about clients that let their connections rest: others are opened in
//! their stead, and when that is not possible any more, the one that has rested for longest has to come
//! back.

use std::sync::Arc;

use tokio::time::Instant;

use super::hold::Held;
use super::holders::Holders;
use super::state::State;
use super::{Actions, Pool};
use crate::waits::{Whose, Witnessed};

impl Pool {
    pub(super) fn is_anybody_waiting(&self) -> bool {
        self.look(State::is_anybody_waiting)
    }

    /// Serves those who wait, as far as connections rest.
    pub(super) fn relieve(self: &Arc<Self>) {
        self.change(|state, actions| {
            if !state.is_anybody_waiting() {
                return;
            }
            state.park();
            self.grow(state, actions, None);
            self.end_contention(state, actions);
        });
    }

    /// Has as many clients give their connections back as others have waited for too long in vain, as
    /// far as that helps: somebody who may have a connection beside those that rest is not kept waiting
    /// by them.
    fn end_contention(&self, state: &mut State, actions: &mut Actions) {
        let Some(before) = self.contended_before() else { return };
        let limits = self.around.limits.now();
        for _ in 0..state.waiting_in_vain(before) {
            let rests_too_long =
                state.connections.longest_parked().is_some_and(|since| since <= before);
            let parked_then =
                state.connections.parked().saturating_sub(1).min(limits.max_parked_connections());
            let helps = state.open() <= limits.max_connection_pool_size + parked_then;
            if !rests_too_long || !helps {
                return;
            }
            actions.wake.extend(state.connections.contend_longest());
        }
    }

    /// Whether somebody has waited for too long, and nothing of the pool's own is on its way.
    pub(super) fn waits_in_vain(&self) -> bool {
        let before = self.contended_before();
        before.is_some_and(|before| self.look(|state| state.waiting_in_vain(before) > 0))
    }

    /// Since when the connection has rested that has done so for longest, if that is too long. Nothing
    /// if one is on its way back already.
    pub(super) fn rests_too_long(&self) -> Option<Instant> {
        let before = self.contended_before()?;
        self.look(|state| {
            state.connections.longest_parked().filter(|_| state.connections.leaving() == 0)
        })
        .filter(|since| *since <= before)
    }

    /// Parks what rests, for those of other pools that wait.
    pub(super) fn park(self: &Arc<Self>) {
        self.change(|state, _| state.park());
    }

    /// The client that lets its connection rest for longest has to give it back.
    pub(super) fn contend_longest(self: &Arc<Self>) {
        self.change(|state, actions| actions.wake.extend(state.connections.contend_longest()));
    }

    /// What has rested, or waited, since then has done so for too long.
    fn contended_before(&self) -> Option<Instant> {
        Instant::now().checked_sub(self.around.limits.now().contended_idle_timeout()?)
    }

    /// Who holds the connections of this pool, and how many wait, a moment ago at most.
    pub fn witness(&self) -> Witnessed {
        self.witnessed.get(|| {
            self.look(|state| {
                let held = state.connections.held().collect();
                let is_full = !state.asks_budget;
                let whose = if is_full { Whose::OwnUsers } else { Whose::Everybodys };
                Witnessed { waiting: state.waiting(), whose, holders: Arc::new(Holders::new(held)) }
            })
        })
    }

    /// Who holds the connections of this pool.
    pub fn held(&self) -> Vec<Held> {
        self.look(|state| state.connections.held().collect())
    }
}
