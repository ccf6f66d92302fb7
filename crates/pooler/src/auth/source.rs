//! Where a login comes from, as far as wrong ones count together.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// An address, or the network of an IPv6 host, which can give itself any address of its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    V4(Ipv4Addr),
    V6Network([u16; 4]),
    /// No socket of the system's is behind it, as in tests.
    Unknown,
}

impl From<Option<SocketAddr>> for Source {
    fn from(address: Option<SocketAddr>) -> Self {
        match address.map(|address| address.ip().to_canonical()) {
            None => Self::Unknown,
            Some(IpAddr::V4(ip)) => Self::V4(ip),
            Some(IpAddr::V6(ip)) => {
                let [a, b, c, d, ..] = ip.segments();
                Self::V6Network([a, b, c, d])
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(address: &str) -> Source {
        Source::from(Some(address.parse().unwrap()))
    }

    #[test]
    fn ports_and_the_host_part_of_ipv6_make_no_difference() {
        assert_eq!(source("192.0.2.1:1"), source("192.0.2.1:2"));
        assert_ne!(source("192.0.2.1:1"), source("192.0.2.2:1"));
        assert_eq!(source("[::ffff:192.0.2.1]:1"), source("192.0.2.1:1"));
        assert_eq!(source("[2001:db8::1]:1"), source("[2001:db8::2:1]:1"));
        assert_ne!(source("[2001:db8::1]:1"), source("[2001:db8:0:1::1]:1"));
    }
}
