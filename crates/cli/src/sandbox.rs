//! `boltbouncer sandbox`: runs the embedded Bolt server until a signal ends it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bolt::Version;
use bolt::message::Secret;
use sandbox::{Sandbox, Settings};
use tokio::net::TcpListener;

use crate::signals::Signals;
use crate::{listen, open_files, runtime};

/// Run the embedded Bolt server: a small in-memory graph database for official drivers
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:7687", value_parser = listen::address)]
    listen: SocketAddr,
    /// Name of the only user
    #[arg(long, default_value = "neo4j")]
    user: String,
    /// Password of the user
    #[arg(
        long,
        env = "BOLTBOUNCER_SANDBOX_PASSWORD",
        hide_env_values = true,
        default_value = "boltbouncer"
    )]
    password: Secret,
    /// Let everybody in, whatever user and password they give
    #[arg(long)]
    no_auth: bool,
    /// Newest Bolt version to offer, to imitate an older server
    #[arg(long, default_value = "6.0")]
    max_bolt: Version,
    /// The server's name and version; drivers expect it to begin with `Neo4j/`
    #[arg(long, default_value = "Neo4j/2025.10.0")]
    agent: String,
    /// Close connections past this number as they arrive [default: what the limit of open files allows]
    #[arg(long)]
    max_connections: Option<usize>,
    /// How many transactions may be open; another one is refused, as in Neo4j, where each needs a thread
    #[arg(long, default_value_t = 400)]
    max_threads: usize,
    /// Processor time that each password check takes
    #[arg(long, default_value_t = 0)]
    auth_cost_ms: u64,
    /// Let nobody list the server's connections, as some managed servers do
    #[arg(long)]
    deny_listing: bool,
    /// How much longer every round trip takes
    #[arg(long, default_value_t = 0)]
    rtt_ms: u64,
    /// Most memory that the queries of one transaction may hold
    #[arg(long, default_value_t = 256)]
    transaction_memory_mb: usize,
}

impl Arguments {
    fn settings(self) -> Settings {
        Settings {
            max_bolt: self.max_bolt,
            agent: self.agent,
            users: if self.no_auth { Vec::new() } else { vec![(self.user, self.password)] },
            max_connections: self
                .max_connections
                .unwrap_or(open_files::max().saturating_sub(SPARE_FILES).max(1)),
            max_threads: self.max_threads,
            auth_cost: Duration::from_millis(self.auth_cost_ms),
            denies_listing: self.deny_listing,
            rtt: Duration::from_millis(self.rtt_ms),
            transaction_memory_max: self.transaction_memory_mb.saturating_mul(1 << 20),
            ..Settings::default()
        }
    }
}

/// Files that the process needs for itself.
const SPARE_FILES: usize = 64;

pub fn run(arguments: Arguments) -> Result<()> {
    if arguments.max_threads == 0 {
        bail!("--max-threads 0 would refuse every query; give at least 1");
    }
    runtime::many_threads()?.block_on(async {
        // Before anything is said: whoever reads the address may end the process at once.
        let mut signals = Signals::new()?;
        let listener = bind(arguments.listen).await?;
        let sandbox = Sandbox::start(listener, arguments.settings())?;
        println!("bolt://{}", sandbox.address());
        tokio::select! {
            () = sandbox.run() => {}
            () = signals.ended() => {}
        }
        Ok(())
    })
}

async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address}; choose another address with --listen (port 0 takes a free one)")
    })
}
