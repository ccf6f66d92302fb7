//! `boltbouncer sandbox`: runs the embedded Bolt server until a signal ends it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bolt::Version;
use bolt::message::Secret;
use sandbox::{Sandbox, Settings};
use tokio::net::TcpListener;

use crate::signals::Signals;
use crate::{numbers, open_files, runtime};

/// Run the embedded Bolt server: a small in-memory graph database for official drivers
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples, on which official drivers log in as neo4j with the password boltbouncer:
  boltbouncer sandbox
  boltbouncer sandbox --tls --rtt-ms 20            encrypted, and far away
  boltbouncer sandbox --max-connections 60         a server that refuses

More: docs/sandbox.md"
)]
pub struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:7687", value_parser = net::listen_address)]
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
    /// Encrypt, with a certificate that nobody has signed: clients use bolt+ssc
    #[arg(long)]
    tls: bool,
    /// Newest Bolt version to offer, to imitate an older server
    #[arg(long, default_value = "6.0")]
    max_bolt: Version,
    /// The server's name and version; drivers expect it to begin with `Neo4j/`
    #[arg(long, default_value = "Neo4j/2025.10.0")]
    agent: String,
    /// Close connections past this number as they arrive [default: what the limit of open files allows]
    #[arg(value_name = "N", value_parser = numbers::count::<usize>, allow_negative_numbers = true, long)]
    max_connections: Option<usize>,
    /// How many transactions may be open; another one is refused, as in Neo4j, where each needs a thread
    #[arg(value_name = "N", value_parser = numbers::count::<usize>, allow_negative_numbers = true, long, default_value_t = 400)]
    max_threads: usize,
    /// Processor time that each password check takes
    #[arg(value_name = "MS", value_parser = numbers::fractional_milliseconds, allow_negative_numbers = true, long, default_value_t = 0.0)]
    auth_cost_ms: f64,
    /// Let nobody list the server's connections, as some managed servers do
    #[arg(long)]
    deny_listing: bool,
    /// How much longer every round trip takes
    #[arg(value_name = "MS", value_parser = numbers::milliseconds::<u64>, allow_negative_numbers = true, long, default_value_t = 0)]
    rtt_ms: u64,
    /// Most memory that the queries of one transaction may hold
    #[arg(value_name = "N", value_parser = numbers::count::<usize>, allow_negative_numbers = true, long, default_value_t = 256)]
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
            auth_cost: Duration::from_secs_f64(self.auth_cost_ms / 1000.0),
            tls: self.tls,
            denies_listing: self.deny_listing,
            rtt: Duration::from_millis(self.rtt_ms),
            transaction_memory_max: self.transaction_memory_mb.saturating_mul(1 << 20),
            ..Settings::default()
        }
    }
}

/// Files that the process needs for itself.
const SPARE_FILES: usize = 64;
const AUTH_COST_MS_MAX: f64 = 60_000.0;

pub fn run(arguments: Arguments) -> Result<()> {
    numbers::refuse_zero(
        "refuse everything",
        [
            (arguments.max_threads, "--max-threads"),
            (arguments.max_connections.unwrap_or(1), "--max-connections"),
            (arguments.transaction_memory_mb, "--transaction-memory-mb"),
        ],
    )?;
    if !(0.0..=AUTH_COST_MS_MAX).contains(&arguments.auth_cost_ms) {
        bail!(
            "--auth-cost-ms {} makes no sense; give 0 to {AUTH_COST_MS_MAX}",
            arguments.auth_cost_ms
        );
    }
    let scheme = if arguments.tls { "bolt+ssc" } else { "bolt" };
    runtime::many_threads()?.block_on(async {
        // Before anything is said: whoever reads the address may end the process at once.
        let mut signals = Signals::new()?;
        let listener = bind(arguments.listen).await?;
        let sandbox = Sandbox::start(listener, arguments.settings())?;
        println!("{scheme}://{}", sandbox.address());
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
