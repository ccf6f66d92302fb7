//! `boltbouncer bench` and `boltbouncer link` as people use them: options, files, signals.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use sandbox::{Sandbox, Settings};
use serde_json::Value;
use tokio::net::TcpSocket;

fn boltbouncer(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boltbouncer"));
    command.current_dir(folder).stdin(Stdio::null()).env_remove("RUST_LOG");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("NEO4J_")) {
        command.env_remove(name);
    }
    command
}

/// A run of two rounds that is over soon.
fn bench(folder: &Path, targets: &[(&str, &str)]) -> Command {
    bench_with(folder, targets, &["--duration", "0.2", "--rounds", "2"])
}

fn bench_with(folder: &Path, targets: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = boltbouncer(folder);
    command.args(["bench", "--warm-up", "0"]).args(arguments);
    for (name, uri) in targets {
        command.args(["--target", &format!("{name}={uri}")]);
    }
    command.env("NEO4J_PASSWORD", "boltbouncer");
    command
}

/// A sandbox or a link in a process of its own, ended with the test.
struct Server {
    child: Child,
    uri: String,
}

impl Server {
    fn sandbox() -> Self {
        Self::start(&["sandbox", "--listen", "127.0.0.1:0"])
    }

    fn start(arguments: &[&str]) -> Self {
        let mut command = boltbouncer(Path::new("."));
        let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut uri = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut uri).unwrap();
        Self { child, uri: uri.trim().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn terminate(child: &Child) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
}

/// A server that nobody may speak to.
struct Untouched {
    listener: TcpListener,
    uri: String,
}

impl Untouched {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let uri = format!("bolt://{}", listener.local_addr().unwrap());
        Self { listener, uri }
    }

    fn assert_untouched(&self, context: &str) {
        let accepted = self.listener.accept();
        let error = accepted.expect_err(context);
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{context}");
    }
}

/// What is said of a run that does not begin.
fn refusal(output: Output, code: i32) -> String {
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(output.stdout.is_empty(), "{stderr}");
    if code == 1 {
        assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with("boltbouncer: "), "{stderr}");
    }
    stderr
}

/// Runs with targets that nobody may speak to, called `names`.
fn refused(names: &[&str], arguments: &[&str], code: i32) -> String {
    let folder = tempfile::tempdir().unwrap();
    let servers: Vec<Untouched> = names.iter().map(|_| Untouched::new()).collect();
    let uris = servers.iter().map(|server| server.uri.as_str());
    let targets: Vec<_> = names.iter().copied().zip(uris).collect();
    let mut command = bench(folder.path(), &targets);
    let stderr = refusal(command.args(["--timeout", "1"]).args(arguments).output().unwrap(), code);
    servers.iter().for_each(|server| server.assert_untouched(&stderr));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "{stderr}");
    stderr
}

#[test]
fn what_is_wrong_is_named_in_one_line_before_anybody_is_dialled() {
    for (names, arguments, wanted) in [
        (&["a"][..], &[][..], "give --target NAME=URI twice"),
        (&["a", "b", "a"], &[], "two targets are called a; give each"),
        (&["a", "b"], &["--clients", "0"], "--clients 0 would run nothing; give at least 1"),
        (&["a", "b"], &["--users", "0"], "--users 0"),
        (&["a", "b"], &["--records", "0"], "--records 0"),
        (&["a", "b"], &["--link-delay-ms", "nan"], "--link-delay-ms NaN makes no sense"),
        (&["a", "b"], &["--rate", "0"], "--rate 0 makes no sense; give"),
        (&["a", "b"], &["--record-bytes", "1"], "--record-bytes goes from"),
        (&["a", "b"], &["--workload", "tx,query,tx"], "--workload names tx twice"),
        (&["a", "b"], &["--check", "query.p50 c/a <= 1"], "there is no --target c=…"),
        (&["a", "b"], &["--check", "query.p50 b/c <= 1"], "there is no --target c=…"),
        (&["a", "b"], &["--check", "tx.p50 b/a <= 1"], "tx is not in --workload"),
        (&["a", "b"], &["--check", "query.cpu b <= 1us"], "needs --pid b=…"),
        (&["a", "b"], &["--pid", "b=2147483647"], "2147483647, which --pid calls b"),
        (&["a", "b"], &["--pid", "b=0"], "no process 0, which --pid calls b"),
    ] {
        let stderr = refused(names, arguments, 1);
        assert!(stderr.contains(wanted), "{arguments:?}: {stderr}");
    }
}

