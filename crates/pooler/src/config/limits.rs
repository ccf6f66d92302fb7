//! Limits and time-outs, all of which can be reloaded. Names are those of the Neo4j drivers where
//! these have the thing, and PgBouncer's where they don't.

use std::fmt;
use std::time::Duration;

use net::KeepAlive;
use serde::Deserialize;

use super::error::ConfigError;

/// A time in seconds, fractions allowed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(try_from = "f64")]
pub struct Seconds(pub Duration);

impl Seconds {
    pub const fn new(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// The time, unless it is 0, which switches a limit off.
    pub fn limit(self) -> Option<Duration> {
        (!self.0.is_zero()).then_some(self.0)
    }
}

impl TryFrom<f64> for Seconds {
    type Error = String;

    fn try_from(seconds: f64) -> Result<Self, String> {
        let limit = Duration::from_secs(SECONDS_MAX).as_secs_f64();
        if !(0.0..=limit).contains(&seconds) {
            return Err(format!("{seconds} is not a number of seconds from 0 to {limit}"));
        }
        Ok(Self(Duration::from_secs_f64(seconds)))
    }
}

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs_f64())
    }
}

/// `docs/pooler.md` says for each what happens when it is reached.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Upstream connections of one principal.
    pub max_connection_pool_size: usize,
    /// Kept open while the principal has clients.
    pub min_connection_pool_size: usize,
    /// How many more there may be while clients let as many rest in a transaction, a result or a
    /// request: as many as `max_connection_pool_size` unless it is set; 0: none.
    pub max_parked_connections: Option<usize>,
    /// Upstream connections of all principals together; 0: no limit.
    pub max_upstream_connections: usize,
    /// How many connections a pool opens at the same time.
    pub max_parallel_connects: usize,
    /// How long a unit of work waits for an upstream connection.
    pub connection_acquisition_timeout: Seconds,
    /// A wait for a connection that is longer is put on record, with who held them; 0: only one that was
    /// in vain is.
    pub slow_wait_threshold: Seconds,
    /// How many clients of one principal may wait.
    pub max_waiting_clients: usize,
    /// How often the upstream's name is looked up.
    pub dns_interval: Seconds,
    /// How long opening and logging in to an upstream connection may take.
    pub connection_timeout: Seconds,
    /// Upstream connections are replaced at this age, more or less a tenth.
    pub max_connection_lifetime: Seconds,
    /// Upstream connections that nobody used for so long are closed; 0: never.
    pub max_idle_time: Seconds,
    /// Upstream connections on which nothing was heard for so long while nobody used them are asked for a
    /// sign of life; 0: never.
    pub liveness_check_timeout: Seconds,

    /// 0: as many as the limit of open files allows.
    pub max_client_connections: usize,
    /// Client connections of one principal; 0: no limit.
    pub max_user_client_connections: usize,
    /// How long a client may stay that has nothing under way; 0: for ever.
    pub client_idle_timeout: Seconds,
    /// From connecting to being logged in; the wait for an upstream that is down included.
    pub client_login_timeout: Seconds,
    /// From the first byte of a request to its last, while no unit of work is under way.
    pub client_request_timeout: Seconds,
    /// How long a client may take nothing of what it asked for.
    pub client_write_timeout: Seconds,
    /// How long nothing may come over a connection, to either side, before the kernel asks whether
    /// anybody is there; 0: it never asks.
    pub tcp_keepalive: Seconds,
    /// Between two such questions.
    pub tcp_keepalive_interval: Seconds,
    /// So many without an answer end the connection.
    pub tcp_keepalive_probes: u32,
    /// How often a client that waits for an answer hears that the connection is alive. It is told
    /// to give up after three times as long.
    pub keep_alive_interval: Seconds,
    /// How long a client may let its connection rest while somebody waits for one in vain: 20 s, or
    /// half of `connection_acquisition_timeout` if that is less, unless it is set; 0: for ever.
    pub contended_idle_timeout: Option<Seconds>,
    /// How long an open transaction or result may wait for its client; 0: for ever.
    pub idle_in_transaction_timeout: Seconds,
    /// How long a unit of work may hold its upstream connection; 0: for ever.
    pub transaction_timeout: Seconds,

    /// For how long after it was checked upstream a credential is good for further logins.
    pub auth_cache_ttl: Seconds,
    /// How long open transactions may go on after the first SIGTERM.
    pub shutdown_timeout: Seconds,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connection_pool_size: 20,
            min_connection_pool_size: 0,
            max_parked_connections: None,
            // Neo4j has 400 threads for transactions (server.bolt.thread_pool_max_size) and rejects
            // what comes on top; some are left to those who connect directly.
            max_upstream_connections: 300,
            max_parallel_connects: 4,
            // The drivers' default.
            connection_acquisition_timeout: Seconds::new(60),
            slow_wait_threshold: Seconds::new(1),
            max_waiting_clients: 10_000,
            dns_interval: Seconds::new(5),
            connection_timeout: Seconds::new(15),
            // Aura ends connections after 60 minutes.
            max_connection_lifetime: Seconds::new(50 * 60),
            max_idle_time: Seconds::new(10 * 60),
            // Shorter than what load balancers and firewalls have been seen to remember.
            liveness_check_timeout: Seconds::new(5),
            max_client_connections: 0,
            max_user_client_connections: 0,
            client_idle_timeout: Seconds::new(0),
            // Neo4j's own.
            client_login_timeout: Seconds::new(30),
            // Enough for the largest request at half a megabit per second.
            client_request_timeout: Seconds::new(60),
            client_write_timeout: Seconds::new(15 * 60),
            // A vanished peer is noticed after 35 s.
            tcp_keepalive: Seconds::new(20),
            tcp_keepalive_interval: Seconds::new(5),
            tcp_keepalive_probes: 3,
            keep_alive_interval: Seconds::new(20),
            contended_idle_timeout: None,
            idle_in_transaction_timeout: Seconds::new(0),
            transaction_timeout: Seconds::new(0),
            auth_cache_ttl: Seconds::new(5 * 60),
            // Kubernetes ends a pod 30 s after asking.
            shutdown_timeout: Seconds::new(25),
        }
    }
}

