//! The Neo4j server behind the pooler: which versions it speaks, how it calls itself, and how a
//! connection to it is opened. What there is to know is read from connections that are needed anyway,
//! and one that was opened to ask whether the server is there is kept for the next login.

mod addresses;
mod complaints;
mod connect_error;
mod greeting;
mod reach;
mod upstream;

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bolt::message::Auth;
use bolt::version::{NEO4J_RANGES, VersionRange};
use bolt::{Dictionary, Version};
use net::DialError;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::{debug, info, warn};

use crate::class::Class;
use crate::limits::CurrentLimits;
use crate::locks::{Guard, Rank, Ranked};
use crate::metrics::Metrics;

pub(crate) use connect_error::{ConnectError, Verdict};
pub use reach::{Dial, Dialling, Resolving};
pub(crate) use reach::{Down, Standing, TIME_TO_TELL};
pub(crate) use upstream::Upstream;

use complaints::Complaints;
use greeting::Greeting;
use reach::Reach;

/// What a client is told in HELLO's SUCCESS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// `Neo4j/…`
    pub agent: String,
    /// Whether the server itself routes queries to the right member. Clients are told the same,
    /// because drivers behave accordingly.
    pub server_side_routing: Option<bool>,
    /// Whether date-times in UTC are granted on Bolt 4.4.
    pub utc: bool,
}

pub(crate) struct Server {
    reach: Reach,
    /// The upstream is known by a `neo4j` scheme: clients' routing contexts are passed on.
    pub routes: bool,
    limits: CurrentLimits,
    ranges: watch::Sender<Option<Arc<[VersionRange]>>>,
    state: Ranked<Mutex<Learnt>>,
    /// One first connection at a time. This lock is awaited, so it is outside the order of [`Rank`]:
    /// nobody who holds one of those locks may ask for it.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Learnt {
    /// By version, and whether date-times in UTC were asked for.
    facts: HashMap<(Version, bool), Facts>,
    /// A connection on which nobody has logged in yet, for whoever does next.
    spare: Option<(Greeting, Instant)>,
}

impl Server {
    pub fn new(
        dialer: Arc<dyn Dial>,
        routes: bool,
        limits: CurrentLimits,
        metrics: Metrics,
    ) -> Self {
        let (ranges, _) = watch::channel(None);
        let state = Ranked::mutex(Rank::Server, Learnt::default());
        let turn = tokio::sync::Mutex::default();
        let reach = Reach::new(dialer, limits.clone(), metrics);
        Self { reach, routes, limits, ranges, state, turn }
    }

    /// The versions that the server speaks. Waits until it has answered, or could not be reached: then
    /// they are those that it may speak, and the login is told why it is in vain. Half of the time that
    /// a login has is left for that.
    pub async fn ranges(&self) -> Arc<[VersionRange]> {
        let patience = self.limits.now().client_login_timeout.0 / 2;
        let _ = timeout(patience, self.reach.known_standing()).await;
        self.ranges.borrow().clone().unwrap_or_else(|| NEO4J_RANGES.into())
    }

    /// Asks the server for its versions, once at the start, and again whenever it could not be
    /// reached or is in doubt. Without this nothing might notice that the server is gone, or back: no
    /// client may come.
    pub async fn stay_informed(&self) {
        tokio::join!(self.reach.watch_names(), async {
            loop {
                self.discover().await;
                tokio::time::sleep(DISCOVERY_PAUSE_MIN).await;
                self.reach.doubted().await;
            }
        });
    }

    /// Asks until the server has answered. The connection is kept for the next login.
    async fn discover(&self) {
        let mut pause = DISCOVERY_PAUSE_MIN;
        let mut complaints = Complaints::default();
        loop {
            match self.within(self.reach.greet(Greeting::ask)).await {
                Ok((greeting, ranges)) => {
                    info!(versions = ?ranges.iter().map(|range| range.newest).collect::<Vec<_>>(), "the upstream has answered");
                    self.keep(greeting);
                    self.ranges.send_replace(Some(ranges.into()));
                    self.reach.is_up();
                    return;
                }
                Err(error) => {
                    if complaints.is_due() {
                        warn!(upstream = %self.reach.name(), %error, "the upstream does not answer");
                    }
                    self.reach.is_down(&error);
                }
            }
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(DISCOVERY_PAUSE_MAX);
        }
    }

    /// What clients of a class are told. The first time this takes a connection, which is kept for
    /// the login that follows.
    pub async fn facts(&self, class: &Arc<Class>) -> Result<Facts, ConnectError> {
        match self.known_facts(class) {
            Some(facts) => Ok(facts),
            // In a box, because that is rare, and every client that logs in keeps room for it.
            None => Box::pin(self.ask_for_facts(class)).await,
        }
    }

    async fn ask_for_facts(&self, class: &Arc<Class>) -> Result<Facts, ConnectError> {
        let _turn = self.turn.lock().await;
        if let Some(facts) = self.known_facts(class) {
            return Ok(facts);
        }
        let limit = self.limits.now().connection_timeout.0;
        let hello = |greeting: Greeting| {
            self.heard(limit, greeting.hello(class, self.routing_context(class)))
        };
        let kept = match self.take_spare(class) {
            Some(spare) => Some(hello(spare).await),
            None => None,
        };
        let (greeting, facts) = match kept {
            // What was kept may have ended unnoticed.
            None | Some(Err(ConnectError::Closed)) => hello(self.open(class).await?).await?,
            Some(greeted) => greeted?,
        };
        self.lock().facts.insert((class.version, class.utc), facts.clone());
        self.keep(greeting);
        Ok(facts)
    }