#[test]
fn numbers_that_no_machine_can_hold_are_refused() {
    let most = usize::MAX.to_string();
    assert!(refused(&["a", "b"], &["--clients", &most], 1).contains("--clients"));
    let both = ["--clients", &most, "--idle-clients", &most];
    assert!(refused(&["a", "b"], &both, 1).contains("--idle-clients"));
    assert!(refused(&["a", "b"], &["--rate", "1e-30"], 1).contains("--rate"));
    assert!(refused(&["a", "b"], &["--settle", "1e30"], 1).contains("--settle"));
}

#[test]
fn a_file_that_could_not_be_written_is_named_before_the_run() {
    for option in ["--json", "--markdown", "--html"] {
        let stderr = refused(&["a", "b"], &[option, "missing/bench"], 1);
        assert!(stderr.contains("missing/bench"), "{stderr}");
    }
}

#[test]
fn options_that_can_not_be_read_say_what_there_is() {
    for (arguments, wanted) in [
        (["--check", "query.p95 b/a <= 1"], "there is no metric `p95`; there are p50,"),
        (["--check", "query.p50 b/a"], "write for example"),
        (["--check", "query.p50 b <= 5"], "needs a time at its end"),
        (["--check", "reed.p50 b/a <= 5"], "there is no workload reed; there are query,"),
        (["--workload", "reed"], "there is no workload reed; there are query,"),
        (["--target", "bolt://127.0.0.1"], "a target is NAME=URI"),
        (["--target", "c/d=bolt://127.0.0.1"], "is no name for a target"),
        (["--target", "c=http://127.0.0.1"], "`http` is not a scheme"),
        (["--pid", "c=one"], "`one` is no process id"),
    ] {
        let stderr = refused(&["a", "b"], &arguments, 2);
        assert!(stderr.contains(wanted), "{arguments:?}: {stderr}");
    }
}

#[test]
fn more_clients_than_open_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (Untouched::new(), Untouched::new());
    // Many machines have no limit of their own to speak of.
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 256 && exec \"$@\"", "sh"]);
    let bench = bench(folder.path(), &[("a", &a.uri), ("b", &b.uri)]);
    limited.arg(bench.get_program()).args(bench.get_args()).args(["--clients", "100000000"]);
    for (name, value) in bench.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited.current_dir(&folder).stdin(Stdio::null());
    let stderr = refusal(limited.output().unwrap(), 1);
    assert!(stderr.contains("the limit is 256; lower --clients"), "{stderr}");
    assert!(stderr.contains("`ulimit -n`"), "{stderr}");
    a.assert_untouched(&stderr);
    b.assert_untouched(&stderr);
}

#[test]
fn another_machine_is_not_loaded_unless_somebody_said_so() {
    // An address that is nobody's, by RFC 5737.
    let far = ["--target", "far=bolt://192.0.2.1:7687"];
    let stderr = refused(&["a"], &far, 1);
    assert!(stderr.contains("bolt://192.0.2.1:7687 is not this machine"), "{stderr}");
    assert!(stderr.contains("opens 1 connections") && stderr.contains("--yes"), "{stderr}");
}

#[test]
fn without_a_password_nobody_is_dialled() {
    let folder = tempfile::tempdir().unwrap();
    let server = Untouched::new();
    let mut command = bench(folder.path(), &[("a", &server.uri), ("b", &server.uri)]);
    let stderr = refusal(command.env("NEO4J_PASSWORD", "").output().unwrap(), 1);
    assert!(stderr.contains("set NEO4J_PASSWORD"), "{stderr}");
    server.assert_untouched(&stderr);
}

