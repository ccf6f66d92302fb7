//! A running pooler: the handle by which it is started, steered and ended.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use net::{DialError, Dialer, Socket};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{interval, timeout};
use tracing::{info, warn};

use crate::admin;
use crate::config::{Config, ConfigError};
use crate::listener;
use crate::server::Dial;
use crate::shared::Shared;

/// A running pooler. Dropping it ends everything at once; [`Pooler::shut_down`] is kinder.
#[derive(Debug)]
pub struct Pooler {
    shared: Arc<Shared>,
    address: SocketAddr,
    admin: Option<SocketAddr>,
    /// Accepting, discovery, housekeeping.
    tasks: JoinSet<()>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("upstream: {0}")]
    Upstream(DialError),
    #[error("cannot listen for admin requests on {address}: {error}; choose another admin.listen")]
    Admin { address: SocketAddr, error: io::Error },
    #[error("the listening socket has no address: {0}")]
    Address(io::Error),
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    pub clients: usize,
    pub upstream_opened: u64,
    pub upstream_open: u64,
    /// Clients that hold or wait for an upstream connection.
    pub busy: usize,
}

impl Pooler {
    /// Serves clients of `listener`. The upstream need not be there yet. Needs a Tokio runtime with
    /// time and I/O enabled.
    pub async fn start(listener: TcpListener, config: Config) -> Result<Self, StartError> {
        let dialer = Dialer::new(config.upstream.clone(), &config.upstream_roots)
            .map_err(StartError::Upstream)?;
        Self::start_with(listener, config, Arc::new(dialer)).await
    }

    /// As [`Pooler::start`], with another way to reach the upstream.
    pub async fn start_with(
        listener: TcpListener,
        config: Config,
        dialer: Arc<dyn Dial>,
    ) -> Result<Self, StartError> {
        let address = listener.local_addr().map_err(StartError::Address)?;
        config.check_not_itself(address)?;
        let mut pooler = Self::without_listener(&config, address, dialer);
        if let Some(settings) = config.admin {
            let address = settings.listen;
            let failed = |error| StartError::Admin { address, error };
            let listener = TcpListener::bind(address).await.map_err(failed)?;
            pooler.admin = Some(listener.local_addr().map_err(StartError::Address)?);
            pooler.tasks.spawn(admin::accept(listener, settings, pooler.shared.clone()));
        }
        pooler.accepting = Some(tokio::spawn(listener::accept(listener, pooler.shared.clone())));
        Ok(pooler)
    }

    /// Serves nobody but the clients that are handed to [`Pooler::serve`]: there is no listener,
    /// and no admin page even if `config` has one. `address` is where clients are told to be in a
    /// routing table if neither the configuration nor they themselves say so; nothing is opened
    /// there. Needs a Tokio runtime with time enabled.
    pub fn without_listener(config: &Config, address: SocketAddr, dialer: Arc<dyn Dial>) -> Self {
        let shared = Shared::new(config, address, dialer);
        let mut tasks = JoinSet::new();
        tasks.spawn(discover(shared.clone()));
        tasks.spawn(housekeeping(shared.clone()));
        tasks.spawn(serve_budget(shared.clone()));
        Self { shared, address, admin: None, tasks, accepting: None }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where `/metrics` and the rest are, if they are.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin
    }

    pub fn counts(&self) -> Counts {
        let (upstream_opened, closed) = self.shared.metrics().upstream_counts();
        Counts {
            clients: self.shared.clients.len(),
            upstream_opened,
            upstream_open: upstream_opened.saturating_sub(closed),
            busy: self.shared.clients.numbers().busy(),
        }
    }

    /// Serves one client on any stream, without a listener.
    pub fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        listener::serve(&self.shared, Socket::Other(Box::new(stream)), None);
    }

    /// Puts limits, certificates and the advertised address of `config` into force; existing
    /// connections stay. The rest needs a restart, of which the log reminds.
    pub fn reload(&self, config: Config) {
        self.shared.reload(config);
        info!("configuration reloaded");
    }

    /// Takes no new clients, closes the others between two units of work, and those that are still
    /// at it after `shutdown_timeout`. Returns whether everybody was done by then.
    pub async fn shut_down(mut self) -> bool {
        let limit = self.shared.limits().shutdown_timeout.0;
        // First, so that nobody who sees the listener gone can still begin something.
        self.shared.clients.drain();
        if let Some(accepting) = self.accepting.take() {
            accepting.abort();
            let _ = accepting.await;
        }
        info!(limit_s = limit.as_secs_f64(), "draining: no new clients, open work may end");
        let mut sessions = std::mem::take(&mut *self.shared.sessions());
        let all_ended = async { while sessions.join_next().await.is_some() {} };
        let is_clean = timeout(limit, all_ended).await.is_ok();
        if !is_clean {
            warn!(clients = sessions.len(), "the time is over; the remaining clients are closed");
        }
        sessions.shutdown().await;
        is_clean
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        if let Some(accepting) = &self.accepting {
            accepting.abort();
        }
        self.tasks.abort_all();
        self.shared.sessions().abort_all();
    }
}

async fn discover(shared: Arc<Shared>) {
    shared.server().stay_informed().await;
}

async fn housekeeping(shared: Arc<Shared>) {
    let mut ticks = interval(HOUSEKEEPING);
    loop {
        ticks.tick().await;
        shared.directory().tidy();
        shared.server().drop_stale_spare();
        shared.next_second();
    }
}

async fn serve_budget(shared: Arc<Shared>) {
    let directory = shared.directory().clone();
    shared.budget().serve(|| directory.pools()).await;
}

const HOUSEKEEPING: Duration = Duration::from_secs(1);
