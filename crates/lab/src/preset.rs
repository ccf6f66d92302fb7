//! What the embedded server is like: which limits it has, what a login costs it, how far away it is. Each
//! number is one that was measured on a real server, or a tenth of it, and says where it comes from.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// A tenth of a real server's limits, for a load that is a tenth of a busy Airflow's.
    SmallServer,
    /// A managed server: encrypted, and 20 ms away.
    AuraLike,
    /// No limits but Neo4j's own, and logins that cost nothing.
    #[default]
    Unlimited,
}

impl Preset {
    pub const ALL: [Self; 3] = [Self::SmallServer, Self::AuraLike, Self::Unlimited];

    pub fn name(self) -> &'static str {
        match self {
            Self::SmallServer => "small-server",
            Self::AuraLike => "aura-like",
            Self::Unlimited => "unlimited",
        }
    }

    /// In a line.
    pub fn summary(self) -> &'static str {
        match self {
            Self::SmallServer => "66 connections, 40 threads, 0.4 ms of processor time for a login",
            Self::AuraLike => "TLS, 20 ms away, 400 threads, 0.4 ms of processor time for a login",
            Self::Unlimited => "any number of connections, 400 threads, logins for nothing",
        }
    }

    /// What it stands for, and where its numbers come from.
    pub fn reasons(self) -> &'static str {
        match self {
            Self::SmallServer => {
                "A tenth of a real server, as the lab's load is a tenth of a busy Airflow's. \
                 Connections: Neo4j has no limit of its own, but its process has one. A Neo4j 5.26.0 that \
                 may open 1,024 files, a common default, took some 660 connections and then no more (measured). \
                 Services have quotas as well: Amazon Neptune takes 512 Bolt connections on its smallest \
                 instances and 1,000 on others. Threads: Neo4j has 400 \
                 (server.bolt.thread_pool_max_size). A login costs a warm Neo4j 0.4 ms of processor time, a \
                 fresh one 2 ms (measured)."
            }
            Self::AuraLike => {
                "A managed server in another network: each round trip takes 20 ms, and a new connection \
                 takes several of them: for TCP, TLS, the handshake, HELLO and LOGON. The pooler is near \
                 the tasks. Neo4j's own limit of threads, no limit of connections."
            }
            Self::Unlimited => {
                "Nothing is ever refused, so that every count is exact: this is what the README's 500, \
                 100 and 4 connections were counted on, and what a Neo4j at its defaults does."
            }
        }
    }

    pub(crate) fn limits(self) -> Limits {
        match self {
            Self::SmallServer => {
                Limits { connections: Some(66), threads: Some(40), rtt_ms: 0, login_cpu_ms: LOGIN }
            }
            Self::AuraLike => {
                Limits { connections: None, threads: Some(400), rtt_ms: 20, login_cpu_ms: LOGIN }
            }
            Self::Unlimited => {
                Limits { connections: None, threads: Some(400), rtt_ms: 0, login_cpu_ms: 0.0 }
            }
        }
    }

    /// Whether clients have to encrypt.
    pub(crate) fn encrypts(self) -> bool {
        self == Self::AuraLike
    }

    pub(crate) fn sandbox(self) -> sandbox::Settings {
        let defaults = sandbox::Settings::default();
        let limits = self.limits();
        sandbox::Settings {
            max_connections: limits.connections.unwrap_or(defaults.max_connections),
            max_threads: limits.threads.unwrap_or(defaults.max_threads),
            auth_cost: Duration::from_secs_f64(limits.login_cpu_ms / 1000.0),
            rtt: Duration::from_millis(limits.rtt_ms),
            tls: self.encrypts(),
            ..defaults
        }
    }
}

/// The limits of a server that are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Connections past this are refused. Neo4j itself has no such limit.
    pub connections: Option<usize>,
    /// Open transactions past this are refused.
    pub threads: Option<usize>,
    /// What is added to each round trip.
    pub rtt_ms: u64,
    /// Processor time that is added to each login.
    pub login_cpu_ms: f64,
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Preset {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|preset| preset.name() == name.trim());
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no preset `{name}`; choose from {names}")
        })
    }
}

/// Milliseconds: what logging in took from a warm Neo4j 5.26.0 beyond connecting. `docs/results/login-cost.md`
/// has the measurement.
const LOGIN: f64 = 0.4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preset_says_what_it_sets() {
        for preset in Preset::ALL {
            let (summary, limits) = (preset.summary(), preset.limits());
            assert_eq!(preset.name().parse(), Ok(preset));
            let connections = limits.connections.map(|most| format!("{most} connections"));
            assert!(connections.is_none_or(|words| summary.contains(&words)), "{summary}");
            let threads = format!("{} threads", limits.threads.unwrap_or_default());
            assert!(summary.contains(&threads), "{summary}");
            assert_eq!(summary.contains("TLS"), preset.encrypts(), "{summary}");
            assert_eq!(summary.contains("0.4 ms"), limits.login_cpu_ms == 0.4, "{summary}");
            assert_eq!(summary.contains("20 ms away"), limits.rtt_ms == 20, "{summary}");
        }
        assert!("small".parse::<Preset>().unwrap_err().contains("small-server, aura-like"));
    }
}
