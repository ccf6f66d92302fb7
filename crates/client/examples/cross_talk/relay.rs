//! A relay that cuts connections: one at a time, at once, or in the middle of the next bytes that
//! pass through it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use net::Target;
use rand::RngExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::options;

type Connections = Arc<Mutex<HashMap<u64, Passing>>>;

/// A connection that is relayed.
struct Passing {
    /// Ends after half of the next bytes.
    is_doomed: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

/// Relays until the process is ended.
pub async fn run(options: options::Relay) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("bolt://{}", listener.local_addr()?);
    let connections = Connections::default();
    tokio::spawn(cut(connections.clone(), options.cut_ms));
    for number in 0.. {
        let (client, _) = listener.accept().await?;
        let is_doomed = Arc::<AtomicBool>::default();
        let (target, all) = (options.to.clone(), connections.clone());
        // Held until it is listed, as it may end at once.
        let mut listed = lock(&connections);
        let doomed = is_doomed.clone();
        let task = tokio::spawn(async move {
            relay(client, &target, &doomed).await;
            lock(&all).remove(&number);
        });
        listed.insert(number, Passing { is_doomed, task });
    }
    Ok(())
}

async fn cut(connections: Connections, mean_ms: u64) {
    loop {
        let pause = rand::rng().random_range(0..=2 * mean_ms);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let mut all = lock(&connections);
        let numbers: Vec<u64> = all.keys().copied().collect();
        if numbers.is_empty() {
            continue;
        }
        let number = numbers[rand::rng().random_range(0..numbers.len())];
        if rand::rng().random() {
            all[&number].is_doomed.store(true, Ordering::Relaxed);
        } else if let Some(passing) = all.remove(&number) {
            passing.task.abort();
        }
    }
}

async fn relay(client: TcpStream, target: &Target, is_doomed: &AtomicBool) {
    let Ok(server) = TcpStream::connect((target.host.as_str(), target.port)).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Whichever ends first ends both.
    tokio::select! {
        () = carry(from_client, to_server, is_doomed) => {}
        () = carry(from_server, to_client, is_doomed) => {}
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, is_doomed: &AtomicBool) {
    let mut bytes = vec![0; READ_BYTES];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        let is_last = is_doomed.load(Ordering::Relaxed);
        let passed = if is_last { read / 2 } else { read };
        if to.write_all(&bytes[..passed]).await.is_err() || is_last {
            return;
        }
    }
}

fn lock(connections: &Connections) -> MutexGuard<'_, HashMap<u64, Passing>> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

const READ_BYTES: usize = 16 * 1024;
