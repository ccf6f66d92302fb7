//! Drivers for Rust that nobody here wrote: `neo4j` (Bolt up to 5.8) and `neo4rs` (4.4). The server is
//! the one that `BB_TEST_URI`, `BB_TEST_USER` and `BB_TEST_PASSWORD` name; without them, a sandbox.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use neo4j::driver::auth::AuthToken;
use neo4j::driver::{ConnectionConfig, Driver, DriverConfig, RoutingControl};
use neo4j::session::SessionConfig;
use neo4j::transaction::Transaction;
use neo4j::{Neo4jError, ValueReceive, ValueSend, value_map};
use sandbox::{Sandbox, Settings};
use tokio::net::TcpListener;

struct Server {
    /// `host:port`
    address: String,
    user: String,
    password: String,
    _sandbox: Option<(Sandbox, tokio::runtime::Runtime)>,
}

impl Server {
    fn find() -> Self {
        let variable = |name: &str| std::env::var(name).ok();
        if let Some(uri) = variable("BB_TEST_URI") {
            let (_, address) = uri.split_once("://").expect("BB_TEST_URI is a URI");
            return Self {
                address: address.to_owned(),
                user: variable("BB_TEST_USER").expect("BB_TEST_USER is set"),
                password: variable("BB_TEST_PASSWORD").expect("BB_TEST_PASSWORD is set"),
                _sandbox: None,
            };
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let sandbox = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            Sandbox::start(listener, Settings::default()).unwrap()
        });
        let address = sandbox.address().to_string();
        let (user, password) = ("neo4j".into(), "boltbouncer".into());
        Self { address, user, password, _sandbox: Some((sandbox, runtime)) }
    }

    fn driver(&self, scheme: &str) -> Driver {
        let uri: ConnectionConfig = format!("{scheme}://{}", self.address).parse().unwrap();
        let auth = Arc::new(AuthToken::new_basic_auth(&self.user, &self.password));
        Driver::new(uri, DriverConfig::new().with_auth(auth).with_fetch_size(10).ok().unwrap())
    }

    fn graph(&self) -> neo4rs::Graph {
        neo4rs::Graph::new(format!("bolt://{}", self.address), &self.user, &self.password).unwrap()
    }
}

/// A label that no other test, and no earlier run, has used.
fn label() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
    format!("T{now}_{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

fn single(driver: &Driver, query: &str) -> ValueReceive {
    let result = driver.execute_query(query).run().unwrap();
    result.records[0].values().next().unwrap().clone()
}

#[test]
fn neo4j_commits_and_rolls_back() {
    let (server, label) = (Server::find(), label());
    let driver = server.driver("bolt");
    let mut session = driver.session(SessionConfig::new());
    let create = |transaction: &Transaction<'_, '_>| {
        let query = format!("CREATE (:{label} {{v: $v}})");
        let run = transaction.query(query).with_parameters(value_map!({"v": 1})).run()?;
        run.consume().map(drop)
    };
    let mut transaction = session.transaction();
    transaction = transaction.with_routing_control(RoutingControl::Write);
    transaction
        .run(|transaction| create(&transaction).and_then(|()| transaction.commit()))
        .unwrap();
    session
        .transaction()
        .run(|transaction| create(&transaction).and_then(|()| transaction.rollback()))
        .unwrap();
    let count = single(&driver, &format!("MATCH (t:{label}) RETURN count(t)"));
    assert_eq!(count, ValueReceive::Integer(1));
}

#[test]
fn neo4j_sees_errors_and_goes_on() {
    let server = Server::find();
    let driver = server.driver("bolt");
    for _ in 0..3 {
        let error = driver.execute_query("RETRUN 1").run().unwrap_err();
        assert!(
            matches!(error, Neo4jError::ServerError { error, .. } if error.code() == "Neo.ClientError.Statement.SyntaxError")
        );
        assert_eq!(single(&driver, "RETURN 1"), ValueReceive::Integer(1));
    }
}

#[test]
fn neo4j_reads_in_portions_and_through_routing() {
    let server = Server::find();
    let driver = server.driver("neo4j");
    let result = driver
        .execute_query("UNWIND range(1, 95) AS x RETURN x")
        .with_routing_control(RoutingControl::Read)
        .run()
        .unwrap();
    assert_eq!(result.records.len(), 95);
    assert_eq!(result.summary.server_info.protocol_version, (5, 8));
}

#[test]
fn neo4j_sends_large_parameters_and_gets_them_back() {
    let server = Server::find();
    let driver = server.driver("bolt");
    let sent = "x".repeat(3_000_000);
    let parameters = HashMap::from([("x".to_owned(), ValueSend::String(sent.clone()))]);
    let result = driver.execute_query("RETURN $x").with_parameters(parameters).run().unwrap();
    let returned = result.records[0].values().next().unwrap();
    assert!(*returned == ValueReceive::String(sent));
}

#[test]
fn neo4j_auto_commit_results_can_be_left_half_read() {
    let server = Server::find();
    let driver = server.driver("bolt");
    for _ in 0..5 {
        let mut session = driver.session(SessionConfig::new());
        session
            .auto_commit("UNWIND range(1, 1000) AS x RETURN x")
            .with_receiver(|stream| {
                let first = stream.next().unwrap()?;
                assert_eq!(first.values().next(), Some(&ValueReceive::Integer(1)));
                Ok(())
            })
            .run()
            .unwrap();
    }
    assert_eq!(single(&driver, "RETURN 2"), ValueReceive::Integer(2));
}

#[test]
fn neo4j_threads_each_get_their_own_answers() {
    let server = Server::find();
    let driver = server.driver("bolt");
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let driver = &driver;
            scope.spawn(move || {
                for round in 0..25 {
                    let nonce = thread * 1000 + round;
                    let answer = single(driver, &format!("RETURN {nonce}"));
                    assert_eq!(answer, ValueReceive::Integer(nonce));
                }
            });
        }
    });
}

