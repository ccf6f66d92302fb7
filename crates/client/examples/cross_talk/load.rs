//! The clients together: they work until enough was answered, or the time is over.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use bolt::Dictionary;
use bolt::message::TransactionExtra;
use net::Dialer;
use serde::Serialize;

use crate::audit::{self, Audit};
use crate::killer;
use crate::ledger::{Ledger, Sums};
use crate::options;
use crate::work::Client;

pub struct Load {
    pub options: options::Load,
    pub ledger: Ledger,
    pub poolers: Vec<Dialer>,
    until: Instant,
    is_over: AtomicBool,
}

impl Load {
    pub fn is_over(&self) -> bool {
        self.ledger.answered() >= self.options.queries
            || Instant::now() >= self.until
            || self.is_over.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Serialize)]
pub struct Outcome {
    seconds: f64,
    #[serde(flatten)]
    sums: Sums,
    /// Absent if the server may have forgotten.
    audit: Option<Audit>,
}

pub async fn run(options: options::Load) -> Result<Outcome> {
    let poolers = options.pooler.iter().map(|pooler| Dialer::new(pooler.clone(), &[]));
    let poolers = poolers.collect::<Result<_, _>>()?;
    let started = Instant::now();
    let until = started + Duration::from_secs(options.seconds);
    let (ledger, is_over) = (Ledger::default(), AtomicBool::new(false));
    let load = Arc::new(Load { options, ledger, poolers, until, is_over });
    if load.options.create_users {
        create_users(&load.options).await?;
    }
    let killing = tokio::spawn(killer::kill(load.clone()));
    let clients: Vec<_> = (0..load.options.clients)
        .map(|number| tokio::spawn(Client::new(load.clone(), number).work()))
        .collect();
    for client in clients {
        client.await?;
    }
    let seconds = started.elapsed().as_secs_f64();
    load.is_over.store(true, Ordering::Relaxed);
    killing.await?;
    let audit = match load.options.no_audit {
        true => None,
        false => Some(audit::audit(&load.options, load.ledger.fates()).await?),
    };
    Ok(Outcome { seconds, sums: load.ledger.sums(), audit })
}

/// All but the first, who creates them.
async fn create_users(options: &options::Load) -> Result<()> {
    let mut own = killer::connect_to(options).await?;
    for user in &options.user[1..] {
        let query = format!("CREATE USER {user} IF NOT EXISTS SET PASSWORD $p CHANGE NOT REQUIRED");
        let password = Dictionary::new().with("p", options.password.expose());
        let system = TransactionExtra { database: Some("system".into()), ..Default::default() };
        own.run(&query, password, system).await?;
    }
    own.close().await;
    Ok(())
}
