//! The pooler of the pattern *pooled*, in the lab's own process. It is the library that
//! `boltbouncer serve` runs, with its defaults where [`config`] says nothing else.

use std::time::Duration;

use anyhow::{Context, Result};
use client::Target;
use pooler::{Config, Pooler, Seconds};
use tokio::net::TcpListener;

use crate::results::PoolerNumbers;

#[derive(Debug)]
pub(crate) struct OwnPooler {
    pooler: Pooler,
    /// Tasks use a routing scheme if the lab was told to.
    routing: bool,
    peak_clients: u64,
}

impl OwnPooler {
    /// Starts a pooler in front of `target`, which tasks on this machine reach without TLS whatever
    /// the target's scheme.
    pub async fn start(target: &Target, pool_size: usize) -> Result<Self> {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.context("cannot listen on 127.0.0.1")?;
        let pooler = Pooler::start(listener, config(target, pool_size)).await;
        let pooler = pooler.context("cannot start the pooler")?;
        Ok(Self { pooler, routing: target.routing, peak_clients: 0 })
    }

    /// What tasks dial instead of the target.
    pub fn uri(&self) -> String {
        let scheme = if self.routing { "neo4j" } else { "bolt" };
        format!("{scheme}://{}", self.pooler.address())
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
