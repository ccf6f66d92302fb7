//! The pooler's locks and the order in which they may be taken. Two threads that take the same two
//! locks in different orders can wait for each other for ever, so a debug build stops at the first
//! lock that is taken out of order. A release build checks nothing and stores nothing for it.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use order::{Held, Place};

/// Every lock of the pooler, the outermost first. A thread that holds one of them may take only those
/// that come after it in this list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// One reading of the metrics at a time.
    Scrape,
    /// The tasks that serve clients.
    Sessions,
    /// What somebody has seen of all pools who waits.
    AllWitnessed,
    /// Who is known, and which credentials are being checked.
    Directory,
    /// Failed logins by name.
    Tries,
    /// How many clients each user has.
    Users,
    /// What somebody has seen of one pool who waits.
    Witnessed,
    /// The connections and the queue of one pool. No thread holds two pools.
    Pool,
    /// Who may open connections within the limit over all pools.
    Budget,
    /// Who holds one connection.
    Hold,
    /// What is known of the upstream server.
    Server,
    /// The upstream's addresses.
    Addresses,
    /// The classes of connections that exist.
    Classes,
    /// The list of all clients.
    Clients,
    /// The applications that are told apart.
    Applications,
    /// Long waits.
    Waits,
    /// One client's user name.
    ClientUser,
    /// How one client's task is woken.
    ClientWaker,
    /// The address that clients are told.
    AdvertisedAddress,
    /// The certificate that clients are shown.
    Tls,
    /// The limits that hold now. They are read everywhere, so this one comes last.
    Limits,
}

/// A lock of the standard library with its place in the order.
///
/// A thread that panics while it holds a lock poisons it. Here that is ignored unless somebody
/// says how to mend what was left behind ([`Ranked::lock_or_mend`]).
#[derive(Debug)]
pub(crate) struct Ranked<L> {
    place: Place,
    lock: L,
}

impl<T> Ranked<Mutex<T>> {
    pub fn mutex(rank: Rank, value: T) -> Self {
        Self { place: Place::new(rank), lock: Mutex::new(value) }
    }

    pub fn lock(&self) -> Guard<MutexGuard<'_, T>> {
        let held = self.place.enter();
        Guard { guard: self.lock.lock().unwrap_or_else(PoisonError::into_inner), _held: held }
    }

    /// As [`Self::lock`]. If a thread has panicked while it held the lock, `mend` is called once.
    pub fn lock_or_mend(&self, mend: impl FnOnce(&mut T)) -> Guard<MutexGuard<'_, T>> {
        let held = self.place.enter();
        let guard = self.lock.lock().unwrap_or_else(|poisoned| {
            self.lock.clear_poison();
            let mut guard = poisoned.into_inner();
            mend(&mut guard);
            guard
        });
        Guard { guard, _held: held }
    }
}

impl<T> Ranked<RwLock<T>> {
    pub fn rw_lock(rank: Rank, value: T) -> Self {
        Self { place: Place::new(rank), lock: RwLock::new(value) }
    }

    pub fn read(&self) -> Guard<RwLockReadGuard<'_, T>> {
        let held = self.place.enter();
        Guard { guard: self.lock.read().unwrap_or_else(PoisonError::into_inner), _held: held }
    }

    pub fn write(&self) -> Guard<RwLockWriteGuard<'_, T>> {
        let held = self.place.enter();
        Guard { guard: self.lock.write().unwrap_or_else(PoisonError::into_inner), _held: held }
    }
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub(crate) struct Guard<G> {
    guard: G,
    _held: Held,
}

impl<G: Deref> Deref for Guard<G> {
    type Target = G::Target;

    fn deref(&self) -> &G::Target {
        &self.guard
    }
}

impl<G: DerefMut> DerefMut for Guard<G> {
    fn deref_mut(&mut self) -> &mut G::Target {
        &mut self.guard
    }
}

