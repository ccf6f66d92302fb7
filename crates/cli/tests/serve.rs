//! `boltbouncer serve` as operators use it: options, files and signals.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bolt::message::{Auth, TransactionExtra};
use client::{ClientError, Connection};
use net::Target;

fn boltbouncer(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boltbouncer"));
    command.args(arguments).stdin(Stdio::null()).env_remove("RUST_LOG");
    command
}

/// A sandbox or a pooler in a process of its own, ended with the test.
struct Server {
    child: Child,
    target: Target,
}

impl Server {
    fn start(arguments: &[&str]) -> Self {
        let mut command = boltbouncer(arguments);
        command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut uri = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut uri).unwrap();
        Self { child, target: uri.trim().parse().unwrap() }
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    async fn connect(&self) -> Result<Connection, ClientError> {
        let mut connection = Connection::dial(&self.target, Duration::from_secs(60)).await?;
        connection.login("serve/1", &Auth::basic("neo4j", "boltbouncer")).await?;
        Ok(connection)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
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

/// The one line that a wrong configuration gets.
fn problem(arguments: &[&str]) -> String {
    let output = boltbouncer(&[&["serve"], arguments].concat()).output().unwrap();
    assert!(!output.status.success(), "{arguments:?}");
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.trim_end().lines().count(), 1, "{arguments:?}: {text}");
    text
}

#[test]
fn what_is_wrong_is_named_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pooler.toml");
    let name = path.to_str().unwrap();
    for (text, wanted) in [
        ("upstream = \"bolt://h\"\n[limits]\nmax_pool_size = 1\n", "line 3: unknown field"),
        ("upstream = \"http://h\"\n", "upstream: `http` is not a scheme"),
        ("upstream = \"bolt://a b\"\n", "upstream: `a b` is no name of a host"),
        ("upstream = \"bolt://127.0.0.1:7688\"\n", "upstream: bolt://127.0.0.1:7688 is where"),
        ("upstream = \"bolt://h\"\nlisten = \"0.0.0.0:7688\"\n", "listen: 0.0.0.0:7688 is reached"),
        ("upstream = \"bolt://h\"\n[log]\nlevel = \"loud\"\n", "log.level: `loud` is no level"),
        ("upstream = \"bolt://h\"\n[limits]\nmax_client_connections = 99999999\n", "ulimit -n"),
    ] {
        fs::write(&path, text).unwrap();
        let problem = problem(&["--config", name, "--check"]);
        assert!(problem.contains(wanted) && problem.contains("pooler.toml"), "{problem}");
    }
    assert!(problem(&[]).contains("--upstream"));
    assert!(problem(&["--config", "/no/such/file"]).contains("/no/such/file"));
}

#[test]
fn a_port_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let problem = problem(&["--upstream", "bolt://127.0.0.1:1", "--listen", &address]);
    assert!(problem.contains(&address) && problem.contains("--listen"), "{problem}");
}

#[test]
fn a_good_configuration_is_called_good_and_nothing_is_started() {
    let output =
        boltbouncer(&["serve", "--upstream", "bolt://localhost:7687", "--check"]).output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8(output.stdout).unwrap().contains("good"));
}

#[tokio::test]
async fn the_first_signal_lets_open_work_end() {
    let sandbox = Server::start(&["sandbox"]);
    let mut pooler = Server::start(&["serve", "--upstream", &sandbox.target.to_string()]);
    let mut idle = pooler.connect().await.unwrap();
    let mut busy = pooler.connect().await.unwrap();
    busy.begin(TransactionExtra::default()).await.unwrap();
    busy.run_in_transaction("CREATE (:Kept)").await.unwrap();
    pooler.signal("TERM");
    eventually("the end of the listener", async || pooler.connect().await.is_err()).await;
    assert!(idle.run_in_transaction("RETURN 1").await.is_err());
    busy.run_in_transaction("CREATE (:Kept)").await.unwrap();
    busy.commit().await.unwrap();
    assert!(pooler.child.wait().unwrap().success());
    let mut own = sandbox.connect().await.unwrap();
    let kept = own.run_in_transaction("MATCH (k:Kept) RETURN count(k) AS n").await.unwrap();
    assert_eq!(kept.get(0, "n").as_integer(), Some(2));
}

#[tokio::test]
async fn the_second_signal_ends_it_at_once() {
    let sandbox = Server::start(&["sandbox"]);
    let mut pooler = Server::start(&["serve", "--upstream", &sandbox.target.to_string()]);
    let mut busy = pooler.connect().await.unwrap();
    busy.begin(TransactionExtra::default()).await.unwrap();
    pooler.signal("TERM");
    eventually("the end of the listener", async || pooler.connect().await.is_err()).await;
    pooler.signal("TERM");
    assert_eq!(pooler.child.wait().unwrap().code(), Some(1));
    assert!(busy.commit().await.is_err());
}

fn write_limit(path: &Path, upstream: &Target, clients: usize) {
    let limits = format!("[limits]\nmax_user_client_connections = {clients}\n");
    fs::write(path, format!("upstream = \"{upstream}\"\n{limits}")).unwrap();
}

#[tokio::test]
async fn limits_are_reloaded_and_clients_stay() {
    let sandbox = Server::start(&["sandbox"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pooler.toml");
    write_limit(&path, &sandbox.target, 1);
    let pooler = Server::start(&["serve", "--config", path.to_str().unwrap()]);
    let mut first = pooler.connect().await.unwrap();
    let refused = pooler.connect().await.unwrap_err();
    assert!(refused.code().is_some_and(|code| code.ends_with("ResourceExhaustion")), "{refused}");

    write_limit(&path, &sandbox.target, 2);
    pooler.signal("HUP");
    eventually("the new limit", async || pooler.connect().await.is_ok()).await;
    first.run_in_transaction("RETURN 1").await.unwrap();

    // A file with a mistake changes nothing and ends nothing.
    fs::write(&path, "nonsense").unwrap();
    pooler.signal("HUP");
    first.run_in_transaction("RETURN 1").await.unwrap();
}
