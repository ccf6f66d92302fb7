//! All clients of one target for one workload: those that work, and those that are only connected.

use std::sync::Arc;

use anyhow::{Context, Result};
use client::{Connection, Encoded};
use tokio::task::JoinSet;

use super::nodes::Nodes;
use super::target::RunTarget;
use crate::client::{Client, Common, Writes};
use crate::connector::Connector;
use crate::settings::Settings;
use crate::workload::{Requests, Workload};

pub(super) struct TargetClients {
    pub name: String,
    pub clients: Vec<Client>,
    /// Connected, and doing nothing.
    idle: Vec<Connection>,
    /// `None` if the workload does not write.
    nodes: Option<Nodes>,
}

impl TargetClients {
    /// Connects every client, and gives each a node to count in if the workload writes.
    ///
    /// # Errors
    /// A client could not be connected or got no node. Nothing is left in the database.
    pub async fn connect(
        target: &RunTarget,
        workload: Workload,
        settings: &Settings,
        requests: &Arc<Requests>,
    ) -> Result<Self> {
        let of_target = || format!("target {}", target.name);
        let connector = &target.connector;
        let working = if workload.keeps_connections() { settings.clients } else { 0 };
        let mut connections =
            connect_all(connector, settings, working).await.with_context(of_target)?;
        let idle = connect_all(connector, settings, settings.idle_clients).await;
        let idle = idle.with_context(of_target)?;
        let (nodes, writes) = if workload.writes() {
            let (nodes, writes) = Nodes::create(target, settings, &mut connections).await?;
            (Some(nodes), writes)
        } else {
            (None, Vec::new())
        };
        let common = Common { connector: connector.clone(), requests: requests.clone(), workload };
        let clients = clients(Arc::new(common), settings, connections, writes);
        Ok(Self { name: target.name.clone(), clients, idle, nodes })
    }

    /// Closes the connections and removes the nodes. Returns a sentence if the nodes' counts are not
    /// what the clients were told: a write was lost, or done twice.
    pub async fn close(self, settings: &Settings) -> Option<String> {
        let mut writes = Writes::default();
        for client in self.clients {
            writes.add(client.close().await);
        }
        for connection in self.idle {
            connection.close().await;
        }
        self.nodes?.remove(settings, writes).await
    }
}

/// Each client gets the connection and the write that have its number, where there are any.
fn clients(
    common: Arc<Common>,
    settings: &Settings,
    connections: Vec<Connection>,
    writes: Vec<Encoded>,
) -> Vec<Client> {
    let (mut connections, mut writes) = (connections.into_iter(), writes.into_iter());
    let client = |number| {
        let auth = settings.auth(number);
        Client::new(common.clone(), auth, number, connections.next(), writes.next())
    };
    (0..settings.clients).map(client).collect()
}

/// Opens so many connections, in the order of the clients' numbers.
async fn connect_all(
    connector: &Arc<Connector>,
    settings: &Settings,
    count: usize,
) -> Result<Vec<Connection>> {
    let mut waiting = 0..count;
    let mut connecting = JoinSet::new();
    let mut connected = Vec::with_capacity(count);
    loop {
        while connecting.len() < CONNECTING_MAX
            && let Some(number) = waiting.next()
        {
            let (connector, auth) = (connector.clone(), settings.auth(number));
            connecting.spawn(async move { (number, connector.connect(&auth).await) });
        }
        let Some(joined) = connecting.join_next().await else { break };
        let (number, connection) = joined.context("a client panicked")?;
        let so_far = connected.len();
        let connection =
            connection.with_context(|| format!("client {so_far} of {count} was not connected"))?;
        connected.push((number, connection));
    }
    connected.sort_by_key(|(number, _)| *number);
    Ok(connected.into_iter().map(|(_, connection)| connection).collect())
}

/// More at once could be more than a server's backlog takes.
const CONNECTING_MAX: usize = 64;
