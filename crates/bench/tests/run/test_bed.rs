//! A sandbox that is reached through relays, and a clock that their traffic drives. A relay reads each
//! request of its clients, and does with it what its rule says. Time moves only when a relay passes
//! something on, so that nothing depends on how fast the machine is.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use bench::{NamedTarget, Settings, Workload};
use bolt::message::Auth;
use bolt::{Dictionary, Request, Value, Version, chunk, version};
use client::Connection;
use net::Target;
use sandbox::Sandbox;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::advance;

/// Needs a paused clock.
pub struct TestBed {
    pub sandbox: Sandbox,
    /// While this is there the clock does not go on by itself, even when every task waits.
    _standstill: mpsc::Sender<()>,
}

impl TestBed {
    pub async fn start() -> Self {
        Self::with(sandbox::Settings::default()).await
    }

    pub async fn with(settings: sandbox::Settings) -> Self {
        let (standstill, end) = mpsc::channel();
        // Tokio lets a paused clock jump to the next timer, but not while a blocking task runs.
        tokio::task::spawn_blocking(move || end.recv());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { sandbox: Sandbox::start(listener, settings).unwrap(), _standstill: standstill }
    }

    /// A relay that takes everything to the sandbox.
    pub async fn open(&self) -> Relay {
        self.relay(|_| Action::Pass).await
    }

    /// A relay that does what `rule` says of each request.
    pub async fn relay(&self, rule: impl FnMut(&Request) -> Action + Send + 'static) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let route = Route {
            sandbox: self.sandbox.address(),
            rule: Arc::new(Mutex::new(rule)),
            end: Arc::default(),
        };
        Relay { address, accepting: tokio::spawn(accept(listener, route)) }
    }

    /// What the sandbox answers, without a relay.
    pub async fn ask(&self, query: &str) -> Value {
        let mut connection =
            Connection::dial(&target(self.sandbox.address()), TIMEOUT).await.unwrap();
        connection.login("test-bed/1", &Auth::basic("neo4j", "boltbouncer")).await.unwrap();
        let table = connection.run(query, Dictionary::new(), Default::default()).await.unwrap();
        connection.close().await;
        table.rows[0][0].clone()
    }

    /// Nodes of the load generator's that begin their mark with `target`.
    pub async fn left_behind(&self, target: &str) -> i64 {
        let query = format!(
            "MATCH (n:BoltBouncerBench) WHERE n.mark STARTS WITH '{target}' RETURN count(n)"
        );
        self.ask(&query).await.as_integer().unwrap()
    }
}

/// Two rounds of [`OPERATIONS`] queries each, on targets that are called a, b and so on.
pub fn settings(relays: &[&Relay]) -> Settings {
    let named = |(relay, name): (&&Relay, char)| NamedTarget {
        name: name.into(),
        target: target(relay.address),
    };
    let rounds = 2;
    Settings {
        targets: relays.iter().zip('a'..).map(named).collect(),
        user: "neo4j".into(),
        password: "boltbouncer".into(),
        database: None,
        users: None,
        workloads: vec![Workload::Query],
        clients: 1,
        idle_clients: 0,
        duration: rounds * OPERATIONS * TICK,
        rounds: rounds as usize,
        warm_up: Duration::ZERO,
        settle: Duration::ZERO,
        rate: None,
        records: 1000,
        record_bytes: 100,
        link_delay: None,
        processes: Vec::new(),
        checks: Vec::new(),
        timeout: TIMEOUT,
        shows_progress: false,
    }
}

fn target(address: SocketAddr) -> Target {
    format!("bolt://{address}").parse().unwrap()
}

/// What becomes of a request.
pub enum Action {
    Pass,
    /// It is passed on after so much time.
    Delay(Duration),
    /// This one goes to the sandbox in its place.
    Replace(Request),
    /// The sandbox never hears of it, the client hears SUCCESS.
    Swallow,
    /// The connection is closed.
    HangUp,
    /// The relay is gone, with all of its connections.
    Vanish,
}

