//! Counting the sockets of the task processes, or of the pooler in the lab's own process, from `/proc`.
//! It works on Linux only; elsewhere it finds no sockets.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use kernel::socket::{self, TcpState};

use super::origin::Origin;
use super::totals::Totals;
use crate::results::Sample;

#[derive(Debug)]
pub struct Sockets {
    addresses: Vec<IpAddr>,
    port: u16,
    /// This process, if the pattern's pooler is in it. The lab itself keeps no connection to a
    /// server that it can't ask.
    pooler: Option<u32>,
    /// Inodes of sockets that have been seen.
    seen: BTreeSet<u64>,
    open: BTreeSet<u64>,
}

impl Sockets {
    /// Counts connections to `port` at any of `addresses`; to any address if there is none, as for
    /// a cluster whose members are not known.
    pub fn new(addresses: Vec<IpAddr>, port: u16) -> Self {
        Self { addresses, port, pooler: None, seen: BTreeSet::new(), open: BTreeSet::new() }
    }

    pub fn begin(&mut self, origin: &Origin) {
        self.pooler = origin.pooler.map(|_| std::process::id());
        self.seen.clear();
        self.open.clear();
    }

    /// A socket doesn't tell whether a transaction is open: all count as idle.
    pub fn sample(&mut self, at_ms: u64, pids: &[u32]) -> Sample {
        let established = established(self.port, &self.addresses);
        self.open = pids
            .iter()
            .chain(&self.pooler)
            .flat_map(|pid| socket::inodes_of(*pid))
            .filter(|i| established.contains_key(i))
            .collect();
        self.seen.extend(&self.open);
        let (opened, open) = (self.seen.len() as u64, self.open.len() as u64);
        Sample { at_ms, opened, closed: opened - open, open, idle: open, in_use: 0, others: 0 }
    }

    pub fn totals(&self) -> Totals {
        let (opened, open) = (self.seen.len() as u64, self.open.len() as u64);
        Totals { opened, closed: opened - open, open, peaks: None }
    }
}

/// Established connections to the server by inode.
fn established(port: u16, addresses: &[IpAddr]) -> BTreeMap<u64, IpAddr> {
    socket::tcp()
        .into_iter()
        .filter(|socket| socket.state == TcpState::Established && socket.remote.port() == port)
        .map(|socket| (socket.inode, socket.remote.ip().to_canonical()))
        .filter(|(_, address)| addresses.is_empty() || addresses.contains(address))
        .collect()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::super::origin::PoolerOrigin;
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn sockets_of_a_process_are_counted_and_remembered() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let mut sockets = Sockets::new(vec![address.ip()], address.port());
        let here = [std::process::id()];
        let clients: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
        assert_eq!(sockets.sample(0, &here).open, 3);
        drop(clients);
        let sample = sockets.sample(1, &here);
        assert_eq!((sample.open, sample.opened, sample.closed), (0, 3, 3));
    }

    #[test]
    fn a_pooler_in_this_process_is_counted_while_its_pattern_runs() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let mut sockets = Sockets::new(vec![address.ip()], address.port());
        let _upstream = TcpStream::connect(address).unwrap();
        sockets.begin(&Origin { pooler: Some(PoolerOrigin::Any), ..Origin::default() });
        assert_eq!(sockets.sample(0, &[]).open, 1);
        sockets.begin(&Origin::default());
        assert_eq!(sockets.sample(1, &[]).open, 0);
    }
}
