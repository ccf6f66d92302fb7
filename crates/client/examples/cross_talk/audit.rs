//! What the server has in the end, compared with what clients were told.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use client::Connection;
use serde::Serialize;

use crate::killer::{connect_to, pooled};
use crate::ledger::Fate;
use crate::options::Load;

#[derive(Debug, Default, Serialize)]
pub struct Audit {
    writes: u64,
    acknowledged: u64,
    refused: u64,
    unknown: u64,
    unknown_and_there: u64,
    /// Acknowledged, but not there.
    lost: Vec<String>,
    /// There more than once.
    doubled: Vec<String>,
    /// Refused, but there.
    refused_and_there: Vec<String>,
    /// Never committed by anybody, but there.
    abandoned: i64,
    /// Transactions that are still open after all clients have gone.
    transactions_open: usize,
    connections_open: usize,
}

pub async fn audit(options: &Load, fates: Vec<(String, Fate)>) -> Result<Audit> {
    let mut own = connect_to(options).await?;
    let mut audit =
        Audit { transactions_open: open_transactions(&mut own).await?, ..Audit::default() };
    audit.connections_open = pooled(&mut own).await?.len();
    let mut marks = marks(&mut own).await?;
    audit.abandoned = marks.remove("abandoned").unwrap_or(0);
    audit.writes = fates.len() as u64;
    for (token, fate) in fates {
        let times = marks.remove(&token).unwrap_or(0);
        audit.judge(token, fate, times);
    }
    // Nobody said that he wrote these.
    audit.doubled.extend(marks.into_keys());
    own.close().await;
    Ok(audit)
}

impl Audit {
    fn judge(&mut self, token: String, fate: Fate, times: i64) {
        match fate {
            Fate::Done => self.acknowledged += 1,
            Fate::NotDone => self.refused += 1,
            Fate::Unknown => self.unknown += 1,
        }
        match (fate, times) {
            (Fate::Done, 0) => self.lost.push(token),
            (Fate::NotDone, 1) => self.refused_and_there.push(token),
            (Fate::Unknown, 1) => self.unknown_and_there += 1,
            (_, 0 | 1) => {}
            _ => self.doubled.push(token),
        }
    }
}

/// How many there are besides our own; some time is given to those that are being rolled back.
async fn open_transactions(own: &mut Connection) -> Result<usize> {
    let until = Instant::now() + SETTLING;
    loop {
        let table = own.run_in_transaction("SHOW TRANSACTIONS").await?;
        let open = table.rows.len().saturating_sub(1);
        if open == 0 || Instant::now() > until {
            return Ok(open);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn marks(own: &mut Connection) -> Result<HashMap<String, i64>> {
    let query = "MATCH (n:Mark) RETURN n.token AS token, count(*) AS times";
    let table = own.run_in_transaction(query).await?;
    let mark = |row| {
        let token = table.get(row, "token").as_str()?.to_owned();
        Some((token, table.get(row, "times").as_integer()?))
    };
    Ok((0..table.rows.len()).filter_map(mark).collect())
}

const SETTLING: Duration = Duration::from_secs(15);
