//! The command line.

use std::time::Duration;

use bolt::Version;
use bolt::message::{Auth, Secret};
use net::Target;

/// Load and chaos for campaigns against a pooler
#[derive(Debug, clap::Parser)]
pub enum Command {
    Load(Box<Load>),
    Relay(Relay),
}

/// Ask, write and vanish; print what came of it as JSON
#[derive(Debug, clap::Args)]
pub struct Load {
    /// A pooler; if there are several, each connection goes to one of them at random
    #[arg(long, required = true)]
    pub pooler: Vec<Target>,
    /// The server behind it, where connections are killed and counted
    #[arg(long)]
    pub server: Target,
    /// Names of users, all with the same password
    #[arg(long, value_delimiter = ',', default_value = "neo4j")]
    pub user: Vec<String>,
    #[arg(long, env = "CROSS_TALK_PASSWORD", hide_env_values = true)]
    pub password: Secret,
    /// Let the first user, an administrator, create the others
    #[arg(long)]
    pub create_users: bool,
    /// Bolt versions; each connection speaks one of them
    #[arg(long, value_delimiter = ',', default_value = "4.4,5.8,6.0")]
    pub bolt: Vec<Version>,
    #[arg(long, default_value_t = 120)]
    pub clients: u64,
    /// End when so many queries have been answered
    #[arg(long, default_value_t = u64::MAX)]
    pub queries: u64,
    /// End after so many seconds
    #[arg(long, default_value_t = 3600)]
    pub seconds: u64,
    /// Queries that are answered between two kills at the server; 0: no kills
    #[arg(long, default_value_t = 100)]
    pub kill_every: u64,
    /// How long a client rests in a transaction that is to be ended by a time-out
    #[arg(long, default_value_t = 600)]
    pub rest_ms: u64,
    /// Don't compare at the end: the server has been restarted and has forgotten
    #[arg(long)]
    pub no_audit: bool,
    /// Where random choices start
    #[arg(long, default_value_t = 12)]
    pub seed: u64,
}

impl Load {
    pub fn auth(&self, user: &str) -> Auth {
        Auth::basic(user, self.password.expose())
    }

    pub fn rest(&self) -> Duration {
        Duration::from_millis(self.rest_ms)
    }
}

/// Relay to a server, and cut connections now and then; print where it listens
#[derive(Debug, clap::Args)]
pub struct Relay {
    #[arg(long)]
    pub to: Target,
    /// The mean time between two cuts, in milliseconds
    #[arg(long, default_value_t = 50)]
    pub cut_ms: u64,
}
