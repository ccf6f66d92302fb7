//! Hundreds of clients through a few connections, while clients and connections are killed at
//! random: every answer belongs to its question, every commit happened once, nothing is left over.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bolt::message::{Auth, TransactionExtra};
use bolt::{Dictionary, Value};
use client::{ClientError, Connection};
use net::Target;
use pooler::{Config, Pooler};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sandbox::{Sandbox, Settings};
use tokio::net::TcpListener;

/// What became of a node that a client wanted to create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Committed,
    NotCommitted,
    /// The connection ended before the answer to COMMIT came.
    Unknown,
}

struct Setup {
    sandbox: Sandbox,
    pooler: Pooler,
    done: AtomicBool,
    answers: AtomicU64,
    kills: AtomicU64,
}

async fn set_up() -> Setup {
    let sandbox =
        Sandbox::start(TcpListener::bind("127.0.0.1:0").await.unwrap(), Settings::default());
    let sandbox = sandbox.unwrap();
    let mut config = Config::new(format!("bolt://{}", sandbox.address()).parse().unwrap());
    config.limits.max_connection_pool_size = 8;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let pooler = Pooler::start(listener, config).await.unwrap();
    let (done, answers, kills) = Default::default();
    Setup { sandbox, pooler, done, answers, kills }
}

async fn connect(address: std::net::SocketAddr) -> Result<Connection, ClientError> {
    let target: Target = format!("bolt://{address}").parse().unwrap();
    let mut connection = Connection::dial(&target, Duration::from_secs(60)).await?;
    connection.login("cross-talk/1", &Auth::basic("neo4j", "boltbouncer")).await?;
    Ok(connection)
}

fn nonce(nonce: &str) -> Dictionary {
    Dictionary::new().with("nonce", nonce)
}

