//! The server of a run: the sandbox in this process, or a Neo4j somewhere. The lab logs in to it once
//! before any task starts, which finds out who it is and whether the password is right.

use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bolt::Dictionary;
use bolt::message::{Auth, Secret, TransactionExtra};
use client::{ClientError, Connection};
use kernel::process::Process;
use kernel::socket;
use net::Target;
use sandbox::Sandbox;
use tokio::net::TcpListener;

use crate::counter::listing::SAMPLER;
use crate::counter::{Books, Counter, Listing, Names, Origin, PoolerOrigin, Sockets};
use crate::own_pooler::{self, OwnPooler};
use crate::preset::{Limits, Preset};
use crate::results::{PoolerNumbers, Sample, TargetInfo};
use crate::settings::{Pattern, ServerChoice};

#[derive(Debug)]
pub(crate) struct Server {
    pub user: String,
    pub password: Secret,
    pub database: Option<String>,
    pub counter: Counter,
    target: Target,
    /// What the embedded server is like.
    preset: Option<Preset>,
    limits: Limits,
    /// Runs while a pattern runs that goes through it.
    pooler: Option<OwnPooler>,
    /// Where that pooler listens. It is open before the pooler runs, as the tasks of a native Airflow are
    /// told the address when Airflow is started. `None` if the tasks have another pooler.
    pooler_listener: Option<StdListener>,
    agent: String,
    bolt: String,
    /// The server's process, if it is known and on this machine.
    pid: Option<u32>,
}

/// Who the lab and its tasks are at a Neo4j.
struct Login<'a> {
    user: &'a str,
    password: &'a Secret,
    database: Option<&'a str>,
}

/// What a server's process has used so far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerUse {
    pub cpu_s: f64,
    pub memory_bytes: u64,
}

impl Server {
    /// `pooler_listen` is where the lab's pooler is to listen; `None` if the lab has none.
    pub async fn start(choice: &ServerChoice, pooler_listen: Option<SocketAddr>) -> Result<Self> {
        match choice {
            ServerChoice::Embedded(preset) => Self::embedded(*preset, pooler_listen).await,
            ServerChoice::Neo4j { target, user, password, database } => {
                let login = Login { user, password, database: database.as_deref() };
                Self::neo4j(target, login, pooler_listen).await
            }
        }
    }

    async fn embedded(preset: Preset, pooler_listen: Option<SocketAddr>) -> Result<Self> {
        let listener =
            TcpListener::bind("127.0.0.1:0").await.context("cannot listen on 127.0.0.1")?;
        let settings = preset.sandbox();
        let (user, password) = settings.users[0].clone();
        let (agent, bolt) = (settings.agent.clone(), settings.max_bolt.to_string());
        let sandbox = Arc::new(Sandbox::start(listener, settings)?);
        let scheme = if preset.encrypts() { "bolt+ssc" } else { "bolt" };
        Ok(Self {
            target: format!("{scheme}://{}", sandbox.address()).parse()?,
            preset: Some(preset),
            limits: preset.limits(),
            user,
            password,
            database: None,
            counter: Counter::Books(Books::new(sandbox)),
            pooler: None,
            pooler_listener: pooler_listen.map(listen).transpose()?,
            agent: format!("{agent} (sandbox)"),
            bolt,
            pid: Some(std::process::id()),
        })
    }

    async fn neo4j(
        target: &Target,
        login: Login<'_>,
        pooler_listen: Option<SocketAddr>,
    ) -> Result<Self> {
        let Login { user, password, database } = login;
        let auth = Auth::basic(user, password.expose());
        let mut connection = Connection::dial(target, TIMEOUT).await.with_context(|| {
            format!("cannot reach {target}; is the server running, is this its Bolt port, and does it want TLS (bolt+s)?")
        })?;
        connection.login(SAMPLER, &auth).await.map_err(|error| refused(error, user))?;
        let (agent, bolt) =
            (connection.server_agent().to_owned(), connection.version().to_string());
        let limits = limits(&mut connection).await?;
        let counter = counter(target, auth, connection).await?;
        Ok(Self {
            preset: None,
            limits,
            target: target.clone(),
            user: user.to_owned(),
            password: password.clone(),
            database: database.map(str::to_owned),
            counter,
            pooler: None,
            pooler_listener: pooler_listen.map(listen).transpose()?,
            agent,
            bolt,
            pid: if target.is_this_machine() {
                socket::process_listening_on(target.port)
            } else {
                None
            },
        })
    }

    pub fn info(&self) -> TargetInfo {
        TargetInfo {
            uri: self.target.to_string(),
            embedded: matches!(self.counter, Counter::Books(_)),
            agent: self.agent.clone(),
            bolt: self.bolt.clone(),
            counted_by: self.counter.counted_by(),
            preset: self.preset,
            limits: self.limits,
        }
    }

    /// Gets ready for a pattern whose tasks have these names. Counting starts before the pooler does, so
    /// that each connection of the pooler is seen.
    pub async fn begin(&mut self, pattern: Pattern, pool_size: usize, names: Names) -> Result<()> {
        let is_pooled = pattern == Pattern::Pooled;
        let pooler = is_pooled.then_some(match self.pooler_listener {
            Some(_) => PoolerOrigin::New(own_pooler::USER_AGENT),
            None => PoolerOrigin::Any,
        });
        self.counter.begin(Origin { tasks: names, pooler }).await?;
        if is_pooled {
            self.start_pooler(pool_size, None).await?;
        }
        Ok(())
    }

