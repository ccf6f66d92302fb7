//! Counting on a Neo4j. Its connection ids rise by one with each connection. The lab opens one connection
//! before a pattern and one after it, and their ids tell how many came between them. During the pattern,
//! the server's list of connections tells who is there.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use bolt::message::{AccessMode, Auth, TransactionExtra};
use bolt::{Dictionary, Value};
use client::{ClientError, Connection};
use net::Target;

use super::origin::Origin;
use super::totals::Totals;
use crate::results::Sample;

#[derive(Debug)]
pub struct Listing {
    target: Target,
    auth: Auth,
    connection: Connection,
    /// Ids of the lab's own connections, which don't count.
    own: BTreeSet<u64>,
    origin: Origin,
    /// The id of the connection that was opened to mark the pattern's start.
    before: u64,
    /// The highest id that was seen.
    newest: u64,
    /// Ids of other applications' connections that were opened since the pattern's start.
    others: BTreeSet<u64>,
    /// The highest number of opened connections in any sample so far. The next sample has no lower one.
    opened: u64,
    /// The last sample failed, so that the next one needs a new connection.
    is_broken: bool,
}

/// One row of `dbms.listConnections`.
struct Listed {
    id: u64,
    user_agent: String,
}

impl Listing {
    /// Uses `connection`, which is logged in as `auth` at `target`, for counting.
    ///
    /// # Errors
    /// The server does not let this user list connections.
    pub async fn start(
        target: Target,
        auth: Auth,
        connection: Connection,
    ) -> Result<Self, ClientError> {
        let own = number(connection.id()).into_iter().collect();
        let mut listing = Self {
            target,
            auth,
            connection,
            own,
            origin: Origin::default(),
            before: 0,
            newest: 0,
            others: BTreeSet::new(),
            opened: 0,
            is_broken: false,
        };
        listing.list().await?;
        Ok(listing)
    }

    pub async fn begin(&mut self, origin: Origin) -> Result<()> {
        self.origin = origin;
        self.others.clear();
        self.before = self.marker().await?;
        self.newest = self.before;
        self.opened = 0;
        Ok(())
    }

    pub async fn sample(&mut self, at_ms: u64) -> Result<Sample> {
        self.is_broken = true;
        let sample = self.sample_once(at_ms).await?;
        self.is_broken = false;
        Ok(sample)
    }

    /// Connects again if the last sample failed. It must not be cancelled: a connection that is given up
    /// while it is being opened has taken an id, and nobody would know which.
    pub async fn mend(&mut self) -> Result<()> {
        if self.is_broken {
            self.connection = self.connect(SAMPLER).await?;
            self.is_broken = false;
        }
        Ok(())
    }

    async fn sample_once(&mut self, at_ms: u64) -> Result<Sample> {
        let listed = self.list().await.context("cannot list the server's connections")?;
        let busy = self.busy().await.context("cannot list the server's transactions")?;
        let (mut ours, mut new, mut in_use, mut others, mut unnamed) = (0, 0, 0, 0, 0);
        for row in &listed {
            if self.own.contains(&row.id) {
                continue;
            }
            self.newest = self.newest.max(row.id);
            if self.is_ours(row) {
                ours += 1;
                new += u64::from(row.id > self.before);
                in_use += u64::from(busy.contains(&row.id));
                self.others.remove(&row.id);
            } else if row.user_agent.is_empty() {
                // It has not said yet who it is. It counts when it has.
                unnamed += u64::from(row.id > self.before);
            } else {
                others += 1;
                if row.id > self.before {
                    self.others.insert(row.id);
                }
            }
        }
        let named = self.opened_until(self.newest + 1).saturating_sub(unnamed);
        self.opened = self.opened.max(new).max(named);
        Ok(Sample {
            at_ms,
            opened: self.opened,
            closed: self.opened - new,
            open: ours,
            idle: ours - in_use,
            in_use,
            others,
        })
    }

    pub async fn finish(&mut self) -> Result<Totals> {
        self.mend().await?;
        let after = self.marker().await?;
        let opened = self.opened_until(after);
        let listed = self.list().await?;
        let ours: Vec<_> = listed.iter().filter(|row| self.is_ours(row)).collect();
        let new = ours.iter().filter(|row| row.id > self.before).count() as u64;
        let open = ours.len() as u64;
        Ok(Totals { opened, closed: opened.saturating_sub(new), open, peaks: None })
    }

