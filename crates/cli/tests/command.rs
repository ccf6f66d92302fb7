//! The command as people use it: the built binary, real processes, real sockets.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use kernel::process::{self, Process};
use serde_json::Value;

fn boltbouncer(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boltbouncer"));
    command.current_dir(folder).stdin(Stdio::null());
    // The tests must not use servers that somebody has started on this machine.
    command.env("XDG_STATE_HOME", folder);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("NEO4J_")) {
        command.env_remove(name);
    }
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    boltbouncer(folder).args(arguments).output().unwrap()
}

/// A sandbox or a pooler in a process of its own, ended with the test.
struct Server {
    child: Child,
    uri: String,
}

impl Server {
    fn sandbox(arguments: &[&str]) -> Self {
        Self::start("sandbox", arguments)
    }

    fn pooler(upstream: &str) -> Self {
        Self::start("serve", &["--upstream", upstream])
    }

    fn start(name: &str, arguments: &[&str]) -> Self {
        let mut command = boltbouncer(Path::new("."));
        command.args([name, "--listen", "127.0.0.1:0"]).args(arguments);
        command.env("RUST_LOG", "warn").stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut uri = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut uri).unwrap();
        Self { child, uri: uri.trim().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn run_folder(out: &Path) -> PathBuf {
    let folders: Vec<_> =
        std::fs::read_dir(out).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(folders.len(), 1, "{folders:?}");
    folders[0].clone()
}

fn results(out: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(run_folder(out).join("results.json")).unwrap()).unwrap()
}

fn assert_fits_the_schema(results: &Value) {
    let schema = include_str!("../../lab/results.schema.json");
    let schema = jsonschema::validator_for(&serde_json::from_str(schema).unwrap()).unwrap();
    let errors: Vec<_> = schema.iter_errors(results).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

/// How many connections were opened is exact on every server. The peaks of a few short tasks are not.
fn assert_counts(results: &Value, tasks: u64, calls: u64) {
    assert_fits_the_schema(results);
    for (index, opened) in [tasks * calls, tasks].into_iter().enumerate() {
        let pattern = &results["patterns"][index];
        assert_eq!(pattern["tasks"]["succeeded"], tasks, "{pattern}");
        assert_eq!(pattern["connections"]["opened"], opened, "{pattern}");
        assert_eq!(pattern["connections"]["closed"], opened, "{pattern}");
        assert_eq!(pattern["drivers_created"], opened, "{pattern}");
        assert_eq!(pattern["pooler"], Value::Null, "{pattern}");
    }
    assert_pooled(&results["patterns"][2], tasks, calls, 4);
}

/// The same tasks as `problematic`, through a pool of this size.
fn assert_pooled(pattern: &Value, tasks: u64, calls: u64, pool_size: u64) {
    assert_eq!(pattern["name"], "pooled");
    assert_eq!(pattern["tasks"]["succeeded"], tasks, "{pattern}");
    assert_eq!(pattern["drivers_created"], tasks * calls, "{pattern}");
    let count = |name: &str| pattern["connections"][name].as_u64().unwrap();
    // One connection more than the pool may be opened to check the password.
    assert!((1..=pool_size + 1).contains(&count("opened")), "{pattern}");
    assert!((1..=pool_size + 1).contains(&count("peak_open")), "{pattern}");
    assert!(count("peak_in_use") <= pool_size, "{pattern}");
    assert_eq!(count("closed"), count("opened"), "{pattern}");
    assert_eq!(count("others"), 0, "{pattern}");
    // The pooler and the server count independently of each other.
    assert_eq!(pattern["pooler"]["upstream_opened"], count("opened"), "{pattern}");
    assert!(pattern["pooler"]["peak_clients"].as_u64().unwrap() <= tasks * calls, "{pattern}");
}

const SMALL: [&str; 9] =
    ["lab", "--tasks", "6", "--parallelism", "3", "--calls", "3", "--hold-ms", "20"];

#[test]
fn the_lab_counts_every_connection_on_the_embedded_server() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &SMALL);
    assert!(output.status.success(), "{output:?}");
    let results = results(&folder.path().join("boltbouncer-lab"));
    assert_counts(&results, 6, 3);
    assert_eq!(results["target"]["counted_by"], "books");
    // A task keeps all of its connections until it ends, however the tasks happen to overlap.
    assert!(results["patterns"][0]["connections"]["peak_open"].as_u64().unwrap() >= 3);

