//! The server's books: every connection there is or was, counted where it happens. The lab judges
//! patterns by these numbers, so nothing here depends on what a client says of itself but names.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

/// Opened and closed so far; open, idle and in use now, with the peak of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub opened: u64,
    pub closed: u64,
    pub open: u64,
    pub in_use: u64,
    pub peak_open: u64,
    pub peak_idle: u64,
    pub peak_in_use: u64,
    /// Password checks, failed ones included.
    pub authentications: u64,
    /// Processor time that these took.
    pub authentication_cpu: Duration,
}

impl Count {
    /// Connections without an open transaction.
    pub fn idle(&self) -> u64 {
        self.open - self.in_use
    }

    fn mark(&mut self) {
        self.peak_open = self.peak_open.max(self.open);
        self.peak_in_use = self.peak_in_use.max(self.in_use);
        self.peak_idle = self.peak_idle.max(self.idle());
    }
}

/// The books at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub all: Count,
    /// Connections that were closed as they arrived, because the server was full. They are in no other
    /// number.
    pub refused: u64,
    /// By user agent; connections that have not logged in are under the empty name.
    pub by_user_agent: BTreeMap<String, Count>,
}

/// What `dbms.listConnections` tells of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Card {
    pub id: u64,
    pub connect_time: jiff::Timestamp,
    pub client: SocketAddr,
    pub server: SocketAddr,
    pub user_agent: String,
    /// Where the connection is counted: its user agent, once it has logged in.
    account: String,
    pub user: Option<String>,
    pub transaction: Option<TransactionCard>,
    /// Tells the connection to end.
    pub kill: Arc<Notify>,
    pub is_killed: bool,
}

/// What `SHOW TRANSACTIONS` tells of a transaction.
#[derive(Clone, Debug)]
pub(crate) struct TransactionCard {
    pub id: u64,
    pub database: String,
    pub query: String,
    pub started: jiff::Timestamp,
    pub metadata: graph::Map,
    pub is_running: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Books {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    snapshot: Snapshot,
    cards: BTreeMap<u64, Card>,
    next_transaction: u64,
}

impl Books {
    /// Enters a connection and returns its number, or `None` if `limit` connections are open.
    pub fn open(
        self: &Arc<Self>,
        client: SocketAddr,
        server: SocketAddr,
        limit: usize,
    ) -> Option<Entry> {
        let mut state = self.lock();
        if state.snapshot.all.open >= limit as u64 {
            state.snapshot.refused += 1;
            return None;
        }
        let id = state.snapshot.all.opened;
        let kill = Arc::new(Notify::new());
        let card = Card {
            id,
            connect_time: jiff::Timestamp::now(),
            client,
            server,
            user_agent: String::new(),
            account: String::new(),
            user: None,
            transaction: None,
            kill: kill.clone(),
            is_killed: false,
        };
        state.each(&card.account.clone(), |count| {
            count.opened += 1;
            count.open += 1;
        });
        state.cards.insert(id, card);
        Some(Entry { books: self.clone(), id, kill })
    }

    pub fn snapshot(&self) -> Snapshot {
        self.lock().snapshot.clone()
    }

    /// Lets the peaks begin anew at what is open now.
    pub fn reset_peaks(&self) {
        let snapshot = &mut self.lock().snapshot;
        for count in std::iter::once(&mut snapshot.all).chain(snapshot.by_user_agent.values_mut()) {
            (count.peak_open, count.peak_idle, count.peak_in_use) =
                (count.open, count.idle(), count.in_use);
        }
    }

    pub fn cards(&self) -> Vec<Card> {
        self.lock().cards.values().filter(|card| !card.is_killed).cloned().collect()
    }

    /// Tells a connection to end, and takes it off the list at once, as Neo4j does. Returns the
    /// name of its user.
    pub fn kill(&self, id: u64) -> Option<Option<String>> {
        let mut state = self.lock();
        let card = state.cards.get_mut(&id).filter(|card| !card.is_killed)?;
        card.is_killed = true;
        card.kill.notify_one();
        Some(card.user.clone())
    }

    /// No code that can panic runs under this lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Changes the total and one user agent's part of it alike.
    fn each(&mut self, user_agent: &str, mut change: impl FnMut(&mut Count)) {
        let agents = &mut self.snapshot.by_user_agent;
        if !agents.contains_key(user_agent) {
            agents.insert(user_agent.to_owned(), Count::default());
        }
        let part = agents.get_mut(user_agent).expect("just inserted");
        for count in [&mut self.snapshot.all, part] {
            change(count);
            count.mark();
        }
    }
}

/// A connection's place in the books; dropping it closes the connection there.
#[derive(Debug)]
pub(crate) struct Entry {
    books: Arc<Books>,
    pub id: u64,
    pub kill: Arc<Notify>,
}

impl Entry {
    /// HELLO told who it is.
    pub fn introduce(&self, user_agent: &str) {
        let mut state = self.books.lock();
        let Some(card) = state.cards.get_mut(&self.id) else { return };
        card.user_agent = user_agent.chars().take(USER_AGENT_CHARS_MAX).collect();
    }

