//! All clients of one target for one workload, and the nodes they count in.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bolt::{Dictionary, Value};
use client::{ClientError, Connection};
use tokio::task::JoinSet;

use super::Host;
use crate::performer::{Entrance, Performer, Writes};
use crate::settings::Settings;
use crate::workload::{Requests, Workload, count_up, on};

pub(super) struct Crew {
    pub name: String,
    pub performers: Vec<Performer>,
    /// Connected, and doing nothing.
    idle: Vec<Connection>,
    entrance: Arc<Entrance>,
    /// The mark of this crew's nodes, if it writes.
    mark: Option<String>,
}

impl Crew {
    /// Connects everybody.
    pub async fn gather(
        host: &Host,
        workload: Workload,
        settings: &Settings,
        requests: &Arc<Requests>,
    ) -> Result<Self> {
        let performer = |number| {
            let (entrance, requests) = (host.entrance.clone(), requests.clone());
            Performer::new(entrance, settings.auth(number), requests, workload, number)
        };
        let mut performers: Vec<_> = (0..settings.clients).map(performer).collect();
        let mut idle: Vec<_> = (0..settings.idle_clients).map(performer).collect();
        if workload.keeps_connections() {
            connect(&mut performers).await?;
        }
        connect(&mut idle).await?;
        let idle = idle.into_iter().filter_map(Performer::into_connection).collect();
        let mark = workload.writes().then(|| mark(&host.name));
        Ok(Self {
            name: host.name.clone(),
            performers,
            idle,
            entrance: host.entrance.clone(),
            mark,
        })
    }

    /// Gives each client a node if the workload writes.
    pub async fn prepare(&mut self, settings: &Settings) -> Result<()> {
        let Some(mark) = &self.mark else { return Ok(()) };
        for (number, performer) in self.performers.iter_mut().enumerate() {
            let node = node(performer, mark, number, settings.database.as_deref()).await;
            let node = node.context("cannot create a node for `write` to count in")?;
            performer.write = Some(count_up(settings.database.as_deref(), &node));
        }
        Ok(())
    }

    /// Closes the connections and removes the nodes. Says what their counts show that should not be:
    /// a write that was lost, or done twice.
    pub async fn dismiss(self, settings: &Settings) -> Option<String> {
        let mut writes = Writes::default();
        for performer in self.performers {
            writes.done += performer.writes.done;
            writes.unknown += performer.writes.unknown;
            performer.close().await;
        }
        for connection in self.idle {
            connection.close().await;
        }
        let counted = match remove(&self.entrance, &self.mark?, settings).await {
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
async fn remove(entrance: &Entrance, mark: &str, settings: &Settings) -> Result<u64> {
    let mut connection = entrance.connect(&settings.auth(0)).await?;
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

async fn connect(performers: &mut Vec<Performer>) -> Result<()> {
    let count = performers.len();
    let mut waiting = std::mem::take(performers).into_iter();
    let mut connecting = JoinSet::new();
    loop {
        while connecting.len() < CONNECTING_MAX
            && let Some(mut performer) = waiting.next()
        {
            connecting.spawn(async move { performer.connect().await.map(|()| performer) });
        }
        let Some(connected) = connecting.join_next().await else { return Ok(()) };
        let connected = connected.context("a client panicked")?;
        let number = performers.len();
        performers.push(
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
    performer: &mut Performer,
    mark: &str,
    number: usize,
    database: Option<&str>,
) -> Result<Value> {
    let Some(connection) = performer.connection() else { bail!(ClientError::Closed) };
    let id = if connection.version().has_element_ids() { "elementId(n)" } else { "id(n)" };
    let query =
        format!("CREATE (n:{LABEL} {{mark: $mark, client: $client, count: 0}}) RETURN {id} AS id");
    let number = i64::try_from(number)?;
    let parameters = Dictionary::new().with("mark", mark).with("client", number);
    let table = connection.run(&query, parameters, on(database)).await?;
    Ok(table.get(0, "id").clone())
}