    pub fn others_seen(&self) -> u64 {
        self.others.len() as u64
    }

    pub async fn close(self) {
        self.connection.close().await;
    }

    fn is_ours(&self, row: &Listed) -> bool {
        row.comes_from(&self.origin, self.before)
    }

    /// Connections between the first marker and `end`, without the lab's own and those of others.
    fn opened_until(&self, end: u64) -> u64 {
        let own = self.own.range(self.before + 1..end).count() as u64;
        let others = self.others.range(..end).count() as u64;
        (end - self.before - 1).saturating_sub(own + others)
    }

    /// Opens and closes a connection, and returns its id.
    async fn marker(&mut self) -> Result<u64> {
        let marker = self.connect(MARKER).await?;
        let id = number(marker.id()).context("the server's connection ids are not numbered")?;
        marker.close().await;
        Ok(id)
    }

    /// A connection of the lab's own, which does not count.
    async fn connect(&mut self, user_agent: &str) -> Result<Connection> {
        let mut connection = Connection::dial(&self.target, TIMEOUT).await?;
        connection.login(user_agent, &self.auth).await?;
        self.own.extend(number(connection.id()));
        Ok(connection)
    }

    async fn list(&mut self) -> Result<Vec<Listed>, ClientError> {
        let query = "CALL dbms.listConnections() YIELD connectionId, userAgent RETURN connectionId, userAgent";
        let table = self.run(query).await?;
        let listed = table.rows.iter().filter_map(|row| {
            let id = number(row.first()?.as_str()?)?;
            let user_agent = row.get(1).and_then(Value::as_str).unwrap_or_default().to_owned();
            Some(Listed { id, user_agent })
        });
        Ok(listed.collect())
    }

    /// Connections with an open transaction.
    async fn busy(&mut self) -> Result<BTreeSet<u64>, ClientError> {
        let table = self.run("SHOW TRANSACTIONS YIELD connectionId RETURN connectionId").await?;
        Ok(table.rows.iter().filter_map(|row| number(row.first()?.as_str()?)).collect())
    }

    async fn run(&mut self, query: &str) -> Result<client::Table, ClientError> {
        let extra = TransactionExtra { mode: AccessMode::Read, ..TransactionExtra::default() };
        self.connection.run(query, Dictionary::new(), extra).await
    }
}

impl Listed {
    /// Whether it is a connection of the pattern that began at the id `before`.
    fn comes_from(&self, origin: &Origin, before: u64) -> bool {
        let is_new = self.id > before;
        origin.tasks.fit(&self.user_agent, is_new)
            || origin.pooler.is_some_and(|pooler| pooler.fit(&self.user_agent, is_new))
    }
}

/// The number in `bolt-17`.
fn number(id: &str) -> Option<u64> {
    id.strip_prefix("bolt-")?.parse().ok()
}

const TIMEOUT: Duration = Duration::from_secs(30);
pub(crate) const SAMPLER: &str =
    concat!("boltbouncer-lab/", env!("CARGO_PKG_VERSION"), " (sampler)");
const MARKER: &str = concat!("boltbouncer-lab/", env!("CARGO_PKG_VERSION"), " (marker)");

#[cfg(test)]
mod tests {
    use super::super::origin::{Names, PoolerOrigin};
    use super::*;

    #[test]
    fn behind_a_pooler_its_new_connections_count_and_tasks_that_got_past_it() {
        let direct = Origin { tasks: Names::Exactly("lab (improved)".into()), pooler: None };
        let pooled = Origin {
            tasks: Names::Exactly("lab (pooled)".into()),
            pooler: Some(PoolerOrigin::New("boltbouncer/1")),
        };
        let counts = |origin: &Origin, user_agent: &str, id| {
            Listed { id, user_agent: user_agent.into() }.comes_from(origin, 10)
        };
        assert!(counts(&direct, "lab (improved)", 11));
        assert!(!counts(&direct, "boltbouncer/1", 11));
        assert!(counts(&pooled, "boltbouncer/1", 11));
        assert!(!counts(&pooled, "boltbouncer/1", 9), "it was there before");
        assert!(counts(&pooled, "lab (pooled)", 11));
        assert!(!counts(&pooled, "neo4j-python/6", 11));
    }
}