    let run = run_folder(&folder.path().join("boltbouncer-lab"));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        printed.trim_end().ends_with(&run.file_name().unwrap().to_string_lossy().into_owned()),
        "{printed}"
    );
    for name in [
        "report.html",
        "comparison.md",
        "idle-connections.svg",
        "idle-connections.png",
        "opened-closed.svg",
        "opened-closed.png",
    ] {
        assert!(run.join(name).metadata().unwrap().len() > 300, "{name}");
    }
    let table = std::fs::read_to_string(run.join("comparison.md")).unwrap();
    assert!(
        table.starts_with("|  | problematic | improved | change | pooled | change |"),
        "{table}"
    );
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    for part in ["problematic → improved → pooled:", "18 → 6 → ", "pooled: idle", "pooled: opened"]
    {
        assert!(page.contains(part), "{part} is missing in the page");
    }
    let log = |pattern: &str| {
        std::fs::read_to_string(run.join("logs").join(pattern).join("task-005.log")).unwrap()
    };
    let created = "🍌 Problematic: created new driver for alias 'root'";
    let about_to =
        "🍌 DEBUG: about to create NEW driver for alias 'root' (THIS IS THE PROBLEM!)🍌🍌🍌";
    // The tasks don't know that there is a pooler.
    for log in ["problematic", "pooled"].map(log) {
        assert_eq!((log.matches(created).count(), log.matches(about_to).count()), (3, 3));
    }
    assert_eq!(
        log("improved").matches("🍌 Improved: reusing existing sync driver for root").count(),
        2
    );
}

#[test]
fn the_lab_counts_a_server_from_outside_and_leaves_its_own_connections_out() {
    let sandbox = Server::sandbox(&[]);
    let folder = tempfile::tempdir().unwrap();
    let server = ["--uri", &sandbox.uri, "--password", "boltbouncer"];
    let output = run(folder.path(), &[&SMALL[..], &server].concat());
    assert!(output.status.success(), "{output:?}");
    let results = results(&folder.path().join("boltbouncer-lab"));
    assert_counts(&results, 6, 3);
    assert_eq!(results["target"]["counted_by"], "list-connections");
    assert_eq!(results["target"]["embedded"], false);
}

#[test]
fn where_listing_is_denied_the_tasks_sockets_are_counted_and_named_so() {
    let sandbox = Server::sandbox(&["--deny-listing"]);
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        ["lab", "--tasks", "3", "--parallelism", "3", "--calls", "2", "--hold-ms", "400"];
    let server = ["--uri", &sandbox.uri, "--password", "boltbouncer"];
    let output = run(folder.path(), &[&arguments[..], &server].concat());
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("sockets on this machine"));
    let results = results(&folder.path().join("boltbouncer-lab"));
    assert_fits_the_schema(&results);
    assert_eq!(results["target"]["counted_by"], "sockets");
    // Each connection lives through several samples.
    for (pattern, opened) in [(0, 6), (1, 3)] {
        let connections = &results["patterns"][pattern]["connections"];
        assert_eq!(connections["opened"], opened, "{connections}");
        assert_eq!(connections["closed"], opened, "{connections}");
    }
    // For `pooled` the lab counts the pooler's sockets, whose connections stay open.
    assert_pooled(&results["patterns"][2], 3, 2, 4);
}

#[test]
fn a_pool_of_one_serves_everybody_on_one_connection() {
    let folder = tempfile::tempdir().unwrap();
    let one = ["--pattern", "pooled", "--pool-size", "1"];
    let output = run(folder.path(), &[&SMALL[..], &one].concat());
    assert!(output.status.success(), "{output:?}");
    let results = results(&folder.path().join("boltbouncer-lab"));
    assert_fits_the_schema(&results);
    assert_eq!(results["settings"]["pool_size"], 1);
    let pooled = &results["patterns"][0];
    assert_pooled(pooled, 6, 3, 1);
    let connections = &pooled["connections"];
    assert_eq!((&connections["opened"], &connections["peak_open"]), (&1.into(), &1.into()));
}

