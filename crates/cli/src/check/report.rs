//! What `boltbouncer check` says: for people, or as JSON with the same facts.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use net::{Encryption, Target};
use serde::Serialize;

use super::unusable::{Step, Unusable};
use super::{Findings, QUERIES};
use crate::server_options::NamedServer;
use crate::terminal::say;

/// What `--json` says of a server that can be used. A field may be added; none changes its meaning or
/// goes without another [`SCHEMA`].
#[derive(Debug, Serialize)]
pub(super) struct Report {
    schema: u32,
    uri: String,
    is_usable: bool,
    agent: String,
    edition: Option<String>,
    bolt: String,
    /// `none`, `verified` or `any-certificate`.
    encryption: &'static str,
    /// What answers is a BoltBouncer, and what it says of the server it has asked there.
    is_pooler: bool,
    connect_ms: f64,
    login_ms: f64,
    /// The median of several.
    query_ms: f64,
    limits: Option<BTreeMap<String, String>>,
    /// How many there are, by user agent.
    connections: Option<BTreeMap<String, usize>>,
    /// Open transactions.
    transactions: Option<usize>,
    advice: Vec<String>,
}

/// What `--json` says of a server that can't be used.
#[derive(Debug, Serialize)]
pub(super) struct Problem {
    schema: u32,
    uri: String,
    is_usable: bool,
    /// The step that failed.
    step: Step,
    problem: String,
    advice: Vec<String>,
}

impl Problem {
    pub fn new(unusable: &Unusable, server: &NamedServer) -> Self {
        Self {
            schema: SCHEMA,
            uri: server.target.to_string(),
            is_usable: false,
            step: unusable.step,
            problem: unusable.problem(&server.target, &server.user),
            advice: unusable.advice(&server.target),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.problem)?;
        self.advice.iter().try_for_each(|line| write!(f, "\n  - {line}"))
    }
}

impl Report {
    pub fn new(findings: Findings, server: &NamedServer) -> Self {
        let advice = advice(&findings, &server.target);
        Self {
            schema: SCHEMA,
            uri: server.target.to_string(),
            is_usable: true,
            agent: findings.agent,
            edition: findings.edition,
            bolt: findings.bolt,
            encryption: match server.target.encryption {
                Encryption::None => "none",
                Encryption::Verified => "verified",
                Encryption::AnyCertificate => "any-certificate",
            },
            is_pooler: findings.is_pooler,
            connect_ms: milliseconds(findings.connect),
            login_ms: milliseconds(findings.login),
            query_ms: milliseconds(findings.query),
            limits: findings.limits.map(|limits| limits.into_iter().collect()),
            connections: findings.connections,
            transactions: findings.transactions,
            advice,
        }
    }

    pub fn print(&self) {
        let edition = self.edition.as_deref().unwrap_or("edition unknown");
        let encryption = match self.encryption {
            "verified" => "TLS, certificate checked",
            "any-certificate" => "TLS, certificate not checked",
            none => none,
        };
        say(format_args!("{} answers at {}", self.agent, self.uri));
        if self.is_pooler {
            say("  through a BoltBouncer: times are the pooler's, all else is the server's");
        }
        say(format_args!("  edition       {edition}"));
        say(format_args!("  Bolt          {}", self.bolt));
        say(format_args!("  encryption    {encryption}"));
        say(format_args!("  connect       {:.1} ms", self.connect_ms));
        say(format_args!("  login         {:.1} ms", self.login_ms));
        say(format_args!("  query         {:.1} ms (median of {QUERIES})", self.query_ms));
        match &self.limits {
            Some(limits) => {
                say("Limits");
                for (name, value) in limits {
                    say(format_args!("  {name} = {value}"));
                }
            }
            None => say("Limits: this user may not read them (dbms.listConfig)"),
        }
        self.print_connections();
        say("Advice");
        for line in &self.advice {
            say(format_args!("  - {line}"));
        }
    }

    fn print_connections(&self) {
        let Some(connections) = &self.connections else {
            return say("Connections: this user may not list them (dbms.listConnections)");
        };
        let total: usize = connections.values().sum();
        // Through a pooler it is one of the pooler's that asks.
        let ours = if self.is_pooler { "the pooler's" } else { "this one" };
        say(format_args!("Connections: {total}, {ours} included"));
        for (user_agent, count) in connections {
            let who = if user_agent.is_empty() { "(not logged in)" } else { user_agent };
            say(format_args!("  {count:>5}  {who}"));
        }
    }
}

fn advice(findings: &Findings, target: &Target) -> Vec<String> {
    let mut advice = Vec::new();
    let limit = |name: &str| {
        let found = findings.limits.iter().flatten().find(|(known, _)| known == name);
        found.and_then(|(_, value)| value.parse::<usize>().ok())
    };
    if findings.is_pooler {
        advice.push("Who is connected to the pooler itself is on its admin pages, at /api/v1/clients; ask the server directly for its own times.".into());
    }
    let threads = limit("server.bolt.thread_pool_max_size").unwrap_or(DEFAULT_THREADS);
    advice.push(format!(
        "The server runs at most {threads} transactions at once and refuses more. Keep the sum of all pool sizes below that."
    ));
    if let Some(open) = findings.transactions.filter(|open| open * 2 > threads) {
        advice.push(format!("{open} transactions are open, more than half of what is possible: find out who holds them with SHOW TRANSACTIONS."));
    }
    let largest = findings.connections.iter().flatten().max_by_key(|(_, count)| **count);
    if let Some((agent, count)) = largest.filter(|(_, count)| **count > MANY_CONNECTIONS) {
        advice.push(format!(
            "`{agent}` holds {count} connections: look for a driver made for each call or task."
        ));
    }
    if findings.login > findings.query * 10 {
        advice.push(format!(
            "A login takes {:.0} times as long as a query: reuse drivers, and connections with them.",
            findings.login.as_secs_f64() / findings.query.as_secs_f64()
        ));
    }
    if target.encryption == Encryption::None && !target.is_this_machine() {
        advice.push("The connection is not encrypted: passwords cross the network in clear. Use bolt+s or neo4j+s.".into());
    }
    if target.encryption == Encryption::AnyCertificate {
        advice.push(
            "The certificate is not checked (+ssc): anybody on the way can pose as the server."
                .into(),
        );
    }
    if target.host.ends_with(".databases.neo4j.io") {
        advice.push("Aura cuts connections that were idle for 60 minutes: set max_connection_lifetime below that.".into());
    }
    advice
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Of the JSON objects.
const SCHEMA: u32 = 1;
/// Neo4j's default.
const DEFAULT_THREADS: usize = 400;
/// A driver's default pool holds up to 100; more from one user agent are several drivers.
const MANY_CONNECTIONS: usize = 100;