/// One whose connections can be counted.
async fn sandbox() -> (Sandbox, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sandbox = Sandbox::start(listener, Settings::default()).unwrap();
    let uri = format!("bolt://{}", sandbox.address());
    (sandbox, uri)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_does_not_answer_is_named_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let (sandbox, uri) = sandbox().await;
    // Bound, so that nobody else takes the port, and not listening.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let nobody = format!("bolt://{}", socket.local_addr().unwrap());
    let output = bench(folder.path(), &[("a", &uri), ("b", &nobody)]).output().unwrap();
    let stderr = refusal(output, 1);
    assert!(stderr.contains(&format!("target b, {nobody}")), "{stderr}");
    assert!(stderr.contains("start the server or correct the address"), "{stderr}");
    assert_eq!(sandbox.books().all.opened, 1, "a was introduced and nothing more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_named_before_the_run_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let (sandbox, uri) = sandbox().await;
    let mut command = bench(folder.path(), &[("a", &uri), ("b", &uri)]);
    let stderr = refusal(command.env("NEO4J_PASSWORD", "hunter2").output().unwrap(), 1);
    assert!(stderr.contains("target a") && stderr.contains("NEO4J_PASSWORD"), "{stderr}");
    assert!(!stderr.contains("hunter2"), "{stderr}");
    assert_eq!(sandbox.books().all.opened, 1);
}

/// All numbers of a run, in the shape that the schema says.
fn json(path: &Path) -> Value {
    let results = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let schema = include_str!("../../bench/results.schema.json");
    let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let errors: Vec<_> = schema.iter_errors(&results).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    results
}

fn file_names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn rounds(results: &Value, target: usize) -> usize {
    results["workloads"][0]["targets"][target]["rounds"].as_array().unwrap().len()
}

/// A relay is never early; how late it is depends on the machine, and on a very slow one there may be
/// nothing.
fn assert_at_least(results: &Value, target: usize, us: f64) {
    let latency = &results["workloads"][0]["targets"][target]["total"]["latency_us"];
    if !latency.is_null() {
        assert!(latency["p50"].as_f64().unwrap() >= us, "{latency}");
    }
}

#[test]
fn a_run_prints_a_table_and_writes_all_numbers_and_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (Server::sandbox(), Server::sandbox());
    let mut command = bench(folder.path(), &[("first", &a.uri), ("second", &b.uri)]);
    command.args(["--workload", "query,write", "--check", "query.errors second <= 0"]);
    command.args(["--json", "a.json", "--markdown", "a.md", "--html", "a.html"]);
    let output = command.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    for part in ["query, 1 client", "write, 1 client", "÷ first", "second <= 0: holds, 0.000"] {
        assert!(printed.contains(part), "{part} is missing: {printed}");
    }
    assert_eq!(file_names(folder.path()), ["a.html", "a.json", "a.md"].map(String::from).into());

    let results = json(&folder.path().join("a.json"));
    assert_eq!((&results["schema"], &results["interrupted"]), (&1.into(), &false.into()));
    for (index, (name, server)) in [("first", &a), ("second", &b)].into_iter().enumerate() {
        assert_eq!(results["targets"][index]["name"], name);
        assert_eq!(results["targets"][index]["uri"], server.uri);
        assert_eq!(results["workloads"][1]["targets"][index]["name"], name);
        assert_eq!(rounds(&results, index), 2);
    }
    assert_eq!(results["checks"][0]["holds"], true);

    let tables = fs::read_to_string(folder.path().join("a.md")).unwrap();
    for part in ["| query, 1 client | first | second |", "- query.errors second <= 0: holds"] {
        assert!(tables.contains(part), "{part} is missing: {tables}");
    }
    let page = fs::read_to_string(folder.path().join("a.html")).unwrap();
    for part in ["first", "second", &a.uri, &b.uri, "write, 1 client"] {
        assert!(page.contains(part), "{part} is missing in the page");
    }
    for reference in ["src=", "href=\"http", "url(http", "@import"] {
        assert!(!page.contains(reference), "{reference} in the page");
    }
}

