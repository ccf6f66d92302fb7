//! `dbms.*`, `db.*` and SHOW: what the server knows of itself.

use std::sync::Arc;

use bolt::Version;
use graph::{Context, Error, Map, Procedures, Result, Signatures, Value};

use crate::books::{Books, Card};

#[derive(Debug)]
pub(crate) struct Catalog {
    pub books: Arc<Books>,
    pub agent: String,
    pub max_bolt: Version,
    pub max_threads: usize,
    pub users: Vec<String>,
    pub denies_listing: bool,
}

impl Signatures for Catalog {
    fn columns(&self, procedure: &str) -> Result<Vec<Arc<str>>> {
        let (_, columns) = PROCEDURES
            .iter()
            .find(|(name, _)| *name == procedure)
            .ok_or_else(|| Error::UnknownProcedure(procedure.to_owned()))?;
        Ok(columns.iter().map(|column| Arc::from(*column)).collect())
    }
}

impl Procedures for Catalog {
    fn call(&self, name: &str, arguments: &[Value], context: &Context) -> Result<Vec<Vec<Value>>> {
        let names = |names: Vec<Arc<str>>| {
            names.into_iter().map(|name| vec![Value::String(name)]).collect()
        };
        Ok(match (name, arguments) {
            ("dbms.components", []) => {
                let version = self.agent.trim_start_matches("Neo4j/");
                vec![vec![
                    "Neo4j Kernel".into(),
                    Value::list(vec![version.into()]),
                    "community".into(),
                ]]
            }
            ("dbms.listconnections", []) if self.denies_listing => {
                return Err(Error::Forbidden("dbms.listConnections".into()));
            }
            ("dbms.listconnections", []) => self.books.cards().iter().map(connection_row).collect(),
            ("dbms.killconnection", [id]) => vec![self.kill(id)],
            ("dbms.killconnections", [Value::List(ids)]) => {
                ids.iter().map(|id| self.kill(id)).collect()
            }
            ("dbms.listconfig", []) => self.config(""),
            ("dbms.listconfig", [Value::String(search)]) => self.config(search),
            ("db.labels", []) => names(context.graph.labels()),
            ("db.relationshiptypes", []) => names(context.graph.relationship_types()),
            ("db.propertykeys", []) => names(context.graph.property_keys()),
            ("db.info", []) => {
                vec![vec!["sandbox".into(), "neo4j".into(), "1970-01-01T00:00:00Z".into()]]
            }
            ("db.ping", []) => vec![vec![true.into()]],
            ("sandbox.sleep", [Value::Integer(milliseconds)]) => sleep(*milliseconds, context)?,
            ("show.databases", []) => [("neo4j", true), ("system", false)].map(database_row).into(),
            ("show.transactions", []) => {
                self.books.cards().iter().filter_map(transaction_row).collect()
            }
            ("show.indexes" | "show.constraints", []) => Vec::new(),
            ("show.users", []) => self
                .users
                .iter()
                .map(|user| vec![user.as_str().into(), false.into(), false.into()])
                .collect(),
            ("show.procedures", []) => PROCEDURES
                .iter()
                .filter(|(name, _)| !name.starts_with("show."))
                .map(|(name, _)| vec![(*name).into(), "READ".into(), false.into()])
                .collect(),
            _ => {
                return Err(Error::Argument(format!(
                    "Procedure `{name}` got the wrong number or types of arguments"
                )));
            }
        })
    }
}

impl Catalog {
    fn kill(&self, id: &Value) -> Vec<Value> {
        let number = match id {
            Value::String(id) => id.strip_prefix("bolt-").and_then(|number| number.parse().ok()),
            _ => None,
        };
        match number.and_then(|number| self.books.kill(number)) {
            Some(user) => vec![id.clone(), user.into(), "Connection found".into()],
            None => vec![id.clone(), "n/a".into(), "No connection found with this id".into()],
        }
    }

