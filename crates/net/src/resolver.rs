//! How a name becomes addresses, and in which order these are tried.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

/// Looks names up. Tests put a table in the place of the system.
pub trait Resolve: Send + Sync {
    /// The addresses of `host`, each with `port`. An IP address is its own.
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a>;
}

/// The addresses of a name, in the resolver's order; an error if there are none.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>>;

/// What the system knows: its files and its name servers. For an IP address nothing is asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> Resolving<'a> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, port)).await?.collect()) })
    }
}

/// Each address once. IPv6 and IPv4 take turns, so that a network which lacks one of them costs a
/// single attempt: RFC 8305, section 4.
pub(crate) fn in_order_of_trial(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let mut distinct = Vec::new();
    for address in found {
        if !distinct.contains(&address) {
            distinct.push(address);
        }
    }
    let Some(first) = distinct.first().copied() else { return distinct };
    let (preferred, other): (Vec<_>, Vec<_>) =
        distinct.into_iter().partition(|address| address.is_ipv6() == first.is_ipv6());
    let mut ordered = Vec::new();
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    loop {
        let turn = [preferred.next(), other.next()];
        if turn == [None, None] {
            return ordered;
        }
        ordered.extend(turn.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_nobody_comes_twice() {
        let addresses = |text: &str| -> Vec<SocketAddr> {
            text.split(' ').map(|address| address.parse().unwrap()).collect()
        };
        let found = addresses("[::1]:1 [::2]:1 [::1]:1 [::3]:1 1.1.1.1:1 2.2.2.2:1");
        let expected = addresses("[::1]:1 1.1.1.1:1 [::2]:1 2.2.2.2:1 [::3]:1");
        assert_eq!(in_order_of_trial(found), expected);
    }
}