    /// Starts the pooler, if the lab has one, with admin pages at `admin` if that is given.
    pub async fn start_pooler(
        &mut self,
        pool_size: usize,
        admin: Option<SocketAddr>,
    ) -> Result<()> {
        if let Some(listener) = &self.pooler_listener {
            let listener = TcpListener::from_std(listener.try_clone()?)?;
            let pooler = OwnPooler::start(listener, &self.target, pool_size, admin).await?;
            self.pooler = Some(pooler);
        }
        Ok(())
    }

    /// Where the running pooler's admin pages are.
    pub fn pooler_admin(&self) -> Option<SocketAddr> {
        self.pooler.as_ref()?.admin_address()
    }

    /// What the tasks of `pattern` dial.
    pub fn uri(&self, pattern: Pattern) -> Result<String> {
        match &self.pooler_listener {
            Some(listener) if pattern == Pattern::Pooled => {
                // Tasks on this machine need no TLS, whatever the server's scheme; they use a routing
                // scheme if the lab was told to.
                let scheme = if self.target.routing { "neo4j" } else { "bolt" };
                Ok(format!("{scheme}://{}", listener.local_addr()?))
            }
            _ => Ok(self.target.to_string()),
        }
    }

    /// Counts now; `pids` are the task processes that run.
    pub async fn sample(&mut self, at_ms: u64, pids: &[u32]) -> Result<Sample> {
        if let Some(pooler) = &mut self.pooler {
            pooler.sample();
        }
        self.counter.sample(at_ms, pids).await
    }

    /// Ends the pooler after the tasks, and returns what it has counted.
    pub async fn end_pooler(&mut self) -> Option<PoolerNumbers> {
        match self.pooler.take() {
            Some(pooler) => Some(pooler.end().await),
            None => None,
        }
    }

    /// Processor time and memory of the server's process so far.
    pub fn used(&self) -> Option<ServerUse> {
        used(self.pid?)
    }
}

fn listen(address: SocketAddr) -> Result<StdListener> {
    let listener = StdListener::bind(address)
        .with_context(|| format!("cannot listen on {address} for the pooler"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn refused(error: ClientError, user: &str) -> anyhow::Error {
    match error.code() {
        Some(code) if code.contains(".Security.") => anyhow::anyhow!(
            "the server refused user `{user}` ({code}); check --user and --password (not tried again: Neo4j locks a user after three failures)"
        ),
        _ => anyhow::Error::new(error).context("the server refused the login"),
    }
}

/// The server's list of connections if that shows all of them, otherwise the tasks' sockets.
async fn counter(target: &Target, auth: Auth, mut connection: Connection) -> Result<Counter> {
    let sockets = |addresses| Ok(Counter::Sockets(Sockets::new(addresses, target.port)));
    if target.routing && members(&mut connection).await? > 1 {
        // The list shows the connections of one member only, and the tasks talk to several.
        connection.close().await;
        return sockets(Vec::new());
    }
    match Listing::start(target.clone(), auth, connection).await {
        Ok(listing) => Ok(Counter::Listing(Box::new(listing))),
        Err(ClientError::Server(_)) => {
            let addresses: Vec<IpAddr> =
                target.resolve()?.iter().map(std::net::SocketAddr::ip).collect();
            sockets(addresses)
        }
        Err(error) => bail!(error),
    }
}

/// How many different addresses the routing table has.
async fn members(connection: &mut Connection) -> Result<i64, ClientError> {
    let query = "CALL dbms.routing.getRoutingTable({}) YIELD servers UNWIND servers AS s \
                 UNWIND s.addresses AS a RETURN count(DISTINCT a) AS members";
    match connection.run(query, Dictionary::new(), TransactionExtra::default()).await {
        Ok(table) => Ok(table.get(0, "members").as_integer().unwrap_or(1)),
        // A server without the procedure stands alone.
        Err(ClientError::Server(_)) => Ok(1),
        Err(error) => Err(error),
    }
}

/// The server's own limit of threads. It has none of connections. One that keeps its settings to itself
/// has none that are known.
async fn limits(connection: &mut Connection) -> Result<Limits, ClientError> {
    let query = "CALL dbms.listConfig() YIELD name, value RETURN name, value";
    match connection.run(query, Dictionary::new(), TransactionExtra::default()).await {
        Ok(table) => {
            let is_it = |row: &usize| table.get(*row, "name").as_str() == Some(THREADS);
            let row = (0..table.rows.len()).find(is_it);
            let value = row.and_then(|row| table.get(row, "value").as_str());
            let threads = value.and_then(|text| text.parse().ok());
            Ok(Limits { threads, ..Limits::default() })
        }
        Err(ClientError::Server(_)) => Ok(Limits::default()),
        Err(error) => Err(error),
    }
}

fn used(pid: u32) -> Option<ServerUse> {
    let process = Process::read(pid)?;
    Some(ServerUse { cpu_s: process.cpu_s, memory_bytes: process.memory_bytes })
}

const THREADS: &str = "server.bolt.thread_pool_max_size";
const TIMEOUT: Duration = Duration::from_secs(30);
