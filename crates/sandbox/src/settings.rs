//! What can be set on a sandbox, with defaults close to Neo4j's.

use std::time::Duration;

use bolt::Version;
use bolt::message::Secret;

#[derive(Clone, Debug)]
pub struct Settings {
    /// The newest Bolt version to offer.
    pub max_bolt: Version,
    /// What HELLO calls the server; drivers want `Neo4j/` in front.
    pub agent: String,
    /// Names and passwords. Empty: everybody is let in.
    pub users: Vec<(String, Secret)>,
    /// Connections past this are closed as they arrive.
    pub max_connections: usize,
    /// Open transactions, each of which holds a thread in Neo4j (`server.bolt.thread_pool_max_size`).
    pub max_threads: usize,
    /// Whether clients have to encrypt. The certificate is made when the server starts and nobody has
    /// signed it: clients use `bolt+ssc`.
    pub tls: bool,
    /// Processor time that checking a password takes.
    pub auth_cost: Duration,
    /// Let nobody list the server's connections, as some managed servers do.
    pub denies_listing: bool,
    /// Added to every round trip, those for TCP and TLS included.
    pub rtt: Duration,
    /// Memory that the queries of one transaction may keep, in bytes.
    pub transaction_memory_max: usize,
    /// How long a transaction waits to write while another one does.
    pub lock_wait: Duration,
    /// How long a client may take nothing of what it asked for. Neo4j waits 15 minutes.
    pub write_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_bolt: Version::V6_0,
            // The first one that speaks Bolt 6.0.
            agent: "Neo4j/2025.10.0".into(),
            users: vec![("neo4j".into(), Secret::from("boltbouncer"))],
            max_connections: usize::MAX,
            // Neo4j's default.
            max_threads: 400,
            tls: false,
            auth_cost: Duration::ZERO,
            denies_listing: false,
            rtt: Duration::ZERO,
            transaction_memory_max: 256 << 20,
            lock_wait: Duration::from_secs(30),
            write_timeout: Duration::from_secs(60),
        }
    }
}