impl Limits {
    /// See the field.
    pub fn max_parked_connections(&self) -> usize {
        self.max_parked_connections.unwrap_or(self.max_connection_pool_size)
    }

    /// See the field; nothing: for ever.
    pub(crate) fn contended_idle_timeout(&self) -> Option<Duration> {
        match self.contended_idle_timeout {
            Some(timeout) => timeout.limit(),
            None => Some(CONTENDED_IDLE.min(self.connection_acquisition_timeout.0 / 2)),
        }
    }

    /// What the kernel does about an upstream that has vanished.
    pub(crate) fn upstream_keep_alive(&self) -> Option<KeepAlive> {
        let idle = self.tcp_keepalive.limit()?;
        let (interval, probes) = (self.tcp_keepalive_interval.0, self.tcp_keepalive_probes);
        let patience = idle.saturating_add(interval.saturating_mul(probes));
        Some(KeepAlive { idle, interval, probes, unacknowledged: Some(patience) })
    }

    /// What it does about a client. How long data may stay unacknowledged is left to the system:
    /// Linux would end a client that is there and merely reads nothing, and a time as long as
    /// `client_write_timeout` would put off the end of one that has vanished (both tried).
    pub(crate) fn client_keep_alive(&self) -> Option<KeepAlive> {
        let upstream = self.upstream_keep_alive()?;
        Some(KeepAlive { unacknowledged: None, ..upstream })
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let at_least_one = [
            ("limits.max_connection_pool_size", self.max_connection_pool_size),
            ("limits.max_parallel_connects", self.max_parallel_connects),
            ("limits.max_waiting_clients", self.max_waiting_clients),
            ("limits.tcp_keepalive_probes", self.tcp_keepalive_probes as usize),
        ];
        for (key, value) in at_least_one {
            if value == 0 {
                return Err(ConfigError::value(key, "0 would let nobody through; give at least 1"));
            }
        }
        let not_zero = [
            ("limits.connection_acquisition_timeout", self.connection_acquisition_timeout),
            ("limits.dns_interval", self.dns_interval),
            ("limits.connection_timeout", self.connection_timeout),
            ("limits.max_connection_lifetime", self.max_connection_lifetime),
            ("limits.client_login_timeout", self.client_login_timeout),
            ("limits.client_request_timeout", self.client_request_timeout),
            ("limits.client_write_timeout", self.client_write_timeout),
            ("limits.keep_alive_interval", self.keep_alive_interval),
            ("limits.tcp_keepalive_interval", self.tcp_keepalive_interval),
        ];
        for (key, value) in not_zero {
            if value.limit().is_none() {
                return Err(ConfigError::value(key, "0 is not a time; give a number of seconds"));
            }
        }
        let patience = self.connection_acquisition_timeout;
        if let Some(timeout) = self.contended_idle_timeout
            && timeout.0 >= patience.0
        {
            let message = format!(
                "{timeout} is not less than connection_acquisition_timeout, which is {patience}: \
                 nobody would wait for so long"
            );
            return Err(ConfigError::value("limits.contended_idle_timeout", message));
        }
        if self.min_connection_pool_size > self.max_connection_pool_size {
            let message = format!(
                "{} is more than max_connection_pool_size, which is {}",
                self.min_connection_pool_size, self.max_connection_pool_size
            );
            return Err(ConfigError::value("limits.min_connection_pool_size", message));
        }
        Ok(())
    }
}

const CONTENDED_IDLE: Duration = Duration::from_secs(20);
/// A hundred years: more would overflow when added to a point in time.
const SECONDS_MAX: u64 = 100 * 365 * 24 * 60 * 60;
