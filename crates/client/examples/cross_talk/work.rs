//! What one client does until the load ends: it connects, asks, writes, rests too long, and leaves in
//! the middle of things.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use client::{ClientError, Connection};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::ledger::Ledger;
use crate::load::Load;
use crate::visit::Visit;

pub struct Client {
    load: Arc<Load>,
    number: u64,
    random: StdRng,
    connection: Option<Connection>,
}

impl Client {
    pub fn new(load: Arc<Load>, number: u64) -> Self {
        let random = StdRng::seed_from_u64(load.options.seed ^ (number << 20));
        Self { load, number, random, connection: None }
    }

    pub async fn work(mut self) {
        let mut round = 0_u64;
        while !self.load.is_over() {
            round += 1;
            let Some(connection) = self.connect().await else { continue };
            let token = format!("{}-{round}-", self.number);
            self.connection = self.round(connection, token).await;
        }
        if let Some(connection) = self.connection {
            connection.close().await;
        }
    }

    /// The connection of the last round, or a new one of any version to any pooler.
    async fn connect(&mut self) -> Option<Connection> {
        if let Some(connection) = self.connection.take() {
            return Some(connection);
        }
        let (load, random) = (&self.load, &mut self.random);
        let options = &load.options;
        let user = &options.user[self.number as usize % options.user.len()];
        let version = options.bolt[random.random_range(0..options.bolt.len())];
        let dialer = &load.poolers[random.random_range(0..load.poolers.len())];
        let login = async {
            let mut connection = Connection::dial_at(dialer, version, PATIENCE).await?;
            connection.login(USER_AGENT, &options.auth(user)).await?;
            Ok(connection)
        };
        match login.await {
            Ok(connection) => {
                load.ledger.logins.fetch_add(1, Ordering::Relaxed);
                Some(connection)
            }
            Err(error) => {
                load.ledger.refuse(&error);
                tokio::time::sleep(PAUSE).await;
                None
            }
        }
    }

    /// Does one thing; returns the connection if it can be used again.
    async fn round(&mut self, mut connection: Connection, token: String) -> Option<Connection> {
        let (ledger, rest) = (&self.load.ledger, self.load.options.rest());
        let mut visit = Visit { ledger, connection: &mut connection, token };
        let outcome = match self.random.random_range(0..1000) {
            0..600 => visit.ask(1).await,
            600..720 => visit.ask(20).await,
            720..790 => visit.ask_in_transaction(3, Duration::ZERO).await,
            790..860 => visit.write(Duration::ZERO).await,
            860..910 => visit.write_at_once().await,
            910..930 => visit.fail().await,
            930 => visit.write(rest).await,
            // Short enough for one time-out, too often for the other.
            931 => visit.ask_in_transaction(DAWDLING, rest / 6).await,
            choice @ 932..970 => {
                vanish(ledger, connection, choice % 4).await;
                return None;
            }
            _ => {
                connection.close().await;
                return None;
            }
        };
        match outcome {
            // After a failure that it was told, the connection goes on.
            Ok(()) | Err(ClientError::Server(_)) => Some(connection),
            Err(_) => None,
        }
    }
}

/// Says something and is gone.
async fn vanish(ledger: &Ledger, mut connection: Connection, way: u32) {
    let many = "UNWIND range(1, 100000) AS i RETURN i";
    match way {
        0 => drop(connection.start("RETURN 'nobody reads this' AS x").await),
        1 => drop(connection.start(many).await),
        2 => drop(connection.start_half(many).await),
        _ => {
            let token = String::new();
            drop(Visit { ledger, connection: &mut connection, token }.abandon().await);
        }
    }
    ledger.vanished.fetch_add(1, Ordering::Relaxed);
}

pub const USER_AGENT: &str = "cross-talk/1";
/// Longer than every time-out of the pooler.
pub const PATIENCE: Duration = Duration::from_secs(60);
const DAWDLING: usize = 25;
const PAUSE: Duration = Duration::from_millis(20);
