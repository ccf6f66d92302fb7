//! Everybody who is connected: who they say they are, where they are, what they wait for.

mod activity;
mod id;

use std::collections::HashMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bolt::Version;
use harmless::{NAME_CHARS, short};
use tokio::time::Instant;
use tracing::info;

use crate::alarm::Alarm;
use crate::applications::{Application, Applications};
use crate::end::End;
use crate::locks::{Guard, Rank, Ranked};
use crate::log_limit::LogLimit;
use crate::quantiles::TotalTime;
use crate::reason::Reason;

use activity::Activity;
pub(crate) use activity::ClientState;
pub(crate) use id::ClientId;

/// The number in the `connection_id` of a pooler's first client, `bolt-1000000000`. No server's own
/// connections have numbers like this.
pub const FIRST_CLIENT: u64 = ClientId::FIRST;

#[derive(Debug)]
pub(crate) struct Clients {
    entries: Ranked<Mutex<HashMap<ClientId, Arc<Listed>>>>,
    next_id: AtomicU64,
    is_draining: AtomicBool,
    refused_logins: LogLimit,
    refused_versions: LogLimit,
    pub unencrypted: LogLimit,
    pub odd_proxies: LogLimit,
    pub applications: Applications,
}

/// One client connection, for those who look at the list.
#[derive(Debug)]
pub(crate) struct Listed {
    pub id: ClientId,
    pub address: Option<SocketAddr>,
    /// When it has come.
    pub since: Instant,
    activity: Activity,
    units: AtomicU64,
    errors: AtomicU64,
    waited: TotalTime,
    introduction: OnceLock<Introduction>,
    /// Known once it has logged in: strangers are not summed up.
    application: OnceLock<Arc<Application>>,
    user: Ranked<Mutex<Option<Arc<str>>>>,
    /// Wakes its task, while that has nothing to do or waits for a connection.
    waker: Ranked<Mutex<Option<Waker>>>,
}

/// A client's place in the list, given up when dropped.
#[derive(Debug)]
pub(crate) struct Entry {
    clients: Arc<Clients>,
    client: Arc<Listed>,
}

/// What HELLO says of who a client is.
#[derive(Debug)]
pub(crate) struct Introduction {
    pub user_agent: Box<str>,
    pub version: Version,
}

/// What a client has done since it came.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientCounts {
    pub units: u64,
    /// Failures that it was told, by the server or by the pooler.
    pub errors: u64,
    /// For connections, in all.
    pub waited: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClientNumbers([usize; 4]);

impl Default for Clients {
    fn default() -> Self {
        let entries = Ranked::mutex(Rank::Clients, HashMap::new());
        Self {
            entries,
            next_id: AtomicU64::new(ClientId::FIRST),
            is_draining: AtomicBool::default(),
            refused_logins: LogLimit::new("refused logins"),
            refused_versions: LogLimit::new("clients whose version of Bolt was refused"),
            unencrypted: LogLimit::new("clients that did not encrypt"),
            odd_proxies: LogLimit::new("PROXY headers that were refused"),
            applications: Applications::default(),
        }
    }
}

impl Clients {
    pub fn open(self: &Arc<Self>, address: Option<SocketAddr>) -> Entry {
        let client = Arc::new(Listed {
            id: ClientId(self.next_id.fetch_add(1, Ordering::Relaxed)),
            address,
            since: Instant::now(),
            activity: Activity::default(),
            units: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            waited: TotalTime::default(),
            introduction: OnceLock::new(),
            application: OnceLock::new(),
            user: Ranked::mutex(Rank::ClientUser, None),
            waker: Ranked::mutex(Rank::ClientWaker, None),
        });
        self.lock().insert(client.id, client.clone());
        Entry { clients: self.clone(), client }
    }

    /// The pooler is going: everybody who has nothing to do, or waits for a connection, is woken and
    /// finds out by [`Entry::poll_draining`].
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Wakes everybody who has nothing to do, or waits for a connection: limits may have changed.
    pub fn wake(&self) {
        let clients: Vec<_> = self.lock().values().cloned().collect();
        for client in clients {
            let waker = client.waker.lock().take();
            waker.inspect(Waker::wake_by_ref);
        }
    }

    /// A second is over.
    pub fn next_second(&self) {
        self.refused_logins.next_second();
        self.refused_versions.next_second();
        self.unencrypted.next_second();
        self.odd_proxies.next_second();
    }

    pub fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::SeqCst)
    }

    pub fn len(&self) -> usize {
        self.lock().len()
    }

    pub fn numbers(&self) -> ClientNumbers {
        let mut numbers = ClientNumbers::default();
        for client in self.lock().values() {
            numbers.0[client.activity.get().0 as usize] += 1;
        }
        numbers
    }

    /// Everybody, the oldest first.
    pub fn all(&self) -> Vec<Arc<Listed>> {
        let mut clients: Vec<_> = self.lock().values().cloned().collect();
        clients.sort_by_key(|client| client.id);
        clients
    }

    fn lock(&self) -> Guard<MutexGuard<'_, HashMap<ClientId, Arc<Listed>>>> {
        self.entries.lock()
    }
}

impl Listed {
    /// What HELLO has said, if that has come.
    pub fn introduction(&self) -> Option<&Introduction> {
        self.introduction.get()
    }

    pub fn application(&self) -> Option<&Arc<Application>> {
        self.application.get()
    }

    pub fn user(&self) -> Option<Arc<str>> {
        self.user.lock().clone()
    }

