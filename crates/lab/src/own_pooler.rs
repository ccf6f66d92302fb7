//! The pooler of the pattern *pooled*, in the lab's own process. It is the library that
//! `boltbouncer serve` runs, with its defaults where [`config`] says nothing else.

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
    /// Starts a pooler in front of `target`, with admin pages at `admin`.
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

    /// Looks how many clients there are.
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
    // There is one user, whose pool is the limit.
    config.limits.max_upstream_connections = 0;
    // The tasks are gone by then, and nobody else's work is there to be waited for.
    config.limits.shutdown_timeout = Seconds(SHUTDOWN_TIME_MAX);
    config
}

/// How the pooler calls itself at the server.
pub(crate) const USER_AGENT: &str = concat!("boltbouncer/", env!("CARGO_PKG_VERSION"));
const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(2);
