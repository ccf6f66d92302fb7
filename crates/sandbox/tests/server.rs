//! Limits, books and rough treatment, over real sockets.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use bolt::message::{Auth, TransactionExtra};
use bolt::{Dictionary, Value};
use client::{ClientError, Connection};
use net::Target;
use proptest::prelude::*;
use sandbox::{Sandbox, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

async fn start(settings: Settings) -> (Sandbox, Target) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sandbox = Sandbox::start(listener, settings).unwrap();
    let target = format!("bolt://{}", sandbox.address()).parse().unwrap();
    (sandbox, target)
}

async fn connect(target: &Target) -> Result<Connection, ClientError> {
    connect_as(target, "test/1", "boltbouncer").await
}

async fn connect_as(
    target: &Target,
    user_agent: &str,
    password: &str,
) -> Result<Connection, ClientError> {
    let mut connection = Connection::dial(target, Duration::from_secs(30)).await?;
    connection.login(user_agent, &Auth::basic("neo4j", password)).await?;
    Ok(connection)
}

async fn ask(connection: &mut Connection, query: &str) -> Result<Value, ClientError> {
    let table = connection.run(query, Dictionary::new(), TransactionExtra::default()).await?;
    Ok(table.rows.first().map_or(Value::Null, |row| row[0].clone()))
}