/// Ends when it is dropped.
pub struct Relay {
    pub address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What a relay's connections share.
struct Route<R> {
    sandbox: SocketAddr,
    rule: Arc<Mutex<R>>,
    end: Arc<Notify>,
}

impl<R> Clone for Route<R> {
    fn clone(&self) -> Self {
        Self { rule: self.rule.clone(), end: self.end.clone(), ..*self }
    }
}

async fn accept<R: FnMut(&Request) -> Action + Send + 'static>(
    listener: TcpListener,
    route: Route<R>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                connections.spawn(connect(accepted.unwrap().0, route.clone()));
            }
            () = route.end.notified() => break,
        }
    }
    // In this order: whoever notices that its connection has ended finds nobody listening.
    drop(listener);
    drop(connections);
}

async fn connect<R: FnMut(&Request) -> Action>(
    mut client: TcpStream,
    route: Route<R>,
) -> io::Result<()> {
    let mut server = TcpStream::connect(route.sandbox).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    agree(&mut client, &mut server).await?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let to_client = tokio::sync::Mutex::new(to_client);
    tokio::select! {
        ended = carry_requests(from_client, to_server, &to_client, &route) => ended,
        ended = carry_answers(from_server, &to_client) => ended,
    }
}

/// Takes the handshake to and fro.
async fn agree(client: &mut TcpStream, server: &mut TcpStream) -> io::Result<()> {
    let mut opening = version::opening(&version::NEO4J_PROPOSALS);
    client.read_exact(&mut opening).await?;
    server.write_all(&opening).await?;
    let mut manifest = Vec::new();
    while version::read_answer(&mut manifest.as_slice().into()).unwrap().is_none() {
        server.read_buf(&mut manifest).await?;
    }
    client.write_all(&manifest).await?;
    let mut choice = version::choice(Version::V6_0);
    client.read_exact(&mut choice).await?;
    server.write_all(&choice).await
}

async fn carry_requests<R: FnMut(&Request) -> Action>(
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
    to_client: &tokio::sync::Mutex<OwnedWriteHalf>,
    route: &Route<R>,
) -> io::Result<()> {
    loop {
        let wire = read_message(&mut client).await?;
        let request = Request::decode(&chunk::payload(&wire), Version::V6_0).unwrap();
        if matches!(request, Request::Run { .. }) {
            advance(TICK).await;
        }
        let action = (route.rule.lock().unwrap())(&request);
        match action {
            Action::Pass => server.write_all(&wire).await?,
            Action::Delay(duration) => {
                advance(duration).await;
                server.write_all(&wire).await?;
            }
            Action::Replace(other) => {
                let mut wire = Default::default();
                other.put(&mut wire);
                server.write_all(&wire).await?;
            }
            Action::Swallow => to_client.lock().await.write_all(&EMPTY_SUCCESS).await?,
            Action::HangUp => return Ok(()),
            Action::Vanish => {
                route.end.notify_one();
                std::future::pending::<()>().await;
            }
        }
    }
}

/// A message as it came over the wire, from its first chunk to its end.
async fn read_message(client: &mut OwnedReadHalf) -> io::Result<Vec<u8>> {
    let mut wire = Vec::new();
    loop {
        let length = client.read_u16().await?;
        wire.extend(length.to_be_bytes());
        if length == 0 {
            return Ok(wire);
        }
        let begin = wire.len();
        wire.resize(begin + usize::from(length), 0);
        client.read_exact(&mut wire[begin..]).await?;
    }
}

async fn carry_answers(
    mut server: OwnedReadHalf,
    to_client: &tokio::sync::Mutex<OwnedWriteHalf>,
) -> io::Result<()> {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        match server.read(&mut bytes).await? {
            0 => return Ok(()),
            read => to_client.lock().await.write_all(&bytes[..read]).await?,
        }
    }
}

/// How long a RUN takes; every operation of every workload has one.
pub const TICK: Duration = Duration::from_millis(1);
/// How many operations one client runs in one round of [`settings`].
pub const OPERATIONS: u32 = 10;
/// Never over: the clock hardly moves.
const TIMEOUT: Duration = Duration::from_secs(3600);
const EMPTY_SUCCESS: [u8; 7] = [0x00, 0x03, 0xB1, 0x70, 0xA0, 0x00, 0x00];