#[test]
fn a_routing_scheme_is_kept_on_the_way_through_the_pooler() {
    let sandbox = Server::sandbox(&[]);
    let folder = tempfile::tempdir().unwrap();
    let uri = sandbox.uri.replace("bolt://", "neo4j://");
    let server = ["--uri", &uri, "--password", "boltbouncer"];
    let output = run(folder.path(), &[&SMALL[..], &server].concat());
    assert!(output.status.success(), "{output:?}");
    let results = results(&folder.path().join("boltbouncer-lab"));
    assert_counts(&results, 6, 3);
    assert_eq!(results["target"]["uri"], uri);
}

#[test]
fn another_pooler_on_the_server_is_not_taken_for_the_labs_own() {
    let sandbox = Server::sandbox(&[]);
    let folder = tempfile::tempdir().unwrap();
    let other = Server::pooler(&sandbox.uri);
    let through =
        |uri: &str| run(folder.path(), &["check", "--uri", uri, "--password", "boltbouncer"]);
    assert!(through(&other.uri).status.success());
    let server = ["--uri", &sandbox.uri, "--password", "boltbouncer"];
    let output = run(folder.path(), &[&SMALL[..], &server].concat());
    assert!(output.status.success(), "{output:?}");
    let results = results(&folder.path().join("boltbouncer-lab"));
    assert_counts(&results, 6, 3);
    let others = |sample: &Value| sample["others"].as_u64().unwrap();
    let samples = results["patterns"][2]["samples"].as_array().unwrap();
    assert!(samples.iter().all(|sample| others(sample) >= 1), "the other pooler was not seen");
}

#[test]
fn the_lab_says_by_itself_what_is_not_as_expected() {
    // Sixteen queries one after the other take longer than sixteen side by side.
    let sandbox = Server::sandbox(&["--rtt-ms", "200"]);
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        ["lab", "--tasks", "16", "--parallelism", "16", "--calls", "1", "--hold-ms", "0"];
    let narrow = ["--pattern", "problematic,pooled", "--pool-size", "1"];
    let server = ["--uri", &sandbox.uri, "--password", "boltbouncer"];
    let output = run(folder.path(), &[&arguments[..], &narrow, &server].concat());
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("not as expected: pooled: it took"), "{printed}");
    assert_eq!(printed.matches("not as expected").count(), 1, "{printed}");
    let run = run_folder(&folder.path().join("boltbouncer-lab"));
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("<h2>Not as expected</h2>"));
    assert_pooled(&results_of(folder.path(), "boltbouncer-lab")["patterns"][1], 16, 1, 1);
}

#[test]
fn stress_is_half_the_tasks_with_twice_the_calls() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &[&SMALL[..], &["--pattern", "stress", "--out", "x"]].concat());
    assert!(output.status.success(), "{output:?}");
    let results = results(&folder.path().join("x"));
    assert_fits_the_schema(&results);
    let pattern = &results["patterns"][0];
    assert_eq!(
        (&pattern["tasks"]["total"], &pattern["connections"]["opened"]),
        (&3.into(), &18.into())
    );
}

#[test]
fn failed_tasks_are_results_and_an_error_only_on_demand() {
    let folder = tempfile::tempdir().unwrap();
    let embedded = [
        "lab",
        "--tasks",
        "2",
        "--calls",
        "1",
        "--pattern",
        "problematic",
        "--query",
        "RETURN 1/0",
    ];
    let lenient = run(folder.path(), &[&embedded[..], &["--out", "a"]].concat());
    assert!(lenient.status.success(), "{lenient:?}");
    let failures = &results_of(folder.path(), "a")["patterns"][0]["tasks"]["failures"];
    assert_eq!(failures["Neo.ClientError.Statement.ArithmeticError"], 2, "{failures}");
    let strict =
        run(folder.path(), &[&embedded[..], &["--out", "b", "--fail-on-task-failure"]].concat());
    assert_eq!(strict.status.code(), Some(1));
    assert_eq!(results_of(folder.path(), "b")["patterns"][0]["tasks"]["failed"], 2);
}

fn results_of(folder: &Path, out: &str) -> Value {
    results(&folder.join(out))
}

/// Process ids whose command line says that they are tasks of the lab with this process id.
fn tasks_of(lab: u32) -> BTreeSet<u32> {
    let is_task = |pid: &u32| {
        let is_child = Process::read(*pid).is_some_and(|process| process.parent == lab);
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        is_child && line.split(|byte| *byte == 0).nth(1) == Some(b"task")
    };
    process::ids().into_iter().filter(is_task).collect()
}

