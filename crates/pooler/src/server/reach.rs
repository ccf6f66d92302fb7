//! How the server is reached, and whether it is. Every address of its name is tried: the connection
//! that gets through TCP, TLS and Bolt's handshake first is the one that is used.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use net::{DialError, Dialer, Socket, race};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tracing::debug;

use super::ConnectError;
use super::addresses::Addresses;
use super::greeting::Link;
use crate::limits::CurrentLimits;
use crate::locks::{Rank, Ranked};
use crate::metrics::Metrics;

/// Opens sockets to the upstream; tests put memory in its place.
pub trait Dial: Send + Sync {
    /// How people call the upstream.
    fn name(&self) -> String {
        "the upstream".to_owned()
    }

    /// The addresses of the upstream in the order in which they should be tried; at least one.
    fn resolve(&self) -> Resolving<'_>;

    /// A connection to one of them, before anything was said on it.
    fn connect(&self, address: SocketAddr) -> Dialling<'_>;

    /// Encrypts a connection, if the upstream is spoken to encrypted.
    fn encrypt(&self, socket: Socket) -> Dialling<'_> {
        Box::pin(async { Ok(socket) })
    }
}

pub type Resolving<'a> =
    Pin<Box<dyn Future<Output = Result<Vec<SocketAddr>, DialError>> + Send + 'a>>;
pub type Dialling<'a> = Pin<Box<dyn Future<Output = Result<Socket, DialError>> + Send + 'a>>;

impl Dial for Dialer {
    fn name(&self) -> String {
        self.target().to_string()
    }

    fn resolve(&self) -> Resolving<'_> {
        Box::pin(Dialer::resolve(self))
    }

    fn connect(&self, address: SocketAddr) -> Dialling<'_> {
        Box::pin(Dialer::connect(self, address))
    }

    fn encrypt(&self, socket: Socket) -> Dialling<'_> {
        Box::pin(Dialer::encrypt(self, socket))
    }
}

/// What is known of whether the server can be reached.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// Nobody has tried yet.
    Unknown,
    Up,
    Down(Down),
}

#[derive(Clone, Debug)]
pub(crate) struct Down {
    pub since: Instant,
    /// For people.
    pub why: Arc<str>,
    /// Waiting can't help.
    pub lasts: bool,
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    address: SocketAddr,
    /// Of the addresses when it was dialled.
    generation: u64,
}

pub(super) struct Reach {
    dialer: Arc<dyn Dial>,
    limits: CurrentLimits,
    metrics: Metrics,
    addresses: Ranked<Mutex<Addresses>>,
    /// While no address is known: one look-up at a time, for everybody who waits. This lock is awaited,
    /// so it is outside the order of [`Rank`].
    first_look_up: tokio::sync::Mutex<()>,
    /// That of the addresses, to be read without their lock.
    generation: AtomicU64,
    standing: watch::Sender<Standing>,
    /// The server is to be asked whether it is there.
    doubted: Notify,
}

impl Reach {
    pub fn new(dialer: Arc<dyn Dial>, limits: CurrentLimits, metrics: Metrics) -> Self {
        Self {
            dialer,
            limits,
            metrics,
            addresses: Ranked::mutex(Rank::Addresses, Addresses::default()),
            first_look_up: tokio::sync::Mutex::default(),
            generation: AtomicU64::new(0),
            standing: watch::Sender::new(Standing::Unknown),
            doubted: Notify::new(),
        }
    }

    /// How people call the upstream.
    pub fn name(&self) -> String {
        self.dialer.name()
    }

    /// Opens a connection and lets `greet` agree with the server on it. Each of the addresses is tried
    /// until one has got through both; the others are closed, and were counted if they had been opened.
    pub async fn greet<T, F>(&self, greet: impl Fn(Link) -> F) -> Result<T, ConnectError>
    where
        F: Future<Output = Result<T, ConnectError>>,
    {
        let (addresses, generation) = self.addresses().await?;
        let greet = &greet;
        let attempts = addresses.into_iter().map(|address| async move {
            let socket = self.dialer.connect(address).await?;
            let counted = self.metrics.upstream_opened();
            let socket = self.dialer.encrypt(socket).await?;
            let peer = Peer { address, generation };
            Ok((address, greet(Link::new(socket, peer, counted)).await?))
        });
        match race(attempts).await {
            Ok((address, greeted)) => {
                self.addresses.lock().reached(address);
                Ok(greeted)
            }
            Err(errors) => Err(told(errors)),
        }
    }