    /// The settings that `boltbouncer check` asks a Neo4j for.
    fn config(&self, search: &str) -> Vec<Vec<Value>> {
        let settings = [
            ("server.bolt.thread_pool_max_size", self.max_threads.to_string()),
            ("server.bolt.connection_keep_alive", "1m".into()),
            ("dbms.security.auth_enabled", (!self.users.is_empty()).to_string()),
            ("dbms.security.auth_lock_time", "5s".into()),
            ("dbms.security.auth_max_failed_attempts", "3".into()),
            ("sandbox.bolt.newest_version", self.max_bolt.to_string()),
        ];
        let found = settings.into_iter().filter(|(name, _)| name.contains(search));
        found
            .map(|(name, value)| vec![name.into(), "".into(), value.into(), false.into()])
            .collect()
    }
}

fn connection_row(card: &Card) -> Vec<Value> {
    vec![
        format!("bolt-{}", card.id).into(),
        card.connect_time.to_string().into(),
        "bolt".into(),
        card.user.clone().into(),
        card.user_agent.as_str().into(),
        card.server.to_string().into(),
        card.client.to_string().into(),
    ]
}

fn transaction_row(card: &Card) -> Option<Vec<Value>> {
    let transaction = card.transaction.as_ref()?;
    let elapsed = jiff::Timestamp::now().as_millisecond() - transaction.started.as_millisecond();
    let elapsed = graph::temporal::Duration::new(0, 0, elapsed / 1000, elapsed % 1000 * 1_000_000);
    let metadata: Map = transaction.metadata.clone();
    Some(vec![
        transaction.database.as_str().into(),
        format!("{}-transaction-{}", transaction.database, transaction.id).into(),
        "".into(),
        format!("bolt-{}", card.id).into(),
        card.client.to_string().into(),
        card.user.clone().into(),
        transaction.query.as_str().into(),
        transaction.started.to_string().into(),
        if transaction.is_running { "Running" } else { "Idle" }.into(),
        Value::Duration(elapsed),
        Value::map(metadata),
    ])
}

fn database_row((name, is_default): (&str, bool)) -> Vec<Value> {
    let kind = if name == "system" { "system" } else { "standard" };
    vec![
        name.into(),
        kind.into(),
        Value::list(Vec::new()),
        "read-write".into(),
        "".into(),
        "primary".into(),
        true.into(),
        "online".into(),
        "online".into(),
        "".into(),
        is_default.into(),
        is_default.into(),
    ]
}

/// Sleeps in short steps, so that a RESET or a time-out ends it at once.
fn sleep(milliseconds: i64, context: &Context) -> Result<Vec<Vec<Value>>> {
    let step = std::time::Duration::from_millis(2);
    let duration = std::time::Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0));
    let end = std::time::Instant::now() + duration;
    while let left = end.saturating_duration_since(std::time::Instant::now())
        && !left.is_zero()
    {
        context.control.check()?;
        std::thread::sleep(left.min(step));
    }
    Ok(vec![vec![milliseconds.into()]])
}

const PROCEDURES: &[(&str, &[&str])] = &[
    ("dbms.components", &["name", "versions", "edition"]),
    (
        "dbms.listconnections",
        &[
            "connectionId",
            "connectTime",
            "connector",
            "username",
            "userAgent",
            "serverAddress",
            "clientAddress",
        ],
    ),
    ("dbms.killconnection", &["connectionId", "username", "message"]),
    ("dbms.killconnections", &["connectionId", "username", "message"]),
    ("dbms.listconfig", &["name", "description", "value", "dynamic"]),
    ("db.labels", &["label"]),
    ("db.relationshiptypes", &["relationshipType"]),
    ("db.propertykeys", &["propertyKey"]),
    ("db.info", &["id", "name", "creationDate"]),
    ("db.ping", &["success"]),
    ("sandbox.sleep", &["milliseconds"]),
    (
        "show.databases",
        &[
            "name",
            "type",
            "aliases",
            "access",
            "address",
            "role",
            "writer",
            "requestedStatus",
            "currentStatus",
            "statusMessage",
            "default",
            "home",
        ],
    ),
    (
        "show.transactions",
        &[
            "database",
            "transactionId",
            "currentQueryId",
            "connectionId",
            "clientAddress",
            "username",
            "currentQuery",
            "startTime",
            "status",
            "elapsedTime",
            "metaData",
        ],
    ),
    ("show.indexes", &["id", "name", "state", "type"]),
    ("show.constraints", &["id", "name", "type"]),
    ("show.users", &["user", "passwordChangeRequired", "suspended"]),
    ("show.procedures", &["name", "mode", "worksOnSystem"]),
];
