//! `boltbouncer check`: says who answers at an address, how fast, and with what limits and connections,
//! and gives advice. It logs in only once, so a wrong password is not tried again.

mod report;
mod unusable;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bolt::message::{AccessMode, Auth, TransactionExtra};
use bolt::{Dictionary, Value};
use client::{ClientError, Connection, Table};
use serde::Serialize;

use crate::server_options::{NamedServer, ServerOptions};
use crate::{numbers, runtime};
use report::{Problem, Report};
use unusable::{Step, Unusable};

/// Ask a Neo4j who it is, what limits it has and who is connected; exit code 0 if it can be used
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  boltbouncer check --uri bolt://localhost:7687
  boltbouncer check --json | jq .query_ms          with NEO4J_URI and NEO4J_PASSWORD set

More: docs/check.md")]
pub struct Arguments {
    #[command(flatten)]
    server: ServerOptions,
    /// Seconds to wait for each step
    #[arg(
        long,
        value_name = "S",
        value_parser = numbers::seconds::<u64>,
        allow_negative_numbers = true,
        default_value_t = 10
    )]
    timeout_s: u64,
    /// Say it as one JSON object: the same facts, times in milliseconds, null where the server would not
    /// say; docs/check.md describes it
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let server = arguments.server.resolve()?.context(
        "no server given; name one with --uri or NEO4J_URI, for example bolt://localhost:7687",
    )?;
    let timeout = Duration::from_secs(arguments.timeout_s.max(1));
    match runtime::many_threads()?.block_on(Findings::gather(&server, timeout)) {
        Ok(findings) => {
            let report = Report::new(findings, &server);
            if arguments.json {
                print_json(&report)?
            } else {
                report.print()
            }
            Ok(())
        }
        Err(unusable) => {
            let problem = Problem::new(&unusable, &server);
            if arguments.json {
                print_json(&problem)?;
            }
            bail!("{problem}")
        }
    }
}

fn print_json(object: &impl Serialize) -> Result<()> {
    println!("{}", harmless::json(&serde_json::to_string_pretty(object)?));
    Ok(())
}

/// What was found out; `None` where the server would not say.
#[derive(Debug)]
struct Findings {
    agent: String,
    edition: Option<String>,
    bolt: String,
    /// What answers is a BoltBouncer in front of the server.
    is_pooler: bool,
    connect: Duration,
    login: Duration,
    /// The median of [`QUERIES`] round trips.
    query: Duration,
    limits: Option<Vec<(String, String)>>,
    connections: Option<BTreeMap<String, usize>>,
    transactions: Option<usize>,
}

impl Findings {
    async fn gather(server: &NamedServer, timeout: Duration) -> Result<Self, Unusable> {
        let NamedServer { target, user, password, database } = server;
        let began = Instant::now();
        let dialled = Connection::dial(target, timeout).await;
        let mut connection = dialled.map_err(Step::Connect.failed())?;
        let connect = began.elapsed();
        let began = Instant::now();
        let login = connection.login(USER_AGENT, &Auth::basic(user, password.expose())).await;
        login.map_err(Step::Login.failed())?;
        let login = began.elapsed();
        let mut asker = Asker { connection, database: database.clone() };
        let query = asker.round_trip().await.map_err(Step::Query.failed())?;
        let components =
            asker.ask("CALL dbms.components() YIELD name, versions, edition RETURN edition").await;
        let edition =
            components.and_then(|table| table.get(0, "edition").as_str().map(str::to_owned));
        let findings = Self {
            agent: asker.connection.server_agent().to_owned(),
            bolt: asker.connection.version().to_string(),
            edition,
            is_pooler: is_poolers(asker.connection.id()),
            connect,
            login,
            query,
            limits: asker.limits().await,
            connections: asker.connections().await,
            transactions: asker
                .ask("SHOW TRANSACTIONS YIELD connectionId RETURN connectionId")
                .await
                .map(|t| t.rows.len()),
        };
        asker.connection.close().await;
        Ok(findings)
    }
}

struct Asker {
    connection: Connection,
    database: Option<String>,
}

impl Asker {
    async fn run(&mut self, query: &str) -> Result<Table, ClientError> {
        let extra = TransactionExtra {
            mode: AccessMode::Read,
            database: self.database.clone(),
            ..TransactionExtra::default()
        };
        self.connection.run(query, Dictionary::new(), extra).await
    }

    /// The answer, or `None` if the server refuses to give one.
    async fn ask(&mut self, query: &str) -> Option<Table> {
        self.run(query).await.ok()
    }

    async fn round_trip(&mut self) -> Result<Duration, ClientError> {
        let mut times = Vec::with_capacity(QUERIES);
        for _ in 0..QUERIES {
            let began = Instant::now();
            self.run("RETURN 1").await?;
            times.push(began.elapsed());
        }
        times.sort();
        Ok(times[QUERIES / 2])
    }

    async fn limits(&mut self) -> Option<Vec<(String, String)>> {
        let table = self.ask("CALL dbms.listConfig() YIELD name, value RETURN name, value").await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let entries = (0..table.rows.len())
            .map(|row| (text(table.get(row, "name")), text(table.get(row, "value"))));
        let mut limits: Vec<_> =
            entries.filter(|(name, _)| SETTINGS.contains(&name.as_str())).collect();
        limits.sort();
        Some(limits)
    }

    async fn connections(&mut self) -> Option<BTreeMap<String, usize>> {
        let table =
            self.ask("CALL dbms.listConnections() YIELD userAgent RETURN userAgent").await?;
        let mut connections = BTreeMap::new();
        for row in 0..table.rows.len() {
            let user_agent = table.get(row, "userAgent").as_str().unwrap_or_default();
            *connections.entry(user_agent.to_owned()).or_default() += 1;
        }
        Some(connections)
    }
}

/// Whether a pooler has given a connection this id: servers have no numbers like these.
fn is_poolers(connection_id: &str) -> bool {
    let number = connection_id.strip_prefix("bolt-").and_then(|number| number.parse::<u64>().ok());
    number.is_some_and(|number| number >= pooler::FIRST_CLIENT)
}

const QUERIES: usize = 21;
const USER_AGENT: &str = concat!("boltbouncer-check/", env!("CARGO_PKG_VERSION"));
const SETTINGS: [&str; 8] = [
    "server.bolt.thread_pool_max_size",
    "server.bolt.thread_pool_min_size",
    "server.bolt.connection_keep_alive",
    "server.bolt.tls_level",
    "dbms.security.auth_lock_time",
    "dbms.security.auth_max_failed_attempts",
    "db.transaction.timeout",
    "dbms.memory.transaction.total.max",
];
