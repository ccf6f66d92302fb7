//! Who is connected to the admin pages. Whoever has not shown yet that they may ask is a stranger.
//! Strangers have few places and only take them from each other, so that a crowd of them keeps
//! nobody out who has the token.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::task::{AbortHandle, JoinSet};

#[derive(Debug, Default)]
pub(super) struct Visitors {
    connections: JoinSet<()>,
    /// Who has come and not gone, the first one first.
    places: Vec<Place>,
    known: Arc<AtomicUsize>,
}

#[derive(Debug)]
struct Place {
    address: IpAddr,
    is_known: Arc<AtomicBool>,
    connection: AbortHandle,
}

/// One connection's part in it.
#[derive(Debug)]
pub(super) struct Visitor {
    is_known: Arc<AtomicBool>,
    known: Arc<AtomicUsize>,
}

/// Whether a connection may stay open after its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stay {
    Allowed,
    /// It has been answered, and has to make room.
    Over,
}

impl Visitors {
    /// Serves somebody who has just connected. If there are too many strangers, one goes.
    pub fn let_in<F>(&mut self, address: IpAddr, serve: impl FnOnce(Visitor) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.places.retain(|place| !place.connection.is_finished());
        if let Some(place) = self.place_to_clear() {
            self.places.remove(place).connection.abort();
        }
        let is_known = Arc::new(AtomicBool::new(false));
        let visitor = Visitor { is_known: is_known.clone(), known: self.known.clone() };
        let connection = self.connections.spawn(serve(visitor));
        self.places.push(Place { address, is_known, connection });
    }

    /// Waits until somebody has gone; `None` if nobody is there.
    pub async fn one_left(&mut self) -> Option<()> {
        self.connections.join_next().await.map(drop)
    }

    /// The stranger who has been here longest, of those who come from where most of them come from.
    fn place_to_clear(&self) -> Option<usize> {
        let is_stranger = |place: &&Place| !place.is_known.load(Ordering::Relaxed);
        let mut by_address: HashMap<IpAddr, usize> = HashMap::new();
        for place in self.places.iter().filter(is_stranger) {
            *by_address.entry(place.address).or_default() += 1;
        }
        if by_address.values().sum::<usize>() < STRANGERS_MAX {
            return None;
        }
        let (crowd, _) = by_address.into_iter().max_by_key(|(_, count)| *count)?;
        self.places.iter().position(|place| is_stranger(&place) && place.address == crowd)
    }
}

impl Visitor {
    /// This one may ask. It is answered in any case.
    pub fn is_known(&self) -> Stay {
        if !self.is_known.swap(true, Ordering::Relaxed) {
            self.known.fetch_add(1, Ordering::Relaxed);
        }
        if self.known.load(Ordering::Relaxed) > KNOWN_MAX { Stay::Over } else { Stay::Allowed }
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        if self.is_known.load(Ordering::Relaxed) {
            self.known.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

const STRANGERS_MAX: usize = 32;
/// Enough for Prometheus, dashboards and people.
const KNOWN_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use std::net::Ipv4Addr;

    /// Lets strangers in from machines with these numbers.
    fn strangers(visitors: &mut Visitors, machines: impl IntoIterator<Item = u8>) {
        for machine in machines {
            visitors.let_in(Ipv4Addr::new(10, 0, 0, machine).into(), |visitor| async move {
                pending::<()>().await;
                drop(visitor);
            });
        }
    }

    fn machines(visitors: &Visitors) -> Vec<u8> {
        let machine = |place: &Place| match place.address {
            IpAddr::V4(address) => address.octets()[3],
            IpAddr::V6(_) => 0,
        };
        visitors.places.iter().map(machine).collect()
    }

    #[tokio::test]
    async fn a_crowd_makes_room_for_whoever_comes_from_elsewhere() {
        let mut visitors = Visitors::default();
        strangers(&mut visitors, [2, 3]);
        strangers(&mut visitors, [1; 100]);
        assert_eq!(visitors.places.len(), STRANGERS_MAX);
        assert_eq!(machines(&visitors)[..3], [2, 3, 1]);
        strangers(&mut visitors, [4]);
        let now = machines(&visitors);
        assert_eq!((now.len(), now[0], now.last()), (STRANGERS_MAX, 2, Some(&4)));
    }

    #[tokio::test]
    async fn strangers_take_no_place_from_the_known() {
        let mut visitors = Visitors::default();
        for _ in 0..KNOWN_MAX {
            visitors.let_in(Ipv4Addr::LOCALHOST.into(), |visitor| {
                assert_eq!(visitor.is_known(), Stay::Allowed);
                async move {
                    pending::<()>().await;
                    drop(visitor);
                }
            });
        }
        strangers(&mut visitors, [1; 100]);
        assert_eq!(visitors.places.len(), KNOWN_MAX + STRANGERS_MAX);
        visitors.let_in(Ipv4Addr::LOCALHOST.into(), |visitor| {
            assert_eq!(visitor.is_known(), Stay::Over);
            async {}
        });
        assert_eq!(visitors.known.load(Ordering::Relaxed), KNOWN_MAX);
    }
}
