//! All clients of one target for one workload, and the nodes they count in.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bolt::{Dictionary, Value};
use client::{ClientError, Connection};
use tokio::task::JoinSet;

use super::RunTarget;
use crate::client::{Client, Connector, Writes};
use crate::settings::Settings;
use crate::workload::{Requests, Workload, count_up, on};

pub(super) struct TargetClients {
    pub name: String,
    pub clients: Vec<Client>,
    /// Connected, and doing nothing.
    idle: Vec<Connection>,
    connector: Arc<Connector>,
    /// The mark of these clients's nodes, if it writes.
    mark: Option<String>,
}

impl TargetClients {
    /// Connects every client.
    pub async fn connect(
        target: &RunTarget,
        workload: Workload,
        settings: &Settings,
        requests: &Arc<Requests>,
    ) -> Result<Self> {
        let client = |number| {
            let (connector, requests) = (target.connector.clone(), requests.clone());
            Client::new(connector, settings.auth(number), requests, workload, number)
        };
        let mut clients: Vec<_> = (0..settings.clients).map(client).collect();
        let mut idle: Vec<_> = (0..settings.idle_clients).map(client).collect();
        if workload.keeps_connections() {
            connect_all(&mut clients).await?;
        }
        connect_all(&mut idle).await?;
        let idle = idle.into_iter().filter_map(Client::into_connection).collect();
        let mark = workload.writes().then(|| mark(&target.name));
        Ok(Self {
            name: target.name.clone(),
            clients,
            idle,
            connector: target.connector.clone(),
            mark,
        })
    }

    /// Gives each client a node if the workload writes.
    pub async fn prepare(&mut self, settings: &Settings) -> Result<()> {
        let Some(mark) = &self.mark else { return Ok(()) };
        for (number, client) in self.clients.iter_mut().enumerate() {
            let node = node(client, mark, number, settings.database.as_deref()).await;
            let node = node.context("cannot create a node for `write` to count in")?;
            client.write = Some(count_up(settings.database.as_deref(), &node));
        }
        Ok(())
    }

    /// Closes the connections and removes the nodes. Says what their counts show that should not be:
    /// a write that was lost, or done twice.
    pub async fn close(self, settings: &Settings) -> Option<String> {
        let mut writes = Writes::default();
        for client in self.clients {
            writes.done += client.writes.done;
            writes.unknown += client.writes.unknown;
            client.close().await;
        }
        for connection in self.idle {
            connection.close().await;
        }
        let counted = match remove(&self.connector, &self.mark?, settings).await {
            Ok(counted) => counted,
            Err(error) => {
                let name = self.name;
                return Some(format!("{name}: its nodes can't be counted and removed: {error:#}"));
            }
        };
        let Writes { done, unknown } = writes;
        let is_possible = (done..=done + unknown).contains(&counted);
        (!is_possible).then(|| {
            format!(
                "{}: {done} writes were acknowledged, {unknown} failed, and {counted} were done",
                self.name
            )
        })
    }
}

/// Removes all nodes with this mark, and says how many writes they counted.
async fn remove(connector: &Connector, mark: &str, settings: &Settings) -> Result<u64> {
    let mut connection = connector.connect(&settings.auth(0)).await?;
    let parameters = Dictionary::new().with("mark", mark);
    let query = format!(
        "MATCH (n:{LABEL} {{mark: $mark}}) WITH n, n.count AS count DETACH DELETE n RETURN sum(count) AS counted"
    );
    let table = connection.run(&query, parameters, on(settings.database.as_deref())).await?;
    connection.close().await;
    let counted = table.get(0, "counted").as_integer().context("the server returned no sum")?;
    Ok(u64::try_from(counted)?)
}

/// So many at once: a server's backlog is finite.
const CONNECTING_MAX: usize = 64;
const LABEL: &str = "BoltBouncerBench";

async fn connect_all(clients: &mut Vec<Client>) -> Result<()> {
    let count = clients.len();
    let mut waiting = std::mem::take(clients).into_iter();
    let mut connecting = JoinSet::new();
    loop {
        while connecting.len() < CONNECTING_MAX
            && let Some(mut client) = waiting.next()
        {
            connecting.spawn(async move { client.connect().await.map(|()| client) });
        }
        let Some(connected) = connecting.join_next().await else { return Ok(()) };
        let connected = connected.context("a client panicked")?;
        let number = clients.len();
        clients.push(
            connected.with_context(|| format!("client {number} of {count} was not connected"))?,
        );
    }
}

/// Unlike any other run's.
fn mark(target: &str) -> String {
    format!("{target} {}", jiff::Timestamp::now())
}

/// The id of a new node, as queries take it.
async fn node(
    client: &mut Client,
    mark: &str,
    number: usize,
    database: Option<&str>,
) -> Result<Value> {
    let Some(connection) = client.connection() else { bail!(ClientError::Closed) };
    let id = if connection.version().has_element_ids() { "elementId(n)" } else { "id(n)" };
    let query =
        format!("CREATE (n:{LABEL} {{mark: $mark, client: $client, count: 0}}) RETURN {id} AS id");
    let number = i64::try_from(number)?;
    let parameters = Dictionary::new().with("mark", mark).with("client", number);
    let table = connection.run(&query, parameters, on(database)).await?;
    Ok(table.get(0, "id").clone())
}
