//! Accepts connections. Dropping the server ends them all.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bolt::Version;
use bolt::version::{NEO4J_RANGES, narrow};
use net::{Certificate, PrivateKeyDer};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinHandle, JoinSet};
use tracing::{debug, warn};

use crate::books::{Books, Snapshot};
use crate::session;
use crate::settings::Settings;
use crate::shared::Shared;

/// A running server.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    books: Arc<Books>,
    accepting: JoinHandle<()>,
    _engine: EngineThreads,
}

#[derive(Debug, Error)]
pub enum StartError {
    #[error("cannot start the engine's threads: {0}")]
    Threads(io::Error),
    #[error("the listening socket has no address: {0}")]
    Address(io::Error),
    #[error("cannot make a certificate: {0}")]
    Certificate(String),
    #[error("no Bolt version is left with --max-bolt {0}; the oldest one is 4.4")]
    NoVersion(Version),
}

impl Sandbox {
    /// Serves connections of `listener` until the server is dropped. Needs a Tokio runtime with
    /// time and I/O enabled.
    pub fn start(listener: TcpListener, settings: Settings) -> Result<Self, StartError> {
        // 6.1 adds a type that the engine has not.
        let limit = settings.max_bolt.min(Version::V6_0);
        let served = narrow(&NEO4J_RANGES, limit);
        if served.is_empty() {
            return Err(StartError::NoVersion(settings.max_bolt));
        }
        let address = listener.local_addr().map_err(StartError::Address)?;
        let engine = EngineThreads::start(settings.max_threads).map_err(StartError::Threads)?;
        let books = Arc::new(Books::default());
        let certificate = if settings.tls { Some(self_signed(address)?) } else { None };
        let threads = engine.handle();
        let shared = Shared::new(address, served, settings, books.clone(), certificate, threads);
        let accepting = tokio::spawn(accept(listener, Arc::new(shared)));
        Ok(Self { address, books, accepting, _engine: engine })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn books(&self) -> Snapshot {
        self.books.snapshot()
    }

    /// Lets the peaks in the books begin anew.
    pub fn reset_peaks(&self) {
        self.books.reset_peaks();
    }

    /// Waits until the server ends, which it does by itself only if its task is killed.
    pub async fn run(mut self) {
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A certificate for the host that is listened on, and for `localhost`, which nobody has signed.
fn self_signed(address: SocketAddr) -> Result<Certificate, StartError> {
    let problem = |error: &dyn std::fmt::Display| StartError::Certificate(error.to_string());
    let names = vec!["localhost".to_owned(), address.ip().to_string()];
    let made = rcgen::generate_simple_self_signed(names).map_err(|error| problem(&error))?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    Certificate::from_der(vec![made.cert.der().clone()], key).map_err(|error| problem(&error))
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, client)) => admit(stream, client, &shared, &mut sessions),
                Err(error) => {
                    // Mostly: no file descriptors left. Trying again at once would spin.
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            },
            Some(_) = sessions.join_next() => {}
        }
    }
}

fn admit(stream: TcpStream, client: SocketAddr, shared: &Arc<Shared>, sessions: &mut JoinSet<()>) {
    let limit = shared.engine.settings.max_connections;
    let Some(entry) = shared.books.open(client, shared.address, limit) else {
        debug!(%client, limit, "connection refused: the server is full");
        return;
    };
    if let Err(error) = stream.set_nodelay(true) {
        debug!(%client, %error, "cannot switch off Nagle's algorithm");
    }
    let shared = shared.clone();
    sessions.spawn(async move {
        session::serve(stream, entry, shared).await;
    });
}

/// A runtime for its blocking threads alone: Tokio's own have too small a stack for queries.
#[derive(Debug)]
struct EngineThreads {
    runtime: Option<Runtime>,
}

impl EngineThreads {
    fn start(max_threads: usize) -> io::Result<Self> {
        // A transaction has one job at a time, so that a thread is there for each; some more decode
        // large messages and check passwords.
        let threads = max_threads.saturating_add(OTHER_THREADS).min(THREADS_MAX);
        let runtime = Builder::new_current_thread()
            .thread_name("sandbox-engine")
            .thread_stack_size(graph::STACK_BYTES)
            .max_blocking_threads(threads)
            .build()?;
        Ok(Self { runtime: Some(runtime) })
    }

    fn handle(&self) -> Handle {
        self.runtime.as_ref().expect("present until dropped").handle().clone()
    }
}

impl Drop for EngineThreads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

const OTHER_THREADS: usize = 8;
const THREADS_MAX: usize = 10_000;
