//! The nodes in which the clients of one target count their writes. They are removed after the workload,
//! and their counts show whether a write was lost or done twice.

use std::sync::Arc;

use anyhow::{Context, Result};
use bolt::{Dictionary, Value};
use client::{Connection, Encoded};

use super::target::RunTarget;
use crate::client::Writes;
use crate::connector::Connector;
use crate::settings::Settings;
use crate::workload::{count_up, on};

pub(super) struct Nodes {
    target: String,
    connector: Arc<Connector>,
    /// A property of all these nodes, which no other run's nodes have.
    mark: String,
}

impl Nodes {
    /// Creates a node for each client over its connection. Also returns the requests that count up in
    /// these nodes, one for each client.
    ///
    /// # Errors
    /// The target refuses. The nodes that were created are removed.
    pub async fn create(
        target: &RunTarget,
        settings: &Settings,
        connections: &mut [Connection],
    ) -> Result<(Self, Vec<Encoded>)> {
        let name = &target.name;
        let mark = format!("{name} {}", jiff::Timestamp::now());
        let nodes = Self { target: name.clone(), connector: target.connector.clone(), mark };
        let error = match nodes.fill(settings, connections).await {
            Ok(writes) => return Ok((nodes, writes)),
            Err(error) => error.context("cannot create a node for `write` to count in"),
        };
        let error = error.context(format!("target {name}"));
        match nodes.remove(settings, Writes::default()).await {
            None => Err(error),
            Some(sentence) => Err(error.context(sentence)),
        }
    }

    async fn fill(
        &self,
        settings: &Settings,
        connections: &mut [Connection],
    ) -> Result<Vec<Encoded>> {
        let database = settings.database.as_deref();
        let mut writes = Vec::with_capacity(connections.len());
        for (client, connection) in connections.iter_mut().enumerate() {
            let id = self.create_one(connection, client, database).await?;
            writes.push(count_up(database, &id));
        }
        Ok(writes)
    }

    /// Returns the id of the new node, in the form in which queries take it.
    async fn create_one(
        &self,
        connection: &mut Connection,
        client: usize,
        database: Option<&str>,
    ) -> Result<Value> {
        let id = if connection.version().has_element_ids() { "elementId(n)" } else { "id(n)" };
        let query = format!(
            "CREATE (n:{LABEL} {{mark: $mark, client: $client, count: 0}}) RETURN {id} AS id"
        );
        let client = i64::try_from(client)?;
        let parameters = Dictionary::new().with("mark", self.mark.as_str()).with("client", client);
        let table = connection.run(&query, parameters, on(database)).await?;
        Ok(table.get(0, "id").clone())
    }

    /// Removes the nodes. Returns a sentence if their counts can't be what these writes have left.
    pub async fn remove(self, settings: &Settings, writes: Writes) -> Option<String> {
        let name = &self.target;
        let counted = match self.count_and_remove(settings).await {
            Ok(counted) => counted,
            Err(error) => {
                return Some(format!("{name}: its nodes can't be counted and removed: {error:#}"));
            }
        };
        let Writes { acknowledged, failed } = writes;
        let is_possible = (acknowledged..=acknowledged + failed).contains(&counted);
        (!is_possible).then(|| {
            format!(
                "{name}: {acknowledged} writes were acknowledged, {failed} failed, and {counted} were done"
            )
        })
    }

    async fn count_and_remove(&self, settings: &Settings) -> Result<u64> {
        let mut connection = self.connector.connect(&settings.auth(0)).await?;
        let parameters = Dictionary::new().with("mark", self.mark.as_str());
        let query = format!(
            "MATCH (n:{LABEL} {{mark: $mark}}) WITH n, n.count AS count DETACH DELETE n RETURN sum(count) AS counted"
        );
        let table = connection.run(&query, parameters, on(settings.database.as_deref())).await?;
        connection.close().await;
        let counted = table.get(0, "counted").as_integer();
        Ok(u64::try_from(counted.context("the server returned no sum")?)?)
    }
}

const LABEL: &str = "BoltBouncerBench";