/// A lab whose tasks would run for minutes, ended with the test.
struct LongLab {
    child: Child,
    tasks: BTreeSet<u32>,
}

impl LongLab {
    /// Waits until four tasks run.
    fn start(folder: &Path, pattern: &str) -> Self {
        let arguments =
            ["lab", "--tasks", "8", "--parallelism", "4", "--calls", "600", "--hold-ms", "1000"];
        let mut command = boltbouncer(folder);
        command.args(arguments).args(["--pattern", pattern]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut lab = Self { child: command.spawn().unwrap(), tasks: BTreeSet::new() };
        while lab.tasks.len() < 4 {
            assert!(lab.child.try_wait().unwrap().is_none(), "the lab ended by itself");
            lab.tasks = tasks_of(lab.child.id());
        }
        lab
    }
}

impl Drop for LongLab {
    fn drop(&mut self) {
        let _ = self.child.kill();
        self.child.wait().unwrap();
    }
}

/// Waits for processes to end; a zombie has ended.
fn wait_until_gone(tasks: &BTreeSet<u32>) {
    let is_alive = |pid: &u32| Process::read(*pid).is_some_and(|process| !process.is_zombie);
    while tasks.iter().any(is_alive) {
        std::thread::yield_now();
    }
}

#[test]
fn a_killed_lab_leaves_no_task_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut lab = LongLab::start(folder.path(), "problematic");
    lab.child.kill().unwrap();
    lab.child.wait().unwrap();
    wait_until_gone(&lab.tasks);
}

fn assert_ends_when_interrupted(pattern: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut lab = LongLab::start(folder.path(), pattern);
    let interrupt =
        Command::new("kill").args(["-INT", &lab.child.id().to_string()]).status().unwrap();
    assert!(interrupt.success());
    let status = lab.child.wait().unwrap();
    wait_until_gone(&lab.tasks);
    assert_eq!(status.code(), Some(1));
    let results = results(&folder.path().join("boltbouncer-lab"));
    assert_fits_the_schema(&results);
    assert_eq!(results["interrupted"], true);
    assert_eq!(results["patterns"][0]["name"], pattern);
    assert_eq!(results["patterns"][0]["tasks"]["unfinished"], 8);
    assert!(!results["patterns"][0]["samples"].as_array().unwrap().is_empty());
}

#[test]
fn an_interrupted_lab_ends_its_tasks_and_keeps_what_was_measured() {
    assert_ends_when_interrupted("problematic");
}

