//! Ends the pooler's connections at the server, one after the other, and lets somebody get something
//! done between two of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use client::{ClientError, Connection};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::load::Load;
use crate::options;
use crate::work::{PATIENCE, USER_AGENT};

pub async fn kill(load: Arc<Load>) {
    let mut random = StdRng::seed_from_u64(load.options.seed);
    while !load.is_over() && load.options.kill_every > 0 {
        // The server may be restarting.
        if kill_many(&load, &mut random).await.is_err() {
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn kill_many(load: &Load, random: &mut StdRng) -> Result<(), ClientError> {
    let mut own = connect_to(&load.options).await?;
    while !load.is_over() {
        let victims = pooled(&mut own).await?;
        if !victims.is_empty() {
            let victim = &victims[random.random_range(0..victims.len())];
            own.run_in_transaction(&format!("CALL dbms.killConnection('{victim}')")).await?;
            load.ledger.kills.fetch_add(1, Ordering::Relaxed);
        }
        let wanted = load.ledger.answered() + load.options.kill_every;
        while load.ledger.answered() < wanted && !load.is_over() {
            tokio::time::sleep(PAUSE).await;
        }
    }
    own.close().await;
    Ok(())
}

/// A connection to the server itself, for the first of the users.
pub async fn connect_to(options: &options::Load) -> Result<Connection, ClientError> {
    let mut own = Connection::dial(&options.server, PATIENCE).await?;
    own.login(USER_AGENT, &options.auth(&options.user[0])).await?;
    Ok(own)
}

/// The ids of the connections that are not ours.
pub async fn pooled(own: &mut Connection) -> Result<Vec<String>, ClientError> {
    let list = "CALL dbms.listConnections() YIELD connectionId, userAgent";
    let table = own.run_in_transaction(list).await?;
    let ids = (0..table.rows.len())
        .filter(|row| table.get(*row, "userAgent").as_str() != Some(USER_AGENT))
        .filter_map(|row| table.get(row, "connectionId").as_str().map(str::to_owned));
    Ok(ids.collect())
}

const PAUSE: Duration = Duration::from_millis(5);