#[test]
fn a_check_that_does_not_hold_fails_the_command_and_everything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::sandbox();
    let mut command = bench(folder.path(), &[("a", &server.uri), ("b", &server.uri)]);
    command.args(["--check", "query.errors b > 5", "--check", "query.errors b <= 0"]);
    command.args(["--json", "a.json", "--link-delay-ms", "1"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "boltbouncer: 1 of 2 checks do not hold\n");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("query.errors b > 5: does not hold, 0.000"), "{printed}");
    let results = json(&folder.path().join("a.json"));
    assert_eq!(results["checks"][0]["holds"], false);
    assert_eq!(results["checks"][1]["holds"], true);
    assert_eq!(results["targets"][0]["uri"], server.uri, "not the relay's");
    assert_at_least(&results, 0, 1000.0);
    assert_at_least(&results, 1, 1000.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_measured_until_a_signal_came_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let ((_first, a), (second, b)) = (sandbox().await, sandbox().await);
    // A turn takes a millisecond, and opens a connection for each operation.
    let long = ["--workload", "reconnect", "--duration", "1000", "--rounds", "1000000"];
    let mut command = bench_with(folder.path(), &[("a", &a), ("b", &b)], &long);
    command.args(["--json", "a.json"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut run = Server { child: command.spawn().unwrap(), uri: String::new() };
    // Far more than there could be in the first round.
    while second.books().all.opened < 200 {
        assert!(run.child.try_wait().unwrap().is_none());
        tokio::task::yield_now().await;
    }
    terminate(&run.child);
    let stderr = std::io::read_to_string(run.child.stderr.take().unwrap()).unwrap();
    assert_eq!(run.child.wait().unwrap().code(), Some(1), "{stderr}");
    assert!(stderr.contains("ending") && stderr.contains("was interrupted"), "{stderr}");
    let results = json(&folder.path().join("a.json"));
    assert_eq!(results["interrupted"], true);
    assert!(rounds(&results, 0) > 0 && rounds(&results, 0) == rounds(&results, 1));
}

#[test]
fn a_link_is_as_good_as_its_server_and_ends_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::sandbox();
    let mut link = Server::start(&["link", "--to", &server.uri, "--delay-ms", "1"]);
    assert!(link.uri.starts_with("bolt://127.0.0.1:") && link.uri != server.uri, "{}", link.uri);
    let mut command = bench(folder.path(), &[("near", &server.uri), ("far", &link.uri)]);
    command.args(["--check", "query.errors far <= 0", "--json", "a.json"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_at_least(&json(&folder.path().join("a.json")), 1, 1000.0);
    terminate(&link.child);
    assert_eq!(link.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_link_may_be_ended_as_soon_as_it_has_said_where_it_is() {
    let mut link = Server::start(&["link", "--to", "bolt://127.0.0.1:1", "--delay-ms", "0"]);
    terminate(&link.child);
    assert_eq!(link.child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_is_wrong_with_a_link_is_named_in_one_line() {
    let taken = Untouched::new();
    let address = taken.uri.trim_start_matches("bolt://");
    for (arguments, wanted) in [
        (["--delay-ms", "100000", "--listen", "127.0.0.1:0"], "--delay-ms 100000 makes no sense"),
        (["--delay-ms", "nan", "--listen", "127.0.0.1:0"], "--delay-ms NaN makes no sense"),
        (["--delay-ms", "1", "--listen", address], "choose another address with --listen"),
    ] {
        let mut command = boltbouncer(Path::new("."));
        command.args(["link", "--to", &taken.uri]).args(arguments);
        let stderr = refusal(command.output().unwrap(), 1);
        assert!(stderr.contains(wanted), "{stderr}");
    }
    taken.assert_untouched("a link dials for its clients alone");
}