    /// The addresses to try, and their generation. They are looked up again if that was long ago: then
    /// one of those who come waits a little for it, and nobody does if no name server answers.
    async fn addresses(&self) -> Result<(Vec<SocketAddr>, u64), ConnectError> {
        let (known, generation) = self.known();
        if known.is_empty() {
            let _turn = self.first_look_up.lock().await;
            if self.known().0.is_empty() {
                self.look_up().await?;
            }
        } else if !self.takes_turn() {
            return Ok((known, generation));
        } else if !matches!(timeout(LOOK_UP_PATIENCE, self.look_up()).await, Ok(Ok(()))) {
            debug!("the upstream's name was not found in time; what it led to before is tried");
        }
        Ok(self.known())
    }

    fn known(&self) -> (Vec<SocketAddr>, u64) {
        let addresses = self.addresses.lock();
        (addresses.to_try(), addresses.generation())
    }

    fn takes_turn(&self) -> bool {
        let interval = self.limits.now().dns_interval.0;
        self.addresses.lock().take_turn(interval)
    }

    async fn look_up(&self) -> Result<(), DialError> {
        let found = self.dialer.resolve().await?;
        let mut addresses = self.addresses.lock();
        addresses.found(&found);
        self.generation.store(addresses.generation(), Ordering::Relaxed);
        Ok(())
    }

    /// Looks the name up every few seconds while connections are open.
    pub async fn watch_names(&self) {
        loop {
            tokio::time::sleep(self.limits.now().dns_interval.0).await;
            let (opened, closed) = self.metrics.upstream_counts();
            if opened > closed
                && self.takes_turn()
                && let Err(error) = self.look_up().await
            {
                debug!(%error, "the upstream's name was not found this time");
            }
        }
    }

    /// Whether the server's name does not lead there any more.
    pub fn is_gone(&self, peer: &Peer) -> bool {
        peer.generation != self.generation.load(Ordering::Relaxed)
            && self.addresses.lock().is_gone(peer.address)
    }

    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Waits until the server has been reached, or could not be.
    pub async fn known_standing(&self) {
        let mut standing = self.standing.subscribe();
        let _ = standing.wait_for(|standing| !matches!(standing, Standing::Unknown)).await;
    }

    /// Waits until the server is there.
    ///
    /// # Errors
    /// Why it is not: at once if waiting can't help, else at this time.
    pub async fn when_up(&self, until: Instant) -> Result<(), Down> {
        let mut standing = self.standing.subscribe();
        let is_settled = |standing: &Standing| match standing {
            Standing::Unknown => false,
            Standing::Up => true,
            Standing::Down(down) => down.lasts,
        };
        let settled = tokio::time::timeout_at(until, standing.wait_for(is_settled));
        let _ = settled.await;
        match self.standing() {
            Standing::Up => Ok(()),
            Standing::Down(down) => Err(down),
            Standing::Unknown => Err(Down {
                since: until,
                why: "the server has not answered yet".into(),
                lasts: false,
            }),
        }
    }

    /// The server was heard.
    pub fn is_up(&self) {
        self.standing.send_if_modified(|standing| {
            let was_up = matches!(standing, Standing::Up);
            *standing = Standing::Up;
            !was_up
        });
    }

    /// The server could not be reached. Returns whether it could be until then.
    pub fn is_down(&self, error: &ConnectError) -> bool {
        let (why, lasts) = (error.to_string().into(), error.lasts());
        let mut was_up = true;
        self.standing.send_modify(|standing| {
            let since = match standing {
                Standing::Down(down) => {
                    was_up = false;
                    down.since
                }
                _ => Instant::now(),
            };
            *standing = Standing::Down(Down { since, why, lasts });
        });
        was_up
    }

    /// Something makes one doubt whether the server is there: it is asked.
    pub fn doubt(&self) {
        self.doubted.notify_one();
    }

    pub async fn doubted(&self) {
        self.doubted.notified().await;
    }
}

/// What there is to be told when several addresses have failed: something that may pass, if there is
/// any, and what came last.
fn told(mut errors: Vec<ConnectError>) -> ConnectError {
    let place = errors.iter().rposition(|error| !error.lasts()).unwrap_or(errors.len() - 1);
    errors.swap_remove(place)
}

/// How long a look-up may keep somebody waiting who knows where else to go.
const LOOK_UP_PATIENCE: Duration = Duration::from_secs(1);
/// For a login that waits, so much is left to be told why it was in vain.
pub(crate) const TIME_TO_TELL: Duration = Duration::from_millis(500);
