//! `boltbouncer check`, and logins that fail.

use std::process::Output;

use serde_json::{Value, json};

use crate::results::assert_fits;
use crate::support::{Server, port_without_a_listener, run};

/// What `--json` has said, which is as its schema describes it.
fn said(output: &Output) -> Value {
    let said = serde_json::from_slice(&output.stdout).unwrap();
    assert_fits(&said, include_str!("../../check.schema.json"));
    said
}

#[test]
fn check_tells_who_answers() {
    let sandbox = Server::sandbox(&["--agent", "Neo4j/5.20.0", "--max-bolt", "5.4"]);
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["check", "--uri", &sandbox.uri, "--password", "boltbouncer"]);
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    for part in [
        "Neo4j/5.20.0 answers",
        "community",
        "Bolt          5.4",
        "thread_pool_max_size = 400",
        "boltbouncer-check/",
        "at most 400",
    ] {
        assert!(printed.contains(part), "{part} is missing in\n{printed}");
    }
}

#[test]
fn a_wrong_password_is_tried_once() {
    let sandbox = Server::sandbox(&[]);
    let folder = tempfile::tempdir().unwrap();
    let wrong = |command: &str| {
        run(folder.path(), &[command, "--uri", &sandbox.uri, "--password", "wrong"])
    };
    // A third failure would lock the user, which the right password would then find out.
    for command in ["lab", "check"] {
        let output = wrong(command);
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("Unauthorized"), "{output:?}");
    }
    let output = run(folder.path(), &["check", "--uri", &sandbox.uri, "--password", "boltbouncer"]);
    assert!(output.status.success(), "{output:?}");
    assert!(!folder.path().join("boltbouncer-lab").exists());
}

#[test]
fn check_says_the_same_as_json() {
    let sandbox = Server::sandbox(&["--agent", "Neo4j/5.20.0", "--max-bolt", "5.4"]);
    let folder = tempfile::tempdir().unwrap();
    let words = ["check", "--json", "--uri", &sandbox.uri, "--password", "boltbouncer"];
    let output = run(folder.path(), &words);
    assert!(output.status.success(), "{output:?}");
    let said = said(&output);
    let facts = ["agent", "bolt", "edition", "encryption", "is_pooler", "uri", "transactions"];
    let uri = sandbox.uri.as_str();
    let expected = json!(["Neo4j/5.20.0", "5.4", "community", "none", false, uri, 1]);
    assert_eq!(Value::from(facts.map(|name| said[name].clone()).to_vec()), expected);
    assert_eq!(said["limits"]["server.bolt.thread_pool_max_size"], "400");
    let connections = said["connections"].as_object().unwrap();
    assert!(connections.keys().any(|agent| agent.starts_with("boltbouncer-check/")), "{said}");
    for time in ["connect_ms", "login_ms", "query_ms"] {
        assert!(said[time].as_f64().unwrap() > 0.0, "{time}: {said}");
    }
    assert!(said["advice"][0].as_str().unwrap().contains("at most 400"), "{said}");
}

#[test]
fn check_says_when_it_talks_to_a_pooler() {
    let sandbox = Server::sandbox(&[]);
    let pooler = Server::pooler(&sandbox.uri);
    let folder = tempfile::tempdir().unwrap();
    let check = |more: &[&str]| {
        let words = ["check", "--uri", &pooler.uri, "--password", "boltbouncer"];
        run(folder.path(), &[&words[..], more].concat())
    };
    let printed = String::from_utf8(check(&[]).stdout).unwrap();
    assert!(printed.contains("through a BoltBouncer") && printed.contains("/clients"), "{printed}");
    let said = said(&check(&["--json"]));
    assert_eq!(said["is_pooler"], true);
}

#[test]
fn a_server_that_takes_connections_and_is_silent_is_told_from_one_that_is_not_there() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("bolt://{}", silent.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let words = ["check", "--timeout-s", "1", "--uri", &uri, "--password", "x"];
    let stderr = String::from_utf8(run(folder.path(), &words).stderr).unwrap();
    assert!(stderr.contains("takes connections and has not answered within 1s"), "{stderr}");
}

#[test]
fn who_cannot_use_a_server_is_told_what_to_try() {
    let sandbox = Server::sandbox(&[]);
    let folder = tempfile::tempdir().unwrap();
    let (_bound, nowhere) = port_without_a_listener();
    let database = ["--database", "elsewhere"];
    let cases: [(&str, &str, &[&str], &str, &str); 3] = [
        (&nowhere, "x", &[], "connect", "Nothing listens on port"),
        (&sandbox.uri, "wrong", &[], "login", "NEO4J_PASSWORD"),
        (&sandbox.uri, "boltbouncer", &database, "query", "SHOW DATABASES"),
    ];
    for (uri, password, more, step, advice) in cases {
        let words = [&["check", "--json", "--uri", uri, "--password", password], more].concat();
        let output = run(folder.path(), &words);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = said(&output);
        assert_eq!((&said["is_usable"], &said["step"]), (&json!(false), &json!(step)), "{said}");
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(stderr.contains(said["problem"].as_str().unwrap()), "{stderr}");
        assert!(stderr.contains(&format!("\n  - {}", said["advice"][0].as_str().unwrap())));
        assert!(stderr.contains(advice), "{advice} is not in {stderr}");
    }
}

#[test]
fn a_bad_uri_is_said_to_come_from_where_it_does() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["check", "--uri", "localhost:7687", "--password", "x"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("boltbouncer: --uri: "), "{stderr}");
    std::fs::write(folder.path().join(".env"), "NEO4J_URI=localhost:7687\n").unwrap();
    let output = run(folder.path(), &["check", "--password", "x"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("boltbouncer: NEO4J_URI in .env: "), "{stderr}");
}