    /// Moves the connection to its user agent's account. Only who has logged in gets one, and past
    /// a number of accounts the others share one: a client must not make the books grow.
    fn open_account(&self) {
        let mut state = self.books.lock();
        let State { snapshot, cards, .. } = &mut *state;
        let Some(card) = cards.get_mut(&self.id) else { return };
        let agents = &mut snapshot.by_user_agent;
        let is_known = agents.contains_key(&card.user_agent) || agents.len() < ACCOUNTS_MAX;
        let account = if is_known { card.user_agent.as_str() } else { OTHERS };
        let before = std::mem::replace(&mut card.account, account.to_owned());
        if before == account {
            return;
        }
        let user_agent = account;
        if let Some(unnamed) = agents.get_mut(&before) {
            unnamed.opened -= 1;
            unnamed.open -= 1;
            if unnamed.opened == 0 {
                agents.remove(&before);
            }
        }
        let named = agents.entry(user_agent.to_owned()).or_default();
        named.opened += 1;
        named.open += 1;
        named.mark();
    }

    /// A password was checked, which took so much processor time; `user` is whose it was, if it was
    /// right.
    pub fn authenticated(&self, user: Option<String>, cost: Duration) {
        if user.is_some() {
            self.open_account();
        }
        let count = |count: &mut Count| {
            count.authentications += 1;
            count.authentication_cpu += cost;
        };
        self.change(|card| card.user = user, count);
    }

    pub fn logged_off(&self) {
        self.change(|card| card.user = None, |_| {});
    }

    /// An open transaction makes the connection in use.
    pub fn begin(&self, database: &str, metadata: graph::Map) {
        let id = {
            let mut state = self.books.lock();
            state.next_transaction += 1;
            state.next_transaction
        };
        let transaction = TransactionCard {
            id,
            database: database.to_owned(),
            query: String::new(),
            started: jiff::Timestamp::now(),
            metadata,
            is_running: false,
        };
        self.change(|card| card.transaction = Some(transaction), |count| count.in_use += 1);
    }

    pub fn running(&self, query: &str) {
        self.change(
            |card| {
                if let Some(transaction) = &mut card.transaction {
                    transaction.query = query.to_owned();
                    transaction.is_running = true;
                }
            },
            |_| {},
        );
    }

    /// The transaction waits for its client.
    pub fn idle(&self) {
        self.change(
            |card| {
                if let Some(transaction) = &mut card.transaction {
                    transaction.is_running = false;
                }
            },
            |_| {},
        );
    }

    pub fn end(&self) {
        self.change(|card| card.transaction = None, |count| count.in_use -= 1);
    }

    fn change(&self, card: impl FnOnce(&mut Card), count: impl FnMut(&mut Count)) {
        let mut state = self.books.lock();
        let Some(found) = state.cards.get_mut(&self.id) else { return };
        card(found);
        let account = found.account.clone();
        state.each(&account, count);
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let mut state = self.books.lock();
        let Some(card) = state.cards.remove(&self.id) else { return };
        state.each(&card.account, |count| {
            count.closed += 1;
            count.open -= 1;
            count.in_use -= u64::from(card.transaction.is_some());
        });
    }
}

/// More of a name nobody needs.
const USER_AGENT_CHARS_MAX: usize = 200;
const ACCOUNTS_MAX: usize = 1000;
const OTHERS: &str = "(others)";

#[cfg(test)]
mod tests {
    use super::*;

    fn open(books: &Arc<Books>) -> Entry {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        books.open(address, address, usize::MAX).unwrap()
    }

    #[test]
    fn parts_always_add_up_to_the_whole() {
        let books = Arc::new(Books::default());
        let (first, second, unnamed) = (open(&books), open(&books), open(&books));
        for (entry, agent) in [(&first, "a/1"), (&second, "b/1")] {
            entry.introduce(agent);
            entry.authenticated(Some("neo4j".into()), Duration::ZERO);
        }
        first.begin("neo4j", Vec::new());
        second.begin("neo4j", Vec::new());
        first.end();
        drop(second);
        let snapshot = books.snapshot();
        let sum = |part: fn(&Count) -> u64| snapshot.by_user_agent.values().map(part).sum::<u64>();
        assert_eq!((snapshot.all.opened, snapshot.all.open, snapshot.all.closed), (3, 2, 1));
        assert_eq!((sum(|c| c.opened), sum(|c| c.open), sum(|c| c.closed)), (3, 2, 1));
        assert_eq!(
            (snapshot.all.peak_open, snapshot.all.peak_in_use, snapshot.all.in_use),
            (3, 2, 0)
        );
        drop(unnamed);
    }

    #[test]
    fn a_full_house_takes_nobody_in() {
        let books = Arc::new(Books::default());
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let _only = books.open(address, address, 1).unwrap();
        assert!(books.open(address, address, 1).is_none());
        let snapshot = books.snapshot();
        assert_eq!((snapshot.all.opened, snapshot.refused), (1, 1));
    }
}