#[test]
fn an_interrupted_lab_ends_its_pooler_too() {
    assert_ends_when_interrupted("pooled");
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
    // A third failure would lock the user, and then the right password below would be refused.
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
fn bad_input_is_one_line_that_names_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let occupied = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = occupied.local_addr().unwrap().to_string();
    let taken_port = taken.split(':').next_back().unwrap();
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("bolt://{}", listener.local_addr().unwrap())
    };
    let cases: &[(&[&str], &str)] = &[
        (&["lab", "--pattern", "nonsense"], "choose from problematic, improved, pooled, stress"),
        (&["lab", "--pattern", "improved,problematic,improved"], "twice"),
        (&["lab", "--parallelism", "0"], "at least 1"),
        (&["lab", "--tasks", "0"], "at least 1"),
        (&["lab", "--pool-size", "0"], "at least 1"),
        (&["lab", "--out", "file/x"], "--out"),
        (&["lab", "--worker", "python", "--python", "/nonexistent/python"], "--python"),
        (&["lab", "--uri", &closed, "--password", "x"], "is the server running"),
        (&["lab", "--uri", "bolt://192.0.2.1:7687", "--password", "x"], "--yes"),
        // The pooler opens few connections there, but they are reason enough to ask.
        (
            &["lab", "--uri", "bolt://192.0.2.1:7687", "--password", "x", "--pattern", "pooled"],
            "about 5 connections",
        ),
        (&["lab", "--uri", "http://localhost", "--password", "x"], "bolt+s"),
        (&["lab", "--uri", "bolt://localhost"], "NEO4J_PASSWORD"),
        (&["lab", "--user", "me"], "--uri"),
        (&["lab", "--pattern", "hook"], "--engine airflow"),
        (&["lab", "--airflow-version", "2.8.1"], "--engine airflow"),
        (&["lab", "--engine", "airflow", "--airflow-version", "1.10.15"], "choose 2.8.1 or 3.3.2"),
        (&["lab", "--engine", "airflow", "--tasks", "1025"], "limit of 1024"),
        (&["lab", "--engine", "airflow", "--pooler-listen", "127.0.0.1:0"], "--airflow-url"),
        (&["lab", "--engine", "airflow", "--airflow-url", "http://localhost"], "--airflow-user"),
        (&["lab", "--engine", "airflow", "--airflow-python", "/nonexistent"], "--airflow-python"),
        (&["lab", "--engine", "airflow", "--airflow-port", taken_port], "--airflow-port"),
        (&["airflow", "--airflow-port", taken_port], "--airflow-port"),
        (&["airflow", "--pool-size", "0"], "at least 1"),
        (&["check"], "--uri"),
        (&["check", "--uri", &closed, "--password", "x"], "is the server running"),
        (&["sandbox", "--listen", &taken], "--listen"),
        (&["sandbox", "--max-bolt", "4.3", "--listen", "127.0.0.1:0"], "4.4"),
        (&["sandbox", "--max-threads", "0"], "at least 1"),
        (&["task"], "boltbouncer lab"),
    ];
    for (arguments, fix) in cases {
        let output = run(folder.path(), arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && output.status.code().is_some(), "{arguments:?}");
        assert!(stderr.contains(fix), "{arguments:?}: {stderr}");
        // Only clap adds usage hints, for arguments that it checks itself.
        assert!(
            stderr.lines().count() == 1 || stderr.contains("--help"),
            "{arguments:?}: {stderr}"
        );
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
    // A folder for runs may have been made, but nothing is in it.
    let left = std::fs::read_dir(folder.path().join("boltbouncer-lab"));
    assert_eq!(left.into_iter().flatten().count(), 0, "something was half-written");
}

#[test]
fn a_broken_env_file_is_refused_without_quoting_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "hunter2 hunter2\n").unwrap();
    let output = run(folder.path(), &["lab"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success() && stderr.contains(".env") && !stderr.contains("hunter2"),
        "{stderr}"
    );
}

#[test]
fn the_environment_and_an_env_file_name_the_server() {
    let sandbox = Server::sandbox(&[]);
    let folder = tempfile::tempdir().unwrap();
    let env = format!("NEO4J_URI={}\nNEO4J_USERNAME=neo4j\nNEO4J_PASSWORD=wrong\n", sandbox.uri);
    std::fs::write(folder.path().join(".env"), env).unwrap();
    let mut command = boltbouncer(folder.path());
    let output = command.arg("check").env("NEO4J_PASSWORD", "boltbouncer").output().unwrap();
    assert!(output.status.success(), "the environment goes before the file: {output:?}");
}

#[test]
fn passwords_are_in_no_file_and_no_command_line() {
    let sandbox = Server::sandbox(&["--password", "Tr0ub4dor"]);
    let folder = tempfile::tempdir().unwrap();
    let mut command = boltbouncer(folder.path());
    command.args([
        "lab",
        "--tasks",
        "4",
        "--calls",
        "2",
        "--hold-ms",
        "300",
        "--uri",
        &sandbox.uri,
    ]);
    command.env("RUST_LOG", "info");
    let mut lab = command
        .env("NEO4J_PASSWORD", "Tr0ub4dor")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut seen = 0;
    while lab.try_wait().unwrap().is_none() {
        for pid in tasks_of(lab.id()) {
            let Ok(line) = std::fs::read(format!("/proc/{pid}/cmdline")) else { continue };
            assert!(!String::from_utf8_lossy(&line).contains("Tr0ub4dor"));
            seen += 1;
        }
    }
    assert!(lab.wait().unwrap().success());
    assert!(seen > 0, "no task was ever seen");
    let mut printed = String::new();
    lab.stdout.unwrap().read_to_string(&mut printed).unwrap();
    lab.stderr.unwrap().read_to_string(&mut printed).unwrap();
    assert!(!printed.contains("Tr0ub4dor"));
    let mut folders = vec![folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let content = std::fs::read(&path).unwrap();
                assert!(
                    !String::from_utf8_lossy(&content).contains("Tr0ub4dor"),
                    "{}",
                    path.display()
                );
            }
        }
    }
}
