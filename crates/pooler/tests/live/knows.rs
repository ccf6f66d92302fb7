//! What the pooler knows: who holds the connections, who waits, and why. Every answer is held against
//! `openapi.json`.

use bolt::message::{Auth, TransactionExtra};
use client::{ClientError, Connection};
use pooler::{Admin, Seconds};
use serde_json::Value;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::setup::{self, Setup, TIMEOUT, ask, get, http};

/// A page of the admin API, as it is described.
async fn page(setup: &Setup, name: &str) -> Value {
    let (status, body) = http(setup, &get(&format!("/api/v1/{name}"))).await;
    assert_eq!(status, 200, "{body}");
    let page: Value = serde_json::from_str(&body).unwrap();
    let description: Value = serde_json::from_str(include_str!("../../openapi.json")).unwrap();
    let answer = &description["paths"][format!("/{name}")]["get"]["responses"]["200"];
    let mut schema = description.clone();
    schema["$ref"] =
        Value::from(format!("#/paths/~1{name}/get/responses/200/content/application~1json/schema"));
    assert!(answer["content"]["application/json"]["schema"].is_object(), "{name} is not described");
    let schema = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<_> = schema.iter_errors(&page).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{name}: {errors:?}\n{body}");
    page
}

async fn pages(setup: &Setup) -> [Value; 5] {
    let [mut applications, mut clients, mut pools, mut upstreams, mut waits] =
        [const { Value::Null }; 5];
    for (name, to) in [
        ("applications", &mut applications),
        ("clients", &mut clients),
        ("pools", &mut pools),
        ("upstreams", &mut upstreams),
        ("waits", &mut waits),
    ] {
        *to = page(setup, name).await;
    }
    [applications, clients, pools, upstreams, waits]
}

/// A pooler with admin pages and at most `size` connections for its user.
async fn pooler_of(size: usize) -> Setup {
    Setup::with(|config| {
        config.admin = Some(Admin { listen: "127.0.0.1:0".parse().unwrap(), token: None });
        config.limits.max_connection_pool_size = size;
        config.limits.max_parked_connections = Some(0);
        config.limits.contended_idle_timeout = Some(Seconds::new(0));
    })
    .await
}

/// From now on one waits so long for a connection.
fn wait_for(setup: &Setup, seconds: u64) {
    let mut config = setup.config.clone();
    config.limits.connection_acquisition_timeout = Seconds::new(seconds);
    setup.pooler.reload(config);
}

async fn client(setup: &Setup, user_agent: &str) -> Connection {
    let mut connection = setup.dial().await;
    connection.login(user_agent, &Auth::basic("neo4j", setup::PASSWORD)).await.unwrap();
    connection
}

fn airflow(dag: &str, task: &str, index: usize) -> String {
    format!(
        "airflow/3.3.2 (dag={dag}; run=r{index}; task={task}[{index}]; try=1) neo4j-python/6.0.2"
    )
}

/// Clients that have begun a transaction and let it rest.
async fn holding(setup: &Setup, user_agents: &[String]) -> Vec<Connection> {
    let mut holding = Vec::new();
    for user_agent in user_agents {
        let mut connection = client(setup, user_agent).await;
        connection.begin(TransactionExtra::default()).await.unwrap();
        holding.push(connection);
    }
    holding
}

/// How many there are of each application, in the order of the page.
fn counts<'a>(lines: &'a Value, of: &str) -> Vec<(&'a str, u64)> {
    let lines = lines.as_array().unwrap().iter();
    let name = |line: &'a Value| {
        let application = &line["application"];
        application["dag"].as_str().or(application["name"].as_str()).unwrap()
    };
    lines.map(|line| (name(line), line[of].as_u64().unwrap())).collect()
}