#[cfg(debug_assertions)]
mod order {
    use std::cell::RefCell;
    use std::marker::PhantomData;

    use super::Rank;

    thread_local! {
        /// What this thread holds, in the order in which it was taken.
        static HELD: RefCell<Vec<Rank>> = const { RefCell::new(Vec::new()) };
    }

    #[derive(Debug)]
    pub(super) struct Place(Rank);

    /// Not [`Send`], as what it stands for belongs to one thread.
    #[derive(Debug)]
    pub(super) struct Held(Rank, PhantomData<*const ()>);

    impl Place {
        pub fn new(rank: Rank) -> Self {
            Self(rank)
        }

        /// # Panics
        /// If this thread holds this lock or one that comes after it.
        pub fn enter(&self) -> Held {
            let wanted = self.0;
            // The list is gone only while the thread itself is ending.
            let blocking = HELD.try_with(|held| {
                let mut held = held.borrow_mut();
                let blocking = held.iter().copied().find(|other| *other >= wanted);
                if blocking.is_none() {
                    held.push(wanted);
                }
                blocking
            });
            if let Ok(Some(other)) = blocking {
                panic!("the lock {wanted:?} must not be taken while {other:?} is held");
            }
            Held(wanted, PhantomData)
        }
    }

    impl Drop for Held {
        fn drop(&mut self) {
            let _ = HELD.try_with(|held| held.borrow_mut().retain(|rank| *rank != self.0));
        }
    }
}

#[cfg(not(debug_assertions))]
mod order {
    use super::Rank;

    #[derive(Debug)]
    pub(super) struct Place;

    #[derive(Debug)]
    pub(super) struct Held;

    impl Place {
        pub fn new(_: Rank) -> Self {
            Self
        }

        pub fn enter(&self) -> Held {
            Held
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_are_taken_in_order_and_can_be_taken_again() {
        let pool = Ranked::mutex(Rank::Pool, 1);
        let limits = Ranked::rw_lock(Rank::Limits, 2);
        for _ in 0..2 {
            let mut held = pool.lock();
            *held += *limits.read();
            *limits.write() = *held;
        }
        assert_eq!(*pool.lock(), 6);
        // Given back in another order than they were taken.
        let (first, second) = (pool.lock(), limits.read());
        drop(first);
        drop(second);
        drop(pool.lock());
    }

    #[cfg(debug_assertions)]
    #[test]
    fn a_lock_out_of_order_is_noticed_and_leaves_nothing_behind() {
        let attempt = || {
            let budget = Ranked::mutex(Rank::Budget, ());
            let pool = Ranked::mutex(Rank::Pool, ());
            let _budget = budget.lock();
            let _pool = pool.lock();
        };
        let caught = std::panic::catch_unwind(attempt).expect_err("the order was wrong");
        let message = caught.downcast_ref::<String>().map(String::as_str).unwrap_or_default();
        assert_eq!(message, "the lock Pool must not be taken while Budget is held");
        // Nothing counts as held any more.
        drop(Ranked::mutex(Rank::Scrape, ()).lock());
    }

    #[cfg(debug_assertions)]
    #[test]
    #[should_panic(expected = "the lock Pool must not be taken while Pool is held")]
    fn two_pools_are_never_held_at_once() {
        let (one, other) = (Ranked::mutex(Rank::Pool, ()), Ranked::mutex(Rank::Pool, ()));
        let _one = one.lock();
        let _other = other.lock();
    }

    #[test]
    fn what_a_panic_has_left_behind_is_mended_once() {
        let numbers = Ranked::mutex(Rank::Pool, vec![1]);
        let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            numbers.lock().push(2);
            let _held = numbers.lock();
            panic!("on purpose");
        }));
        assert!(broken.is_err());
        assert!(numbers.lock_or_mend(Vec::clear).is_empty());
        numbers.lock().push(3);
        assert_eq!(*numbers.lock_or_mend(Vec::clear), [3]);
    }
}
