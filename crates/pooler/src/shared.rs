//! What all clients' sessions share: the upstream, the pools, the limits, the numbers.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};

use ipnet::IpNet;
use prometheus_client::registry::Registry;
use tokio::task::JoinSet;

use crate::auth::Directory;
use crate::class::Classes;
use crate::clients::Clients;
use crate::config::{ClientTls, Config, Limits};
use crate::limits::CurrentLimits;
use crate::locks::{Guard, Rank, Ranked};
use crate::metrics::{Metrics, Series};
use crate::moment::Moment;
use crate::pool::{Budget, Holders, Pool, Surroundings};
use crate::server::{Dial, Server};
use crate::waits::Waits;

/// What every session uses.
#[derive(Debug)]
pub(crate) struct Shared {
    around: Arc<Surroundings>,
    directory: Arc<Directory>,
    pub clients: Arc<Clients>,
    pub waits: Waits,
    holders: Moment<Arc<Holders>>,
    pub classes: Classes,
    pub registry: Registry,
    advertised_address: Ranked<RwLock<Option<String>>>,
    pub listening: SocketAddr,
    pub tls: Ranked<RwLock<Option<ClientTls>>>,
    proxies: Vec<IpNet>,
    sessions: Ranked<Mutex<JoinSet<()>>>,
    /// One reading of the metrics at a time.
    pub scrape: Ranked<Mutex<Series>>,
}

impl Shared {
    pub fn new(config: &Config, listening: SocketAddr, dialer: Arc<dyn Dial>) -> Arc<Self> {
        let limits = CurrentLimits::new(config.limits.clone());
        let (metrics, registry) = Metrics::new();
        let routes = config.upstream.routing;
        let server = Server::new(dialer, routes, limits.clone(), metrics.clone());
        let around = Surroundings::new(Arc::new(server), limits, metrics);
        Arc::new(Self {
            directory: Directory::new(around.clone()),
            around,
            clients: Arc::default(),
            waits: Waits::default(),
            holders: Moment::new(Rank::AllWitnessed),
            classes: Classes::default(),
            registry,
            advertised_address: Ranked::rw_lock(
                Rank::AdvertisedAddress,
                config.advertised_address.clone(),
            ),
            listening,
            tls: Ranked::rw_lock(Rank::Tls, config.tls.clone()),
            proxies: config.proxy_protocol_from.clone(),
            sessions: Ranked::mutex(Rank::Sessions, JoinSet::new()),
            scrape: Ranked::mutex(Rank::Scrape, Series::default()),
        })
    }

    /// Puts into force what of `config` can change while the pooler runs.
    pub fn reload(&self, config: Config) {
        self.around.limits.replace(config.limits);
        self.around.budget.limit_changed();
        self.directory.pools().iter().for_each(Pool::limits_changed);
        self.clients.wake();
        *self.advertised_address.write() = config.advertised_address;
        *self.tls.write() = config.tls;
    }

    pub fn limits(&self) -> Arc<Limits> {
        self.around.limits.now()
    }

    /// Whether clients with nothing to do have to go some time.
    pub fn limits_idleness(&self) -> bool {
        self.around.limits.limits_idleness()
    }

    pub fn metrics(&self) -> &Metrics {
        &self.around.metrics
    }

    pub fn server(&self) -> &Server {
        &self.around.server
    }

    pub fn budget(&self) -> &Arc<Budget> {
        &self.around.budget
    }

    /// A second is over.
    pub fn next_second(&self) {
        self.clients.next_second();
        self.waits.next_second();
        self.around.next_second();
    }

    /// Who holds connections, whoever's they are, a moment ago at most.
    pub fn holders(&self) -> Arc<Holders> {
        self.holders.get(|| {
            let pools = self.directory.pools();
            Arc::new(Holders::new(pools.iter().flat_map(|pool| pool.held()).collect()))
        })
    }

    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// Whether somebody at this address says for whom it connects.
    pub fn is_proxy(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.proxies.iter().any(|network| network.contains(&address))
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
        self.clients.is_draining()
    }

    /// The tasks of all clients.
    pub fn sessions(&self) -> Guard<MutexGuard<'_, JoinSet<()>>> {
        self.sessions.lock()
    }
}
