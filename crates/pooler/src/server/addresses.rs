//! The addresses behind the upstream's name, as they were last found: in which order they are tried, and
//! which are gone.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

#[derive(Debug, Default)]
pub(super) struct Addresses {
    listed: Vec<Listed>,
    /// The one that was last reached.
    preferred: Option<SocketAddr>,
    /// When somebody last looked the name up, or began to.
    asked_at: Option<Instant>,
    /// Grows whenever an address comes or goes.
    generation: u64,
}

#[derive(Debug)]
struct Listed {
    address: SocketAddr,
    /// How many times in a row the name has been looked up without it.
    missed: usize,
}

impl Addresses {
    /// In the order in which they are to be tried: the one that was last reached, if it is still there,
    /// then in the resolver's order. Empty if nothing is known.
    pub fn to_try(&self) -> Vec<SocketAddr> {
        let current = || self.listed.iter().filter(|listed| listed.missed == 0);
        let is_preferred = |listed: &&Listed| Some(listed.address) == self.preferred;
        let others = current().filter(|listed| !is_preferred(listed));
        current().filter(is_preferred).chain(others).map(|listed| listed.address).collect()
    }

    /// Whether the name should be looked up, once in `interval`. Whoever hears so does it: nobody else
    /// hears the same meanwhile, be it answered or not.
    pub fn take_turn(&mut self, interval: Duration) -> bool {
        let now = Instant::now();
        let is_due = self.asked_at.is_none_or(|at| now >= at + interval);
        if is_due {
            self.asked_at = Some(now);
        }
        is_due
    }

    /// The name was looked up.
    pub fn found(&mut self, found: &[SocketAddr]) {
        self.asked_at = Some(Instant::now());
        let before: Vec<_> = self.listed.iter().map(|listed| listed.address).collect();
        let mut listed: Vec<_> =
            found.iter().map(|address| Listed { address: *address, missed: 0 }).collect();
        // Names with many addresses show some of them at a time.
        for old in self.listed.drain(..) {
            if !found.contains(&old.address) && old.missed + 1 < MISSED_MAX {
                listed.push(Listed { missed: old.missed + 1, ..old });
            }
        }
        self.listed = listed;
        let is_known = |listed: &Listed| before.contains(&listed.address);
        if self.listed.len() != before.len() || !self.listed.iter().all(is_known) {
            self.generation += 1;
        }
    }

    pub fn reached(&mut self, address: SocketAddr) {
        self.preferred = Some(address);
    }

    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the name does not lead to this address any more.
    pub fn is_gone(&self, address: SocketAddr) -> bool {
        self.listed.iter().all(|listed| listed.address != address)
    }
}

/// An address that was not there so many times in a row is gone.
const MISSED_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, last], 7687))
    }

    #[tokio::test]
    async fn what_was_reached_last_goes_first_while_it_is_there() {
        let mut addresses = Addresses::default();
        assert!(addresses.to_try().is_empty());
        addresses.found(&[address(1), address(2), address(3)]);
        addresses.reached(address(2));
        assert_eq!(addresses.to_try(), [address(2), address(1), address(3)]);
        addresses.found(&[address(3), address(1)]);
        assert_eq!(addresses.to_try(), [address(3), address(1)]);
    }

    #[tokio::test]
    async fn an_address_is_gone_when_it_was_missed_several_times() {
        let mut addresses = Addresses::default();
        addresses.found(&[address(1), address(2)]);
        let generation = addresses.generation();
        for _ in 0..2 {
            addresses.found(&[address(1)]);
            assert!(!addresses.is_gone(address(2)));
        }
        assert_eq!(addresses.generation(), generation);
        addresses.found(&[address(1), address(2)]);
        for _ in 0..3 {
            addresses.found(&[address(1)]);
        }
        assert!(addresses.is_gone(address(2)) && !addresses.is_gone(address(1)));
        assert_eq!(addresses.generation(), generation + 1);
    }
}
