//! The limit over the pools of all principals. A pool that finds it exhausted asks, and is served when
//! a connection ends or another pool gives one up. Who has none goes first; what each has now counts,
//! and a pool that needs nothing any more is not served.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::{Pool, PoolId, UserId};
use crate::ids::Ids;
use crate::limits::CurrentLimits;
use crate::locks::{Rank, Ranked};

#[derive(Debug)]
pub(crate) struct Budget {
    limits: CurrentLimits,
    state: Ranked<Mutex<Permits>>,
    /// Whether some pool asks, to be read without the lock.
    is_wanted: AtomicBool,
    /// Something happened that may serve a pool.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Permits {
    /// The permits that exist, each with the pool that has it and its user: so many connections are
    /// open.
    granted: HashMap<u64, (PoolId, UserId)>,
    ids: Ids,
    /// Pools that want to grow, the first to ask in front.
    asking: VecDeque<Asker>,
}

/// Who wants to open a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub pool: PoolId,
    pub user: UserId,
    /// How many its user may have, in whatever pools.
    pub allowed: usize,
}

/// A pool that waits until it may.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    claim: Claim,
    pool: Weak<Pool>,
}

/// The right to have one upstream connection open, given up when dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    id: u64,
    budget: Arc<Budget>,
}

impl Permits {
    /// How many connections a pool has.
    fn share(&self, pool: PoolId) -> usize {
        self.granted.values().filter(|(holder, _)| *holder == pool).count()
    }

    /// Whether the user of a pool has fewer connections than it may have.
    fn is_within_limit(&self, claim: &Claim) -> bool {
        let has = self.granted.values().filter(|(_, user)| *user == claim.user).count();
        has < claim.allowed
    }

    fn grant(&mut self, claim: &Claim, budget: &Arc<Budget>) -> Permit {
        let id = self.ids.next();
        self.granted.insert(id, (claim.pool, claim.user));
        Permit { id, budget: budget.clone() }
    }

    /// Takes out the pool whose turn it is among those that `may_have` one: the first that has none,
    /// or else the first.
    fn next(&mut self, mut may_have: impl FnMut(&Self, &Claim, usize) -> bool) -> Option<Asker> {
        let asking = self.asking.iter().map(|asker| (asker.claim, self.share(asker.claim.pool)));
        let mut eligible =
            asking.enumerate().filter(|(_, (claim, share))| may_have(self, claim, *share));
        let first = eligible.next()?;
        let has_none = |(_, (_, share)): &(usize, (Claim, usize))| *share == 0;
        let place =
            if has_none(&first) { first.0 } else { eligible.find(has_none).unwrap_or(first).0 };
        self.asking.remove(place)
    }
}

/// Whether somebody with `open` connections has one too many beside somebody who asks and has `share`:
/// that one has none at all, or would still not have more after the exchange.
fn yields(open: usize, share: usize) -> bool {
    share == 0 || open > share + 1
}

