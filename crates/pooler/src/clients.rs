//! Everybody who is connected: who they say they are, where they are, what they wait for.

mod id;

use std::collections::HashMap;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::{Context, Poll, Waker};

use bolt::Version;
use harmless::{NAME_CHARS, short};
use serde::Serialize;
use tokio::time::Instant;
use tracing::info;

use crate::alarm::Alarm;
use crate::end::End;
use crate::locks::{Guard, Rank, Ranked};
use crate::log_limit::LogLimit;
use crate::reason::Reason;

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
}

/// One client connection, for those who look at the list.
#[derive(Debug)]
pub(crate) struct Listed {
    pub id: ClientId,
    address: Option<SocketAddr>,
    since: Instant,
    state: AtomicU8,
    units: AtomicU64,
    introduction: OnceLock<(Box<str>, Version)>,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ClientState {
    /// Not logged in yet.
    Login,
    /// Logged in, nothing to do.
    Idle,
    /// In the queue for an upstream connection.
    Waiting,
    /// Holds an upstream connection.
    Active,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ClientNumbers([usize; 4]);

/// A line of `/clients`.
#[derive(Debug, Serialize)]
pub(crate) struct ClientLine {
    id: String,
    state: &'static str,
    address: Option<String>,
    user: Option<String>,
    user_agent: Option<String>,
    bolt: Option<String>,
    connected_s: f64,
    transactions: u64,
}

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
        }
    }
}

impl Clients {
    pub fn open(self: &Arc<Self>, address: Option<SocketAddr>) -> Entry {
        let client = Arc::new(Listed {
            id: ClientId(self.next_id.fetch_add(1, Ordering::Relaxed)),
            address,
            since: Instant::now(),
            state: AtomicU8::new(ClientState::Login as u8),
            units: AtomicU64::new(0),
            introduction: OnceLock::new(),
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
            numbers.0[usize::from(client.state.load(Ordering::Relaxed)) % STATES.len()] += 1;
        }
        numbers
    }

    /// Everybody, the oldest first.
    pub fn lines(&self) -> Vec<ClientLine> {
        let mut clients: Vec<_> = self.lock().values().cloned().collect();
        clients.sort_by_key(|client| client.id);
        clients.iter().map(|client| client.line()).collect()
    }

    fn lock(&self) -> Guard<MutexGuard<'_, HashMap<ClientId, Arc<Listed>>>> {
        self.entries.lock()
    }
}

impl Listed {
    pub fn user_agent(&self) -> Option<&str> {
        self.introduction.get().map(|(agent, _)| &**agent)
    }

    fn line(&self) -> ClientLine {
        let introduction = self.introduction.get();
        let user = self.user.lock().clone();
        ClientLine {
            id: self.id.to_string(),
            state: STATES[usize::from(self.state.load(Ordering::Relaxed)) % STATES.len()],
            address: self.address.map(|address| address.to_string()),
            user: user.map(|user| user.to_string()),
            user_agent: introduction.map(|(agent, _)| agent.to_string()),
            bolt: introduction.map(|(_, version)| version.to_string()),
            connected_s: self.since.elapsed().as_secs_f64(),
            transactions: self.units.load(Ordering::Relaxed),
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
        let agent = client.introduction.get().map(|(agent, _)| short(agent, NAME_CHARS));
        let agent = agent.as_deref();
        info!(client = %client.id, address = ?client.address, user, agent, code, "login refused");
    }

    /// Whose version of Bolt the upstream does not speak, and what it has offered.
    pub fn log_refused_version(&self, offered: &str) {
        if self.clients.refused_versions.allows() {
            let client = &self.client;
            info!(client = %client.id, address = ?client.address, offered, "no version of Bolt in common");
        }
    }

    pub fn introduce(&self, user_agent: &str, version: Version) {
        let user_agent = short(user_agent, USER_AGENT_CHARS).into();
        let _ = self.client.introduction.set((user_agent, version));
    }

    pub fn set_user(&self, user: Option<&str>) {
        *self.client.user.lock() = user.map(Arc::from);
    }

    pub fn set_state(&self, state: ClientState) {
        self.client.state.store(state as u8, Ordering::Relaxed);
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
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.clients.lock().remove(&self.client.id);
    }
}

impl ClientNumbers {
    pub fn by_state(&self) -> impl Iterator<Item = (&'static str, usize)> {
        STATES.into_iter().zip(self.0)
    }

    /// Clients that hold an upstream connection or wait for one.
    pub fn busy(&self) -> usize {
        self.0[ClientState::Waiting as usize] + self.0[ClientState::Active as usize]
    }
}

/// So much of a user agent is kept: what drivers and Airflow's kit send is shorter.
const USER_AGENT_CHARS: usize = 512;
/// In the order of [`ClientState`], in PgBouncer's words.
const STATES: [&str; 4] = ["cl_login", "cl_idle", "cl_waiting", "cl_active"];
