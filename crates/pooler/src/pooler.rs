//! A running pooler: everything that its parts share, and the handle by which it is steered.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;

use client::{ClientError, Dialer, Socket};
use prometheus_client::registry::Registry;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{interval, timeout};
use tracing::{error, info, warn};

use crate::admin;
use crate::auth::Directory;
use crate::clients::Clients;
use crate::config::{Config, ConfigError, Limits};
use crate::limits::CurrentLimits;
use crate::listener;
use crate::locks::{Guard, Rank, Ranked};
use crate::metrics::Metrics;
use crate::pool::{Budget, Surroundings};
use crate::server::{Dial, Server};
use crate::session;
use crate::tls::ClientTls;
use crate::tries::Tries;

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
    Upstream(ClientError),
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

/// What every session uses.
#[derive(Debug)]
pub(crate) struct Shared {
    around: Arc<Surroundings>,
    directory: Arc<Directory>,
    pub clients: Arc<Clients>,
    pub registry: Registry,
    advertised_address: Ranked<RwLock<Option<String>>>,
    pub listening: SocketAddr,
    pub tls: Ranked<RwLock<Option<ClientTls>>>,
    draining: watch::Sender<bool>,
    sessions: Ranked<Mutex<JoinSet<()>>>,
    /// One reading of the metrics at a time.
    pub scrape: Ranked<Mutex<()>>,
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
        let mut pooler = Self::in_memory(&config, address, dialer);
        if let Some(settings) = config.admin {
            let started = admin::start(settings, pooler.shared.clone(), &mut pooler.tasks);
            pooler.admin = Some(started.await?);
        }
        pooler.accepting = Some(tokio::spawn(listener::accept(listener, pooler.shared.clone())));
        Ok(pooler)
    }

    /// Without a listener: clients come by [`Pooler::serve`].
    pub(crate) fn in_memory(config: &Config, address: SocketAddr, dialer: Arc<dyn Dial>) -> Self {
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
        self.shared.serve(Socket::Other(Box::new(stream)), None);
    }

    /// Puts limits, certificates and the advertised address of `config` into force; existing
    /// connections stay. The rest needs a restart, of which the log reminds.
    pub fn reload(&self, config: Config) {
        self.shared.around.limits.replace(config.limits);
        *self.shared.advertised_address.write() = config.advertised_address;
        *self.shared.tls.write() = config.tls;
        info!("configuration reloaded");
    }

    /// Takes no new clients, closes the others between two units of work, and those that are still
    /// at it after `shutdown_timeout`. Returns whether everybody was done by then.
    pub async fn shut_down(mut self) -> bool {
        let limit = self.shared.limits().shutdown_timeout.0;
        // First, so that nobody who sees the listener gone can still begin something.
        self.shared.draining.send_replace(true);
        self.shared.clients.wake_all();
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

impl Shared {
    fn new(config: &Config, listening: SocketAddr, dialer: Arc<dyn Dial>) -> Arc<Self> {
        let limits = CurrentLimits::new(config.limits.clone());
        let (metrics, registry) = Metrics::new();
        let routes = config.upstream.routing;
        let server = Server::new(dialer, routes, limits.clone(), metrics.clone());
        let budget = Budget::new(limits.clone());
        let server = Arc::new(server);
        let tries = Tries::default();
        let around = Arc::new(Surroundings { server, limits, metrics, budget, tries });
        Arc::new(Self {
            directory: Directory::new(around.clone()),
            around,
            clients: Arc::default(),
            registry,
            advertised_address: Ranked::rw_lock(
                Rank::AdvertisedAddress,
                config.advertised_address.clone(),
            ),
            listening,
            tls: Ranked::rw_lock(Rank::Tls, config.tls.clone()),
            draining: watch::Sender::new(false),
            sessions: Ranked::mutex(Rank::Sessions, JoinSet::new()),
            scrape: Ranked::mutex(Rank::Scrape, ()),
        })
    }

    /// Serves a client in a task of its own. If it panics, that ends this client alone.
    pub fn serve(self: &Arc<Self>, socket: Socket, address: Option<SocketAddr>) {
        self.metrics().client_accepted();
        let entry = self.clients.open(address);
        let session = session::serve(socket, entry, self.clone());
        let mut sessions = self.sessions();
        while let Some(ended) = sessions.try_join_next() {
            if let Err(ended) = ended
                && ended.is_panic()
            {
                error!("a client's task has panicked; its connections are closed");
                self.metrics().error(crate::metrics::Fault::Pooler, "panic");
            }
        }
        sessions.spawn(session);
    }

    pub fn limits(&self) -> Arc<Limits> {
        self.around.limits.now()
    }

    pub fn metrics(&self) -> &Metrics {
        &self.around.metrics
    }

    pub fn server(&self) -> &Server {
        &self.around.server
    }

    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// The address that a client is told: the configured one, the one that it dialled, or ours.
    pub fn advertised(&self, dialled: Option<&str>) -> String {
        let configured = self.advertised_address.read();
        match (&*configured, dialled) {
            (Some(configured), _) => configured.clone(),
            (None, Some(dialled)) => dialled.to_owned(),
            (None, None) => self.listening.to_string(),
        }
    }

    pub fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Waits until the pooler is shutting down.
    pub async fn draining(&self) {
        let _ = self.draining.subscribe().wait_for(|draining| *draining).await;
    }

    fn sessions(&self) -> Guard<MutexGuard<'_, JoinSet<()>>> {
        self.sessions.lock()
    }
}

async fn discover(shared: Arc<Shared>) {
    shared.server().stay_informed().await;
}

async fn housekeeping(shared: Arc<Shared>) {
    let mut ticks = interval(HOUSEKEEPING);
    loop {
        ticks.tick().await;
        shared.directory.tidy();
        shared.server().drop_stale_spare();
    }
}

async fn serve_budget(shared: Arc<Shared>) {
    let directory = shared.directory.clone();
    shared.around.budget.serve(|| directory.pools()).await;
}

const HOUSEKEEPING: Duration = Duration::from_secs(1);