impl Budget {
    pub fn new(limits: CurrentLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            state: Ranked::mutex(Rank::Budget, Permits::default()),
            is_wanted: AtomicBool::new(false),
            changed: Notify::new(),
        })
    }

    /// The one door to the state, so that `is_wanted` always says what the state says.
    fn change<T>(&self, change: impl FnOnce(&mut Permits) -> T) -> T {
        let mut state = self.state.lock();
        let changed = change(&mut state);
        self.is_wanted.store(!state.asking.is_empty(), Ordering::Relaxed);
        changed
    }

    fn is_wanted(&self) -> bool {
        self.is_wanted.load(Ordering::Relaxed)
    }

    /// A permit, if there is one that nobody has asked for who may have it.
    pub(super) fn take(self: &Arc<Self>, claim: &Claim) -> Option<Permit> {
        self.change(|state| {
            let is_free = state.granted.len() < self.limit()
                && state.is_within_limit(claim)
                && !state.asking.iter().any(|asker| state.is_within_limit(&asker.claim));
            is_free.then(|| state.grant(claim, self))
        })
    }

    /// Puts a pool in the queue, once. Pools that wait ask again with every connection that they are
    /// given back: only what is new about it is looked at.
    pub(super) fn ask(&self, claim: Claim, pool: &Arc<Pool>) {
        self.change(|state| {
            let known = state.asking.iter_mut().find(|other| other.claim.pool == claim.pool);
            let allowed_before = known.as_ref().map(|known| known.claim.allowed);
            match known {
                Some(known) => known.claim = claim,
                None => state.asking.push_back(Asker { claim, pool: Arc::downgrade(pool) }),
            }
            if allowed_before.is_none_or(|before| claim.allowed > before) {
                self.changed.notify_one();
            }
        });
    }

    /// A pool needs nothing any more.
    pub fn withdraw(&self, pool: PoolId) {
        self.change(|state| state.asking.retain(|asker| asker.claim.pool != pool));
    }

    /// The pool that is to have the connection that this one has just been given back, if one asks
    /// that has a better right to it.
    pub(super) fn claimant(&self, giver: &Pool) -> Option<(Claim, Arc<Pool>)> {
        if !self.is_wanted() {
            return None;
        }
        self.change(|state| {
            let open = state.share(giver.id);
            let asker = state.next(|state, claim, share| {
                let may_have = claim.user == giver.user || state.is_within_limit(claim);
                claim.pool != giver.id && may_have && yields(open, share)
            })?;
            Some((asker.claim, asker.pool.upgrade()?))
        })
    }

    /// The limit may have changed: whoever waits for room is looked at again.
    pub fn limit_changed(&self) {
        self.changed.notify_one();
    }

    /// Serves pools that ask, for ever. `others` are asked to let an idle connection go.
    pub async fn serve(self: &Arc<Self>, others: impl Fn() -> Vec<Arc<Pool>>) {
        loop {
            if self.is_wanted() {
                // Idle connections come to be at rest for long by themselves.
                let _ = timeout(LOOK_AGAIN, self.changed.notified()).await;
            } else {
                self.changed.notified().await;
            }
            while let Some((pool, permit)) = self.next_free() {
                pool.grow_with(permit);
            }
            if self.is_wanted() {
                let pools = others();
                self.collect_idle(&pools);
                self.end_contention(&pools);
            }
        }
    }

    /// The pool that may grow now, if there is room. Pools that have gone meanwhile are passed over.
    fn next_free(self: &Arc<Self>) -> Option<(Arc<Pool>, Permit)> {
        self.change(|state| {
            while state.granted.len() < self.limit() {
                let asker = state.next(|state, claim, _| state.is_within_limit(claim))?;
                if let Some(pool) = asker.pool.upgrade() {
                    return Some((pool, state.grant(&asker.claim, self)));
                }
            }
            None
        })
    }

    /// Takes idle connections from those who can do without, for those who ask.
    fn collect_idle(self: &Arc<Self>, pools: &[Arc<Pool>]) {
        let asking: Vec<_> = self.change(|state| state.asking.iter().cloned().collect());
        for Asker { claim, pool } in asking.iter().take(ASKERS_MAX) {
            let Some(pool) = pool.upgrade() else {
                self.withdraw(claim.pool);
                continue;
            };
            if let Some(permit) = self.idle_permit(claim, pools) {
                self.withdraw(claim.pool);
                permit.give_to(claim, &pool);
            }
        }
    }

    /// The permit of an idle connection that somebody else can do without, who has the most of them
    /// first.
    fn idle_permit(&self, claim: &Claim, pools: &[Arc<Pool>]) -> Option<Permit> {
        let (share, mut others) = self.givers(claim, pools);
        others.sort_by_key(|(open, _)| std::cmp::Reverse(*open));
        others.into_iter().find_map(|(open, other)| {
            // What has been idle for a while is of no use to anybody who has it.
            let rest = if yields(open, share) { Duration::ZERO } else { LONG_REST };
            other.give_up_idle(rest)
        })
    }

    /// How many connections a pool has, and the others that could give it one, with how many they have.
    /// Whoever has as many as his name may have gets none from other users.
    fn givers<'a>(
        &self,
        claim: &Claim,
        pools: &'a [Arc<Pool>],
    ) -> (usize, Vec<(usize, &'a Arc<Pool>)>) {
        self.change(|state| {
            let is_within_limit = state.is_within_limit(claim);
            let others = pools.iter().filter(|other| {
                other.id != claim.pool && (is_within_limit || other.user == claim.user)
            });
            let others = others.map(|other| (state.share(other.id), other));
            (state.share(claim.pool), others.filter(|(open, _)| *open > 0).collect())
        })
    }

    /// Has a client give its connection back that lets it rest, for a pool that has waited for too long:
    /// the longest of those who have more connections than that pool. One at a time.
    fn end_contention(&self, pools: &[Arc<Pool>]) {
        let asking: Vec<_> = self.change(|state| state.asking.iter().cloned().collect());
        let in_vain =
            |asker: &&Asker| asker.pool.upgrade().is_some_and(|pool| pool.waits_in_vain());
        let Some(asker) = asking.iter().find(in_vain) else { return };
        let (share, others) = self.givers(&asker.claim, pools);
        let others = others.into_iter().filter(|(open, _)| yields(*open, share));
        let longest = others.filter_map(|(_, other)| {
            other.park();
            Some((other.rests_too_long()?, other))
        });
        if let Some((_, pool)) = longest.min_by_key(|(since, _)| *since) {
            pool.contend_longest();
        }
    }

    fn limit(&self) -> usize {
        match self.limits.now().max_upstream_connections {
            0 => usize::MAX,
            limit => limit,
        }
    }
}

impl Permit {
    /// Another pool may open a connection with it, unless there are too many altogether since the
    /// limit was lowered. The connection that it was for is closed.
    pub(super) fn give_to(self, claim: &Claim, pool: &Arc<Pool>) {
        let budget = self.budget.clone();
        let is_given = budget.change(|state| {
            let has_room = state.granted.len() <= budget.limit();
            if has_room {
                state.granted.insert(self.id, (claim.pool, claim.user));
            }
            has_room
        });
        match is_given {
            true => pool.grow_with(self),
            false => budget.ask(*claim, pool),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.change(|state| state.granted.remove(&self.id));
        if self.budget.is_wanted() {
            self.budget.changed.notify_one();
        }
    }
}

/// How long an idle connection rests before others may have it although they have as many.
const LONG_REST: Duration = Duration::from_secs(1);
/// How often pools that still ask are looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// So many pools are served with idle connections of others before anything else is looked at.
const ASKERS_MAX: usize = 64;
