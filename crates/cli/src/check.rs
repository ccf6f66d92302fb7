//! `boltbouncer check`: says who answers at an address, how fast, and with what limits and connections,
//! and gives advice. It logs in only once, so a wrong password is not tried again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bolt::message::{AccessMode, Auth, TransactionExtra};
use bolt::{Dictionary, Value};
use client::{Connection, Table};
use net::Encryption;

use crate::runtime;
use crate::server_options::{NamedServer, ServerOptions};
use crate::terminal::say;

/// Ask a Neo4j who it is, what limits it has and who is connected; exit code 0 if it can be used
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    server: ServerOptions,
    /// Seconds to wait for each step
    #[arg(long, default_value_t = 10)]
    timeout_s: u64,
}

pub fn run(arguments: &Arguments) -> Result<()> {
    let server = arguments.server.resolve()?.context(
        "no server given; name one with --uri or NEO4J_URI, for example bolt://localhost:7687",
    )?;
    let timeout = Duration::from_secs(arguments.timeout_s.max(1));
    let findings = runtime::many_threads()?.block_on(Findings::gather(&server, timeout))?;
    findings.print(&server);
    Ok(())
}

/// What was found out; `None` where the server would not say.
#[derive(Debug)]
struct Findings {
    agent: String,
    edition: Option<String>,
    bolt: String,
    connect: Duration,
    login: Duration,
    /// The median of [`QUERIES`] round trips.
    query: Duration,
    limits: Option<Vec<(String, String)>>,
    connections: Option<BTreeMap<String, usize>>,
    transactions: Option<usize>,
}

impl Findings {
    async fn gather(server: &NamedServer, timeout: Duration) -> Result<Self> {
        let NamedServer { target, user, password, database } = server;
        let began = Instant::now();
        let mut connection = Connection::dial(target, timeout).await.with_context(|| {
            format!("cannot reach {target}; is the server running, is this its Bolt port, and does it want TLS (bolt+s)?")
        })?;
        let connect = began.elapsed();
        let began = Instant::now();
        let login = connection.login(USER_AGENT, &Auth::basic(user, password.expose())).await;
        if let Err(error) = login {
            bail!("{target} answers, but not to user `{user}`: {error}");
        }
        let login = began.elapsed();
        let mut asker = Asker { connection, database: database.clone() };
        let query =
            asker.round_trip().await.context("the server answers, but cannot run a query")?;
        let components =
            asker.ask("CALL dbms.components() YIELD name, versions, edition RETURN edition").await;
        let edition =
            components.and_then(|table| table.get(0, "edition").as_str().map(str::to_owned));
        let findings = Self {
            agent: asker.connection.server_agent().to_owned(),
            bolt: asker.connection.version().to_string(),
            edition,
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

    fn print(&self, server: &NamedServer) {
        let edition = self.edition.as_deref().unwrap_or("edition unknown");
        say(format_args!("{} answers at {}", self.agent, server.target));
        say(format_args!("  edition       {edition}"));
        say(format_args!("  Bolt          {}", self.bolt));
        say(format_args!("  encryption    {}", encryption(server.target.encryption)));
        say(format_args!("  connect       {:.1} ms", milliseconds(self.connect)));
        say(format_args!("  login         {:.1} ms", milliseconds(self.login)));
        say(format_args!(
            "  query         {:.1} ms (median of {QUERIES})",
            milliseconds(self.query)
        ));
        match &self.limits {
            Some(limits) => {
                say("Limits");
                for (name, value) in limits {
                    say(format_args!("  {name} = {value}"));
                }
            }
            None => say("Limits: this user may not read them (dbms.listConfig)"),
        }
        match &self.connections {
            Some(connections) => {
                let total: usize = connections.values().sum();
                say(format_args!("Connections: {total}, this one included"));
                for (user_agent, count) in connections {
                    let who = if user_agent.is_empty() { "(not logged in)" } else { user_agent };
                    say(format_args!("  {count:>5}  {who}"));
                }
            }
            None => say("Connections: this user may not list them (dbms.listConnections)"),
        }
        say("Advice");
        for line in self.advice(server) {
            say(format_args!("  - {line}"));
        }
    }

    fn advice(&self, server: &NamedServer) -> Vec<String> {
        let mut advice = Vec::new();
        let limit = |name: &str| {
            let found = self.limits.iter().flatten().find(|(known, _)| known == name);
            found.and_then(|(_, value)| value.parse::<usize>().ok())
        };
        let threads = limit("server.bolt.thread_pool_max_size").unwrap_or(DEFAULT_THREADS);
        advice.push(format!(
            "The server runs at most {threads} transactions at once and refuses more. Keep the sum of all pool sizes below that."
        ));
        if let Some(open) = self.transactions.filter(|open| open * 2 > threads) {
            advice.push(format!("{open} transactions are open, more than half of what is possible: find out who holds them with SHOW TRANSACTIONS."));
        }
        if let Some((agent, count)) =
            self.connections.iter().flatten().max_by_key(|(_, count)| **count)
            && *count > MANY_CONNECTIONS
        {
            advice.push(format!(
                "`{agent}` holds {count} connections: look for a driver made for each call or task."
            ));
        }
        if self.login > self.query * 10 {
            advice.push(format!(
                "A login takes {:.0} times as long as a query: reuse drivers, and connections with them.",
                self.login.as_secs_f64() / self.query.as_secs_f64()
            ));
        }
        if server.target.encryption == Encryption::None && !server.target.is_this_machine() {
            advice.push("The connection is not encrypted: passwords cross the network in clear. Use bolt+s or neo4j+s.".into());
        }
        if server.target.encryption == Encryption::AnyCertificate {
            advice.push(
                "The certificate is not checked (+ssc): anybody on the way can pose as the server."
                    .into(),
            );
        }
        if server.target.host.ends_with(".databases.neo4j.io") {
            advice.push("Aura cuts connections that were idle for 60 minutes: set max_connection_lifetime below that.".into());
        }
        advice
    }
}

struct Asker {
    connection: Connection,
    database: Option<String>,
}

impl Asker {
    async fn run(&mut self, query: &str) -> Result<Table, client::ClientError> {
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

    async fn round_trip(&mut self) -> Result<Duration> {
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

fn encryption(encryption: Encryption) -> &'static str {
    match encryption {
        Encryption::None => "none",
        Encryption::Verified => "TLS, certificate checked",
        Encryption::AnyCertificate => "TLS, certificate not checked",
    }
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

const QUERIES: usize = 21;
/// Neo4j's default.
const DEFAULT_THREADS: usize = 400;
/// A driver's default pool holds up to 100; more from one user agent are several drivers.
const MANY_CONNECTIONS: usize = 100;
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