    pub fn known_facts(&self, class: &Class) -> Option<Facts> {
        self.lock().facts.get(&(class.version, class.utc)).cloned()
    }

    /// Whether the server has answered at all.
    pub fn has_answered(&self) -> bool {
        self.ranges.borrow().is_some()
    }

    /// Opens a connection and logs in.
    pub async fn connect(
        &self,
        class: &Arc<Class>,
        auth: &Auth,
        limit: Duration,
    ) -> Result<Box<Upstream>, ConnectError> {
        self.login(class, auth, limit).await.map(|(upstream, _)| upstream)
    }

    /// As [`Self::connect`], with what the server says to the login.
    pub async fn login(
        &self,
        class: &Arc<Class>,
        auth: &Auth,
        limit: Duration,
    ) -> Result<(Box<Upstream>, Dictionary), ConnectError> {
        let attempt = async {
            if let Some(spare) = self.take_spare(class) {
                match spare.login(class, self.routing_context(class), auth).await {
                    Err(ConnectError::Closed | ConnectError::Unreachable(_)) => {}
                    outcome => return outcome,
                }
            }
            let greeting = self.open(class).await?;
            greeting.login(class, self.routing_context(class), auth).await
        };
        let logged_in = self.heard(limit, attempt).await?;
        self.lock().facts.insert((class.version, class.utc), logged_in.facts().clone());
        let limits = self.limits.now();
        let lifetime = jittered(limits.max_connection_lifetime.0);
        let (upstream, metadata) = logged_in.into_upstream(lifetime);
        if let Some(keep_alive) = limits.upstream_keep_alive()
            && let Err(error) = upstream.wire.keep_alive(&keep_alive)
        {
            debug!(%error, "cannot watch over an upstream connection");
        }
        Ok((upstream, metadata))
    }

    /// Whether the server could be reached when that was last tried.
    pub fn standing(&self) -> Standing {
        self.reach.standing()
    }

    /// Why the server can't be reached, if that was so when it was last tried.
    pub fn down(&self) -> Option<Down> {
        match self.reach.standing() {
            Standing::Down(down) => Some(down),
            _ => None,
        }
    }

    /// Waits until the server has been reached for the first time.
    ///
    /// # Errors
    /// Why it could not be: at once if waiting can't help, else at this time.
    pub async fn when_first_reached(&self, until: Instant) -> Result<(), Down> {
        if self.has_answered() { Ok(()) } else { self.reach.when_up(until).await }
    }

    /// Something makes one doubt whether the server is there: it is asked.
    pub fn doubt(&self) {
        self.reach.doubt();
    }

    /// Whether the server's name does not lead to this connection's other end any more.
    pub fn is_gone(&self, upstream: &Upstream) -> bool {
        upstream.peer.as_ref().is_some_and(|peer| self.reach.is_gone(peer))
    }

    /// The server would close it soon: it gives strangers 30 s.
    pub fn drop_stale_spare(&self) {
        let mut state = self.lock();
        if state.spare.as_ref().is_some_and(|(_, since)| since.elapsed() > SPARE_AGE_MAX) {
            state.spare = None;
        }
    }

    /// Opens a connection that speaks the version of a class. What becomes of it says whether the server
    /// is there; what comes after it does not, because a client may have asked for something odd.
    async fn open(&self, class: &Arc<Class>) -> Result<Greeting, ConnectError> {
        let version = class.version;
        let greeted = self.within(self.reach.greet(|link| Greeting::open(link, version))).await;
        match &greeted {
            Ok(_) => self.reach.is_up(),
            // One connection that broke can have reasons of its own, and a client that has agreed on a
            // version before the server was heard may have agreed on a wrong one.
            Err(ConnectError::Unreachable(DialError::Io(_)) | ConnectError::VersionGone(_)) => {
                self.doubt();
            }
            Err(error) => {
                if self.reach.is_down(error) {
                    self.doubt();
                }
            }
        }
        greeted
    }

    fn take_spare(&self, class: &Arc<Class>) -> Option<Greeting> {
        self.drop_stale_spare();
        let mut state = self.lock();
        let (mut greeting, _) = state.spare.take_if(|(spare, _)| spare.suits(class))?;
        greeting.is_alive().then_some(greeting)
    }

    fn keep(&self, greeting: Greeting) {
        self.lock().spare = Some((greeting, Instant::now()));
    }

    /// What comes of talking to the server for so long. Its silence makes one doubt whether it is there.
    async fn heard<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        let heard = timeout(limit, work).await;
        if heard.is_err() {
            self.doubt();
        }
        heard.unwrap_or(Err(ConnectError::TimedOut(limit)))
    }

    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, ConnectError>>,
    ) -> Result<T, ConnectError> {
        let limit = self.limits.now().connection_timeout.0;
        timeout(limit, work).await.unwrap_or(Err(ConnectError::TimedOut(limit)))
    }

    /// The routing context for HELLO. An empty one is enough: what clients put into theirs only matters
    /// for ROUTE, and that request is passed on as it came.
    fn routing_context(&self, class: &Class) -> Option<Dictionary> {
        class.routing.then(Dictionary::new)
    }

    fn lock(&self) -> Guard<MutexGuard<'_, Learnt>> {
        self.state.lock()
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("routes", &self.routes).finish_non_exhaustive()
    }
}

/// Connections that were opened together shall not end together.
fn jittered(lifetime: Duration) -> Duration {
    lifetime.mul_f64(rand::random_range(0.9..=1.1))
}

const DISCOVERY_PAUSE_MIN: Duration = Duration::from_millis(100);
const DISCOVERY_PAUSE_MAX: Duration = Duration::from_secs(2);
const SPARE_AGE_MAX: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests;