    /// What it does, and since when.
    pub fn activity(&self) -> (ClientState, Instant) {
        let (state, at) = self.activity.get();
        (state, self.since + at)
    }

    pub fn counts(&self) -> ClientCounts {
        ClientCounts {
            units: self.units.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            waited: self.waited.get(),
        }
    }
}

impl Entry {
    pub fn id(&self) -> ClientId {
        self.client.id
    }

    /// When it has come.
    pub fn since(&self) -> Instant {
        self.client.since
    }

    /// What the list has of it.
    pub fn listed(&self) -> &Arc<Listed> {
        &self.client
    }

    pub fn address(&self) -> Option<SocketAddr> {
        self.client.address
    }

    /// Who it was that could not come in.
    pub fn log_refusal(&self, user: &str, code: &str) {
        if !self.clients.refused_logins.allows() {
            return;
        }
        let client = &self.client;
        // Whoever is refused has chosen these names, and their length.
        let user = &*short(user, NAME_CHARS);
        let agent = client.introduction().map(|said| short(&said.user_agent, NAME_CHARS));
        let agent = agent.as_deref();
        info!(client = %client.id, address = ?client.address, user, agent, code, "login refused");
    }

    /// Somebody says for whom it has connected, and is not asked.
    pub fn log_unasked_proxy(&self) {
        if self.clients.odd_proxies.allows() {
            info!(address = ?self.client.address, "a PROXY header came from an address that is not in proxy_protocol_from");
        }
    }

    /// Whose version of Bolt the upstream does not speak, and what it has offered.
    pub fn log_refused_version(&self, offered: &str) {
        if self.clients.refused_versions.allows() {
            let client = &self.client;
            info!(client = %client.id, address = ?client.address, offered, "no version of Bolt in common");
        }
    }

    /// What HELLO says. Only the first one counts.
    pub fn introduce(&self, user_agent: &str, version: Version) {
        self.client.introduction.get_or_init(|| Introduction {
            user_agent: short(user_agent, USER_AGENT_CHARS).into(),
            version,
        });
    }

    /// It has logged in, for the first time or again.
    pub fn logged_in(&self, user: Option<&str>) {
        *self.client.user.lock() = user.map(Arc::from);
        self.client.application.get_or_init(|| {
            let agent = self.client.introduction().map(|said| &*said.user_agent);
            self.clients.applications.join(agent.unwrap_or_default())
        });
        self.set_state(ClientState::Idle, Instant::now());
    }

    pub fn logged_off(&self) {
        *self.client.user.lock() = None;
        self.set_state(ClientState::Login, Instant::now());
    }

    pub fn set_state(&self, state: ClientState, now: Instant) {
        self.client.activity.set(state, now.saturating_duration_since(self.client.since));
    }

    /// Whether the pooler is going. If not, the task is woken when it does.
    pub fn poll_draining(&self, cx: &Context<'_>) -> bool {
        // The waker is put there before the question is asked. Draining begins the other way round: it is
        // announced first, and then everybody is woken. So nobody can miss it.
        let mut known = self.client.waker.lock();
        match &mut *known {
            Some(known) => known.clone_from(cx.waker()),
            None => *known = Some(cx.waker().clone()),
        }
        drop(known);
        self.clients.is_draining()
    }

    /// Waits for what a client needs that has not logged in: until its time is over, and not while the
    /// pooler is going.
    ///
    /// Not an async function, and `work` is pinned where it was made: a task keeps room for each copy of
    /// what it awaits, and what is freed when a client has come in has to be small to be used again.
    pub fn before<'a, T>(
        &'a self,
        deadline: Instant,
        mut work: Pin<&'a mut (impl Future<Output = T> + ?Sized)>,
    ) -> impl Future<Output = Result<T, End>> + 'a {
        let mut alarm = Alarm::default();
        poll_fn(move |cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            if self.poll_draining(cx) {
                return Poll::Ready(Err(End::Drained));
            }
            alarm.poll(cx, Some(deadline)).map(|()| Err(End::Because(Reason::ClientLoginTimeout)))
        })
    }

    pub fn unit_begun(&self) {
        self.client.units.fetch_add(1, Ordering::Relaxed);
    }

    /// A unit of work is over that has waited for so long for a connection.
    pub fn unit_ended(&self, waited: Duration) {
        self.client.waited.add(waited);
        if let Some(application) = self.client.application() {
            application.unit_ended(waited);
        }
    }

    /// It was told of a failure.
    pub fn failed(&self) {
        self.client.errors.fetch_add(1, Ordering::Relaxed);
        if let Some(application) = self.client.application() {
            application.failed();
        }
    }

    /// So many bytes have come from it and gone to it.
    pub fn carried(&self, received: u64, sent: u64) {
        if let Some(application) = self.client.application() {
            application.carried(received, sent);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.clients.lock().remove(&self.client.id);
        if let Some(application) = self.client.application() {
            self.clients.applications.leave(application);
        }
    }
}

impl ClientNumbers {
    pub fn by_state(&self) -> impl Iterator<Item = (&'static str, usize)> {
        ClientState::ALL.into_iter().map(ClientState::label).zip(self.0)
    }

    /// Clients that hold an upstream connection or wait for one.
    pub fn busy(&self) -> usize {
        self.0[ClientState::Waiting as usize] + self.0[ClientState::Active as usize]
    }
}

/// So much of a user agent is kept: what drivers and Airflow's kit send is shorter.
const USER_AGENT_CHARS: usize = 512;
