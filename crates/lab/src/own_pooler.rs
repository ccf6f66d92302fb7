//! The pooler of the pattern *pooled*, in the lab's own process. It is the library that
//! `boltbouncer serve` runs, with the same defaults except for what [`config`] sets.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use net::Target;
use pooler::{Admin, Config, Pooler, Seconds};
use tokio::net::TcpListener;

use crate::results::PoolerNumbers;

#[derive(Debug)]
pub(crate) struct OwnPooler {
    pooler: Pooler,
    peak_clients: u64,
}

impl OwnPooler {
    /// Starts a pooler whose server is `target`, with admin pages at `admin` if that is given.
    pub async fn start(
        listener: TcpListener,
        target: &Target,
        pool_size: usize,
        admin: Option<SocketAddr>,
    ) -> Result<Self> {
        let mut config = config(target, pool_size);
        config.admin = admin.map(|listen| Admin { listen, token: None });
        let pooler = Pooler::start(listener, config).await;
        let pooler = pooler.context("cannot start the pooler")?;
        Ok(Self { pooler, peak_clients: 0 })
    }

    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.pooler.admin_address()
    }

    /// Notes how many clients there are now.
    pub fn sample(&mut self) {
        self.peak_clients = self.peak_clients.max(self.pooler.counts().clients as u64);
    }

    /// Closes everything and returns what was counted.
    pub async fn end(self) -> PoolerNumbers {
        let upstream_opened = self.pooler.counts().upstream_opened;
        self.pooler.shut_down().await;
        PoolerNumbers { peak_clients: self.peak_clients, upstream_opened }
    }
}

fn config(target: &Target, pool_size: usize) -> Config {
    let mut config = Config::new(target.clone());
    config.limits.max_connection_pool_size = pool_size;
    // A task on a busy machine may rest for a second inside a transaction. What is shown here is that the
    // size of the pool is the limit.
    config.limits.max_parked_connections = Some(0);
    // There is only one user, so that the size of the pool is the limit. Zero means no other one.
    config.limits.max_upstream_connections = 0;
    // When the pooler is shut down, the tasks have ended and nobody else uses it: there is nothing to
    // wait for.
    config.limits.shutdown_timeout = Seconds(SHUTDOWN_TIME_MAX);
    config
}

/// The user agent that the pooler tells the server.
pub(crate) const USER_AGENT: &str = concat!("boltbouncer/", env!("CARGO_PKG_VERSION"));
const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(2);