/// Asks for a nonce, in one record or in many.
async fn ask(connection: &mut Connection, name: &str, setup: &Setup) -> Result<(), ClientError> {
    let query = "UNWIND range(1, 20) AS i RETURN $nonce + i AS x";
    let table = connection.run(query, nonce(name), TransactionExtra::default()).await?;
    assert_eq!(table.rows.len(), 20, "{name} got {table:?}");
    for (index, row) in table.rows.iter().enumerate() {
        assert_eq!(row[..], [Value::from(format!("{name}{}", index + 1))], "{name}");
    }
    setup.answers.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

async fn write(connection: &mut Connection, name: &str) -> (Fate, Option<ClientError>) {
    let before_commit = async {
        connection.begin(TransactionExtra::default()).await?;
        let query = "CREATE (n:Mark {nonce: $nonce}) RETURN n.nonce";
        let table = connection.run(query, nonce(name), TransactionExtra::default()).await?;
        assert_eq!(table.rows[0][..], [Value::from(name)], "{name}");
        Ok(())
    };
    if let Err(error) = before_commit.await {
        return (Fate::NotCommitted, Some(error));
    }
    match connection.commit().await {
        Ok(()) => (Fate::Committed, None),
        Err(error @ ClientError::Server(_)) => (Fate::NotCommitted, Some(error)),
        Err(error) => (Fate::Unknown, Some(error)),
    }
}

/// Asks and writes; leaves in the middle of things now and then.
async fn client(setup: Arc<Setup>, number: u64, seed: u64) -> Vec<(String, Fate)> {
    let mut rng = StdRng::seed_from_u64(seed ^ number);
    let (mut fates, mut connection) = (Vec::new(), None);
    for round in 0..ROUNDS {
        let name = format!("{number}-{round}-");
        let mut current = match connection.take() {
            Some(connection) => connection,
            None => match connect(setup.pooler.address()).await {
                Ok(connection) => connection,
                Err(error) => panic!("{name} could not log in: {error}"),
            },
        };
        let problem = match rng.random_range(0..10) {
            // Says something and is gone.
            0 => {
                let begun = current.start("UNWIND range(1, 100000) AS i RETURN i").await;
                drop(current);
                assert!(begun.is_ok());
                continue;
            }
            1 => {
                // Without a transaction it would be an auto-commit query.
                if current.begin(TransactionExtra::default()).await.is_ok() {
                    let query = "CREATE (n:Mark {nonce: 'abandoned'})";
                    let _ = current.run_in_transaction(query).await;
                }
                continue;
            }
            // A failure on the way must not hurt what comes next.
            2 => {
                let problem = current.run_in_transaction("RETRUN 1").await.unwrap_err();
                let is_syntax = problem.code().is_some_and(|code| code.ends_with("SyntaxError"));
                if is_syntax { None } else { Some(problem) }
            }
            3..=5 => {
                let (fate, problem) = write(&mut current, &name).await;
                fates.push((name, fate));
                problem
            }
            _ => ask(&mut current, &name, &setup).await.err(),
        };
        if let Some(ClientError::TimedOut(_)) = problem {
            panic!("{number}-{round} was never answered");
        }
        // After a failure that the server told, the connection goes on.
        if problem.is_none_or(|problem| matches!(problem, ClientError::Server(_))) {
            connection = Some(current);
        }
    }
    fates
}

/// Kills the pooler's connections, one after the other, until told to stop.
async fn killer(setup: Arc<Setup>, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut own = connect(setup.sandbox.address()).await.unwrap();
    while !setup.done.load(Ordering::Relaxed) {
        let list = "CALL dbms.listConnections() YIELD connectionId, userAgent";
        let table = own.run_in_transaction(list).await.unwrap();
        let victims: Vec<_> = (0..table.rows.len())
            .filter(|row| table.get(*row, "userAgent").as_str() != Some("cross-talk/1"))
            .filter_map(|row| table.get(row, "connectionId").as_str())
            .collect();
        if victims.is_empty() {
            tokio::task::yield_now().await;
            continue;
        }
        let victim = victims[rng.random_range(0..victims.len())];
        own.run_in_transaction(&format!("CALL dbms.killConnection('{victim}')")).await.unwrap();
        setup.kills.fetch_add(1, Ordering::Relaxed);
        // Somebody has to get something done between two kills.
        let wanted = setup.answers.load(Ordering::Relaxed) + ANSWERS_BETWEEN_KILLS;
        while setup.answers.load(Ordering::Relaxed) < wanted && !setup.done.load(Ordering::Relaxed)
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn marks(connection: &mut Connection) -> HashMap<String, i64> {
    let query = "MATCH (n:Mark) RETURN n.nonce AS nonce, count(*) AS times";
    let table = connection.run_in_transaction(query).await.unwrap();
    (0..table.rows.len())
        .map(|row| {
            let name = table.get(row, "nonce").as_str().unwrap().to_owned();
            (name, table.get(row, "times").as_integer().unwrap())
        })
        .collect()
}

/// Waits for what must come to be; how long that takes is not judged.
async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..3000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} has not come to be");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_reaches_its_question_and_nothing_is_left() {
    let seed = std::env::var("BB_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| rand::rng().random());
    println!("BB_SEED={seed}");
    let setup = Arc::new(set_up().await);
    let killing = tokio::spawn(killer(setup.clone(), seed));
    let clients: Vec<_> =
        (0..CLIENTS).map(|number| tokio::spawn(client(setup.clone(), number, seed))).collect();
    let mut fates = HashMap::new();
    for client in clients {
        fates.extend(client.await.unwrap());
    }
    setup.done.store(true, Ordering::Relaxed);
    killing.await.unwrap();

    let mut own = connect(setup.sandbox.address()).await.unwrap();
    eventually("the end of all transactions", async || {
        let table = own.run_in_transaction("SHOW TRANSACTIONS").await.unwrap();
        table.rows.len() <= 1
    })
    .await;
    let marks = marks(&mut own).await;
    assert_eq!(marks.get("abandoned"), None, "an abandoned transaction was committed");
    for (name, fate) in &fates {
        let times = marks.get(name).copied().unwrap_or(0);
        match fate {
            Fate::Committed => assert_eq!(times, 1, "{name} was committed"),
            Fate::NotCommitted => assert_eq!(times, 0, "{name} was not committed"),
            Fate::Unknown => assert!(times <= 1, "{name} was committed {times} times"),
        }
    }
    eventually("the end of all clients", async || {
        let counts = setup.pooler.counts();
        counts.clients == 0 && counts.busy == 0
    })
    .await;
    let counts = setup.pooler.counts();
    assert!(counts.upstream_open <= 8, "{counts:?}");
    let (kills, answers) =
        (setup.kills.load(Ordering::Relaxed), setup.answers.load(Ordering::Relaxed));
    let committed = fates.values().filter(|fate| **fate == Fate::Committed).count();
    println!(
        "{answers} answers, {committed} commits of {}, {kills} kills, {counts:?}",
        fates.len()
    );
    assert!(kills > 0 && committed > 0 && answers > 0);
}

const CLIENTS: u64 = 300;
const ROUNDS: u64 = 20;
const ANSWERS_BETWEEN_KILLS: u64 = 5;