/// Waits for the books to say so; the test's own time limit is what ends a wait in vain.
async fn until(sandbox: &Sandbox, holds: impl Fn(&sandbox::Count) -> bool) {
    while !holds(&sandbox.books().all) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_books_follow_every_connection() {
    let (sandbox, target) = start(Settings::default()).await;
    let first = connect_as(&target, "a/1", "boltbouncer").await.unwrap();
    let mut second = connect_as(&target, "b/1", "boltbouncer").await.unwrap();
    ask(&mut second, "RETURN 1").await.unwrap();
    assert!(connect_as(&target, "a/1", "wrong").await.is_err());
    first.close().await;
    until(&sandbox, |count| count.closed == 2).await;
    let books = sandbox.books();
    assert_eq!((books.all.opened, books.all.open, books.all.authentications), (3, 1, 3));
    assert_eq!((books.by_user_agent["a/1"].opened, books.by_user_agent["a/1"].open), (1, 0));
    assert_eq!(books.by_user_agent[""].opened, 1, "who fails to log in has no account");
    assert_eq!((books.by_user_agent["b/1"].peak_in_use, books.by_user_agent["b/1"].in_use), (1, 0));
}

#[tokio::test]
async fn connections_past_the_limit_are_closed() {
    let (sandbox, target) = start(Settings { max_connections: 1, ..Settings::default() }).await;
    let mut first = connect(&target).await.unwrap();
    assert!(connect(&target).await.is_err());
    assert_eq!(ask(&mut first, "RETURN 1").await.unwrap(), Value::Integer(1));
    first.close().await;
    until(&sandbox, |count| count.open == 0).await;
    connect(&target).await.unwrap();
}

#[tokio::test]
async fn transactions_past_the_limit_are_refused_as_neo4j_does() {
    let (sandbox, target) = start(Settings { max_threads: 1, ..Settings::default() }).await;
    let mut busy = connect(&target).await.unwrap();
    let sleeping =
        tokio::spawn(async move { ask(&mut busy, "CALL sandbox.sleep(600000)").await.map(|_| ()) });
    until(&sandbox, |count| count.in_use == 1).await;
    let mut second = connect(&target).await.unwrap();
    let refused = ask(&mut second, "RETURN 1").await.unwrap_err();
    assert_eq!(refused.code(), Some("Neo.TransientError.Request.NoThreadsAvailable"));
    assert!(
        ask(&mut second, "RETURN 1").await.is_err(),
        "the connection is closed behind the failure"
    );
    sleeping.abort();
    let _ = sleeping.await;
    until(&sandbox, |count| count.in_use == 0).await;
    let mut third = connect(&target).await.unwrap();
    assert_eq!(ask(&mut third, "RETURN 1").await.unwrap(), Value::Integer(1));
}

#[tokio::test]
async fn a_vanished_clients_query_ends_at_once() {
    let (sandbox, target) = start(Settings::default()).await;
    let mut client = connect(&target).await.unwrap();
    let query = "UNWIND range(1, 1000000000000) AS x CREATE (n) WITH n DELETE n RETURN count(*)";
    let running = tokio::spawn(async move { ask(&mut client, query).await.map(|_| ()) });
    until(&sandbox, |count| count.in_use == 1).await;
    running.abort();
    let _ = running.await;
    until(&sandbox, |count| count.open == 0 && count.in_use == 0).await;
    // The writer lock is free again.
    let mut next = connect(&target).await.unwrap();
    assert_eq!(ask(&mut next, "CREATE (n) RETURN 1").await.unwrap(), Value::Integer(1));
}

#[tokio::test]
async fn a_killed_connection_ends_and_leaves_the_list() {
    let (sandbox, target) = start(Settings::default()).await;
    let mut victim = connect(&target).await.unwrap();
    let mut killer = connect(&target).await.unwrap();
    let kill = format!("CALL dbms.killConnection('{}') YIELD message RETURN message", victim.id());
    assert_eq!(ask(&mut killer, &kill).await.unwrap(), "Connection found".into());
    assert!(ask(&mut victim, "RETURN 1").await.is_err());
    until(&sandbox, |count| count.open == 1).await;
    assert_eq!(ask(&mut killer, &kill).await.unwrap(), "No connection found with this id".into());
}

#[tokio::test]
async fn three_wrong_passwords_lock_the_user() {
    let (_sandbox, target) = start(Settings::default()).await;
    let code = async |password| {
        let refused = connect_as(&target, "x/1", password).await;
        refused.err().and_then(|error| error.code().map(str::to_owned))
    };
    for _ in 0..3 {
        assert_eq!(code("wrong").await.as_deref(), Some("Neo.ClientError.Security.Unauthorized"));
    }
    let locked = code("boltbouncer").await;
    assert_eq!(locked.as_deref(), Some("Neo.ClientError.Security.AuthenticationRateLimit"));
}

#[tokio::test]
async fn without_users_everybody_is_let_in() {
    let (_sandbox, target) = start(Settings { users: Vec::new(), ..Settings::default() }).await;
    let mut connection = Connection::dial(&target, Duration::from_secs(30)).await.unwrap();
    connection.login("x/1", &Auth::none()).await.unwrap();
    assert_eq!(ask(&mut connection, "RETURN 1").await.unwrap(), Value::Integer(1));
}

#[tokio::test]
async fn hostile_queries_harm_nobody_else() {
    let (_sandbox, target) =
        start(Settings { transaction_memory_max: 1 << 22, ..Settings::default() }).await;
    let mut bystander = connect(&target).await.unwrap();
    let nested = [
        format!("RETURN {}", "(".repeat(50_000)),
        format!("RETURN {}1{}", "[".repeat(10_000), "]".repeat(10_000)),
    ];
    let queries = [
        "RETURN range(1, 1000000000000)",
        "RETURN range(9223372036854775800, 9223372036854775807)",
        "UNWIND range(1, 1000000000000) AS x RETURN collect(x)",
        "RETURN reduce(s = 'xxxxxxxx', i IN range(1, 64) | s + s)",
        "UNWIND range(1, 1000000000) AS x CREATE (:N {x: x})",
        "RETURN size(reduce(a = [], x IN range(1, 1000000) | [a]))",
        "WITH reduce(s = 'x', i IN range(1, 20) | s + s) AS s RETURN [i IN range(1, 5000) | s]",
    ];
    for query in queries.into_iter().chain(nested.iter().map(String::as_str)) {
        let mut attacker = connect(&target).await.unwrap();
        let outcome = ask(&mut attacker, query).await;
        assert!(!matches!(outcome, Err(ClientError::Closed | ClientError::Io(_))), "{outcome:?}");
        assert_eq!(ask(&mut bystander, "RETURN 1").await.unwrap(), Value::Integer(1));
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_can_be_killed_and_loses_its_locks() {
    let (sandbox, target) = start(Settings::default()).await;
    let mut stalled = connect(&target).await.unwrap();
    let id = stalled.id().to_owned();
    let endless = "CREATE (:A) WITH 1 AS one UNWIND range(1, 300000) AS x RETURN x, 'some text to fill the socket'";
    let query = stalled.start(endless).await;
    query.unwrap();
    until(&sandbox, |count| count.in_use == 1).await;
    let mut killer = connect(&target).await.unwrap();
    ask(&mut killer, &format!("CALL dbms.killConnection('{id}')")).await.unwrap();
    until(&sandbox, |count| count.open == 1).await;
    assert_eq!(ask(&mut killer, "CREATE (:B) RETURN 1").await.unwrap(), Value::Integer(1));
}

#[tokio::test]
async fn an_idle_transaction_past_its_time_loses_its_locks() {
    let (_sandbox, target) = start(Settings::default()).await;
    let mut writer = connect(&target).await.unwrap();
    let extra = TransactionExtra { timeout_ms: Some(2_000), ..TransactionExtra::default() };
    writer.begin(extra).await.unwrap();
    writer.run_in_transaction("CREATE (:A)").await.unwrap();
    // Waits for the writer lock, which is free as soon as the time is up.
    let mut second = connect(&target).await.unwrap();
    assert_eq!(ask(&mut second, "CREATE (:B) RETURN 1").await.unwrap(), Value::Integer(1));
    let late = writer.commit().await.unwrap_err();
    assert_eq!(
        late.code(),
        Some("Neo.ClientError.Transaction.TransactionTimedOutClientConfiguration")
    );
}

#[tokio::test]
async fn a_client_that_does_not_read_is_not_read_for() {
    let (sandbox, target) = start(Settings::default()).await;
    let mut slow = connect(&target).await.unwrap();
    let endless = tokio::spawn(async move {
        // Nobody polls this again after the abort below; the socket stays full until then.
        let _ = ask(&mut slow, "UNWIND range(1, 100000000) AS x RETURN x").await;
    });
    until(&sandbox, |count| count.in_use == 1).await;
    let mut other = connect(&target).await.unwrap();
    assert_eq!(ask(&mut other, "RETURN 1").await.unwrap(), Value::Integer(1));
    endless.abort();
    let _ = endless.await;
    until(&sandbox, |count| count.open == 1).await;
}

/// Writes bytes at the server and waits until it has had enough of them.
async fn poke(sandbox: &Sandbox, bytes: &[u8]) {
    let mut stream = TcpStream::connect(sandbox.address()).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

#[test]
fn arbitrary_bytes_do_not_stop_the_server() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (sandbox, target) = runtime.block_on(start(Settings::default()));
    let opening = [0x60, 0x60, 0xB0, 0x17, 0, 8, 8, 5, 0, 0, 4, 4, 0, 0, 0, 0, 0, 0, 0, 0];
    proptest!(ProptestConfig::with_cases(200), |(bytes in prop::collection::vec(any::<u8>(), 0..400), greets: bool)| {
        let bytes = if greets { [&opening[..], &bytes].concat() } else { bytes };
        runtime.block_on(poke(&sandbox, &bytes));
    });
    runtime.block_on(async {
        let mut after = connect(&target).await.unwrap();
        assert_eq!(ask(&mut after, "RETURN 1").await.unwrap(), Value::Integer(1));
        until(&sandbox, |count| count.open == 1 && count.in_use == 0).await;
    });
}