#[test]
fn neo4j_is_refused_with_a_wrong_password() {
    let server = Server::find();
    let uri: ConnectionConfig = format!("bolt://{}", server.address).parse().unwrap();
    let auth = Arc::new(AuthToken::new_basic_auth("nobody-of-this-name", "wrong"));
    let driver = Driver::new(uri, DriverConfig::new().with_auth(auth));
    let error = driver.execute_query("RETURN 1").run().unwrap_err();
    assert!(
        matches!(&error, Neo4jError::ServerError { error, .. } if error.code() == "Neo.ClientError.Security.Unauthorized"),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn neo4rs_speaks_4_4() {
    let label = label();
    let server = tokio::task::spawn_blocking(Server::find).await.unwrap();
    let graph = server.graph();
    let create = format!("CREATE (:{label} {{v: $v}})");
    graph.run(neo4rs::query(&create).param("v", 7)).await.unwrap();
    let mut transaction = graph.start_txn().await.unwrap();
    transaction.run(neo4rs::query(&create).param("v", 8)).await.unwrap();
    transaction.rollback().await.unwrap();
    let found = format!("MATCH (s:{label}) RETURN s, s.v AS v");
    let mut rows = graph.execute(neo4rs::query(&found)).await.unwrap();
    let row = rows.next().await.unwrap().unwrap();
    assert_eq!(row.get::<i64>("v").unwrap(), 7);
    assert_eq!(row.get::<neo4rs::Node>("s").unwrap().labels(), [label]);
    assert!(rows.next().await.unwrap().is_none());
    assert!(graph.run(neo4rs::query("RETRUN 1")).await.is_err());
    assert!(graph.run(neo4rs::query("RETURN 1")).await.is_ok());
    // A runtime must not be dropped inside another one.
    tokio::task::spawn_blocking(move || drop(server)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn neo4rs_tasks_each_get_their_own_answers() {
    let server = tokio::task::spawn_blocking(Server::find).await.unwrap();
    let graph = server.graph();
    let tasks: Vec<_> = (0..16_i64)
        .map(|task| {
            let graph = graph.clone();
            tokio::spawn(async move {
                for round in 0..20 {
                    let nonce = task * 1000 + round;
                    let query = neo4rs::query("RETURN $nonce AS x").param("nonce", nonce);
                    let mut rows = graph.execute(query).await.unwrap();
                    let row = rows.next().await.unwrap().unwrap();
                    assert_eq!(row.get::<i64>("x").unwrap(), nonce);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    drop(graph);
    tokio::task::spawn_blocking(move || drop(server)).await.unwrap();
}