#[tokio::test]
async fn the_failure_the_log_and_every_page_name_the_same_holders() {
    let log = setup::captured_log();
    let setup = pooler_of(20).await;
    let mut user_agents: Vec<_> = (0..17).map(|index| airflow("load", "extract", index)).collect();
    user_agents.extend((0..2).map(|index| airflow("report", "sum", index)));
    user_agents.push("load.py/1.0 neo4j-python/6.0.2".into());
    let mut holders = holding(&setup, &user_agents).await;

    let mut waiter = client(&setup, &airflow("late", "one", 3)).await;
    wait_for(&setup, 1);
    let failure = waiter.run("RETURN 1", Default::default(), Default::default()).await;
    let Err(ClientError::Server(failure)) = failure else { panic!("{failure:?}") };
    let named = [
        "20 held by this user: 17 by airflow dag=load (longest for ",
        "2 by airflow dag=report",
        "1 by load.py/1.0",
    ];
    let idle = "s, idle in transaction)";
    for part in named.into_iter().chain([idle]) {
        assert!(failure.message.contains(part), "{part} is not in {}", failure.message);
    }
    let waited_long = |line: &str| line.contains("waited long") && line.contains("dag=late");
    let logged = log.text();
    let line = logged.lines().find(|line| waited_long(line)).expect("it is in the log");
    assert!(named.iter().all(|part| line.contains(part)), "{line}");

    let [applications, clients, pools, upstreams, waits] = pages(&setup).await;
    let expected = [("load", 17), ("report", 2), ("load.py/1.0", 1)];
    assert_eq!(counts(&waits[0]["holders"], "connections"), expected);
    let wait = &waits[0];
    assert_eq!((&wait["application"]["task"], &wait["waiting"]), (&"one".into(), &1.into()));
    assert_eq!(wait["outcome"], "connection_acquisition_timeout");
    assert!(wait["waited_s"].as_f64().unwrap() >= 1.0, "{wait}");
    for of in ["connections", "idle_in_transaction", "clients"] {
        assert_eq!(counts(&applications, of)[..3], expected, "{of}");
    }
    let late = &applications[3];
    assert_eq!((&late["connections"], &late["errors"]), (&0.into(), &1.into()), "{late}");
    assert!(late["waits"]["p99_s"].as_f64().unwrap() >= 1.0, "{late}");
    assert!(applications[0]["longest_transaction_s"].as_f64().unwrap() >= 1.0);

    assert_eq!(pools[0]["not_shared"]["open_transaction"], 20);
    let held: Vec<_> = upstreams.as_array().unwrap().iter().collect();
    assert_eq!(held.len(), 20);
    for upstream in held {
        assert_eq!(
            (&upstream["state"], &upstream["not_shared"]),
            (&"idle_in_transaction".into(), &"open_transaction".into())
        );
        let holder =
            clients.as_array().unwrap().iter().find(|line| line["upstream"] == upstream["id"]);
        let holder = holder.expect("somebody holds it");
        assert_eq!(holder["id"], upstream["held_by"]["client"]);
        assert_eq!((&holder["state"], &holder["doing"]), (&"cl_active".into(), &upstream["state"]));
    }
    wait_for(&setup, 60);
    holders.pop().unwrap().commit().await.unwrap();
    let mut after = client(&setup, "after/1").await;
    assert_eq!(ask(&mut after, 7).await, 7);
    let [applications, _, _, upstreams, _] = pages(&setup).await;
    assert_eq!(counts(&applications, "connections")[..2], [("load", 17), ("report", 2)]);
    let idle = upstreams.as_array().unwrap().iter().filter(|line| line["state"] == "idle");
    assert_eq!(idle.count(), 1);
}

#[tokio::test]
async fn a_wait_that_was_long_and_not_in_vain_is_on_record() {
    let setup = Setup::with(|config| {
        config.admin = Some(Admin { listen: "127.0.0.1:0".parse().unwrap(), token: None });
        config.limits.max_connection_pool_size = 1;
        config.limits.max_parked_connections = Some(0);
        config.limits.slow_wait_threshold = Seconds::new(1);
    })
    .await;
    let mut holder = holding(&setup, &["holder/1".into()]).await.pop().unwrap();
    let mut waiter = client(&setup, "waiter/1").await;
    let waits = tokio::spawn(async move { ask(&mut waiter, 5).await });
    let has_waited_long = |line: &Value| {
        line["state"] == "cl_waiting" && line["state_s"].as_f64().is_some_and(|s| s > 1.2)
    };
    let waited_long = async {
        while !page(&setup, "clients").await.as_array().unwrap().iter().any(has_waited_long) {
            yield_now().await;
        }
    };
    timeout(TIMEOUT, waited_long).await.unwrap();
    assert_eq!(page(&setup, "waits").await.as_array().unwrap().len(), 0, "it waits still");
    holder.commit().await.unwrap();
    assert_eq!(waits.await.unwrap(), 5);
    let waits = page(&setup, "waits").await;
    assert_eq!((&waits[0]["outcome"], &waits[0]["waiting"]), (&"served".into(), &1.into()));
    assert_eq!(counts(&waits[0]["holders"], "connections"), [("holder/1", 1)]);
    assert!(waits[0]["waited_s"].as_f64().unwrap() > 1.2);
}

#[tokio::test]
async fn names_from_outside_are_told_as_they_are_and_break_nothing() {
    let setup = pooler_of(5).await;
    let names = [
        "a\"b\\c/1",
        "<script>alert(1)</script>/2",
        "\u{1b}[2J\r\n\u{9b}x/3",
        "🦀 &amp; \u{202e}/4",
    ];
    let mut connected = Vec::new();
    for name in names {
        connected.push(client(&setup, name).await);
    }
    let long = format!("{}/5", "x".repeat(5_000));
    connected.push(client(&setup, &long).await);
    for connection in &mut connected {
        ask(connection, 1).await;
    }
    let (_, text) = http(&setup, &get("/api/v1/applications")).await;
    assert!(!text.contains(char::is_control) && text.len() < 4_000, "{text:?}");
    let [applications, clients, ..] = pages(&setup).await;
    let agents: Vec<_> =
        clients.as_array().unwrap().iter().map(|line| &line["user_agent"]).collect();
    assert_eq!(agents[..4], names);
    assert_eq!(applications.as_array().unwrap().len(), 5);
    // A query that fails is one failure, and what is ignored after it none.
    assert!(connected[0].run_in_transaction("RETURN 1 / $").await.is_err());
    let [_, clients, ..] = pages(&setup).await;
    assert_eq!((&clients[0]["errors"], &clients[1]["errors"]), (&1.into(), &0.into()));
    assert_eq!(page(&setup, "openapi.json").await["openapi"], "3.1.0");
}
