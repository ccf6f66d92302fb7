//! Drivers for Rust that nobody here wrote: `neo4j` (Bolt up to 5.8) and `neo4rs` (4.4).

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use neo4j::driver::auth::AuthToken;
use neo4j::driver::{ConnectionConfig, Driver, DriverConfig, RoutingControl};
use neo4j::session::SessionConfig;
use neo4j::transaction::Transaction;
use neo4j::{Neo4jError, ValueReceive, value_map};
use sandbox::{Sandbox, Settings};
use tokio::net::TcpListener;

/// A sandbox on a runtime of its own, for drivers that block.
struct Server {
    _runtime: tokio::runtime::Runtime,
    sandbox: Sandbox,
}

impl Server {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let sandbox = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            Sandbox::start(listener, Settings::default()).unwrap()
        });
        Self { _runtime: runtime, sandbox }
    }

    fn driver(&self, scheme: &str) -> Driver {
        let uri: ConnectionConfig =
            format!("{scheme}://{}", self.sandbox.address()).parse().unwrap();
        let auth = Arc::new(AuthToken::new_basic_auth("neo4j", "boltbouncer"));
        Driver::new(uri, DriverConfig::new().with_auth(auth).with_fetch_size(10).ok().unwrap())
    }
}

#[test]
fn neo4j_commits_rolls_back_and_sees_errors() {
    let server = Server::start();
    let driver = server.driver("bolt");
    let mut session = driver.session(SessionConfig::new());
    let create = |transaction: &Transaction<'_, '_>| {
        transaction
            .query("CREATE (:T {v: $v})")
            .with_parameters(value_map!({"v": 1}))
            .run()?
            .consume()
            .map(drop)
    };
    session
        .transaction()
        .run(|transaction| create(&transaction).and_then(|()| transaction.commit()))
        .unwrap();
    session
        .transaction()
        .run(|transaction| create(&transaction).and_then(|()| transaction.rollback()))
        .unwrap();
    let count = driver.execute_query("MATCH (t:T) RETURN count(t) AS c").run().unwrap();
    assert_eq!(count.records[0].value("c"), Some(&ValueReceive::Integer(1)));
    let error = driver.execute_query("RETRUN 1").run().unwrap_err();
    assert!(
        matches!(error, Neo4jError::ServerError { error, .. } if error.code() == "Neo.ClientError.Statement.SyntaxError")
    );
}

#[test]
fn neo4j_reads_in_portions_and_through_routing() {
    let server = Server::start();
    let driver = server.driver("neo4j");
    let result = driver
        .execute_query("UNWIND range(1, 95) AS x RETURN x")
        .with_routing_control(RoutingControl::Read)
        .run()
        .unwrap();
    assert_eq!(result.records.len(), 95);
    assert_eq!(result.summary.server_info.protocol_version, (5, 8));
    assert_eq!(server.sandbox.books().all.opened, 1);
}

#[tokio::test]
async fn neo4rs_speaks_4_4() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sandbox = Sandbox::start(listener, Settings::default()).unwrap();
    let graph = neo4rs::Graph::new(format!("bolt://{}", sandbox.address()), "neo4j", "boltbouncer")
        .unwrap();
    graph.run(neo4rs::query("CREATE (:S {v: $v})").param("v", 7)).await.unwrap();
    let mut transaction = graph.start_txn().await.unwrap();
    transaction.run(neo4rs::query("CREATE (:S {v: 8})")).await.unwrap();
    transaction.rollback().await.unwrap();
    let mut rows = graph.execute(neo4rs::query("MATCH (s:S) RETURN s, s.v AS v")).await.unwrap();
    let row = rows.next().await.unwrap().unwrap();
    assert_eq!(row.get::<i64>("v").unwrap(), 7);
    assert_eq!(row.get::<neo4rs::Node>("s").unwrap().labels(), ["S"]);
    assert!(rows.next().await.unwrap().is_none());
    assert!(graph.run(neo4rs::query("RETRUN 1")).await.is_err());
}
