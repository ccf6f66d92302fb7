//! Options that make no sense, each refused in one line that names the fix.

use std::path::Path;

use crate::support::{port_without_a_listener, run};

#[test]
fn bad_input_is_one_line_that_names_the_fix() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    let occupied = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = occupied.local_addr().unwrap().to_string();
    let taken_port = taken.split(':').next_back().unwrap();
    let (_bound, closed) = port_without_a_listener();
    let cases: &[(&[&str], &str)] = &[
        (&["lab", "--pattern", "nonsense"], "choose from problematic, improved, pooled, stress"),
        (&["lab", "--pattern", "improved,problematic,improved"], "twice"),
        (&["lab", "--parallelism", "0"], "at least 1"),
        (&["lab", "--tasks", "0"], "at least 1"),
        (&["lab", "--pool-size", "0"], "at least 1"),
        (&["lab", "--rounds", "0"], "at least 1"),
        (&["lab", "--rounds", "101"], "limit of 100"),
        (&["lab", "--retries", "101"], "limit of 100"),
        (&["lab", "--preset", "large"], "choose from small-server, aura-like, unlimited"),
        (
            &["lab", "--uri", &closed, "--password", "x", "--preset", "unlimited"],
            "drop one of the two",
        ),
        (&["lab", "--engine", "airflow", "--retries", "1"], "Airflow's DAGs decide"),
        (&["lab", "--out", "file/x"], "--out"),
        (&["lab", "--worker", "python", "--python", "/nonexistent/python"], "--python"),
        (&["lab", "--uri", &closed, "--password", "x", "--yes"], "is the server running"),
        // A port of this machine may lead to production, unless a sandbox of ours listens there.
        (&["lab", "--uri", &closed, "--password", "x"], "--yes"),
        (&["lab", "--uri", &format!("bolt://{taken}"), "--password", "x"], "--yes"),
        (&["lab", "--uri", "bolt://192.0.2.1:7687", "--password", "x"], "--yes"),
        // The pooler holds few connections there, but it holds them there.
        (
            &["lab", "--uri", "bolt://192.0.2.1:7687", "--password", "x", "--pattern", "pooled"],
            "about 15 connections",
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
        (&["check", "--uri", &closed, "--password", "x"], "Nothing listens on port"),
        (&["sandbox", "--listen", &taken], "--listen"),
        (&["serve", "--listen", "example.com:1"], "localhost:7688 or 7688"),
        (&["serve"], "NEO4J_URI"),
        (&["serve", "--upstream", "bolt://h", "--listen", "0.0.0.0:1"], "--allow-plaintext"),
        (&["link", "--delay-ms", "1", "--to", "bolt+s://localhost"], "+ssc"),
        (&["lab", "--tasks", "-5"], "write a whole number"),
        (&["lab", "--tasks", "1k"], "here that is 1000"),
        (&["lab", "--hold-ms", "5s"], "write whole milliseconds; here that is 5000"),
        (&["lab", "--retry-delay-ms", "-1"], "write whole milliseconds"),
        (&["airflow", "--parallelism", "many"], "write a whole number"),
        (&["bench", "--clients", "-5"], "write a whole number"),
        (&["bench", "--duration-s", "5s"], "here that is 5"),
        (&["bench", "--rate", "2k"], "here that is 2000"),
        (&["link", "--to", "bolt://localhost", "--delay-ms", "20ms"], "here that is 20"),
        (&["link", "--to", "bolt://localhost", "--delay-ms", "-1"], "give 0 to"),
        (&["sandbox", "--max-threads", "-1"], "write a whole number"),
        (&["sandbox", "--auth-cost-ms", "-1"], "give 0 to"),
        (&["check", "--timeout-s", "1min"], "here that is 60"),
        (&["serv"], "a similar subcommand exists: 'serve'"),
        (&["labb"], "a similar subcommand exists: 'lab'"),
        (&["sandbox", "--max-bolt", "4.3", "--listen", "127.0.0.1:0"], "4.4"),
        (&["sandbox", "--max-threads", "0"], "at least 1"),
        (&["sandbox", "--max-connections", "0"], "at least 1"),
        (&["sandbox", "--transaction-memory-mb", "0"], "at least 1"),
        (&["task"], "boltbouncer lab"),
    ];
    for (arguments, fix) in cases {
        assert_one_line_names_the_fix(folder.path(), arguments, fix);
    }
    // A folder for runs may have been made, but nothing is in it.
    let left = std::fs::read_dir(folder.path().join("boltbouncer-lab"));
    assert_eq!(left.into_iter().flatten().count(), 0, "something was half-written");
}

fn assert_one_line_names_the_fix(folder: &Path, arguments: &[&str], fix: &str) {
    let output = run(folder, arguments);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && output.status.code().is_some(), "{arguments:?}");
    assert!(stderr.contains(fix), "{arguments:?}: {stderr}");
    // What goes on while an Airflow starts is indented. Only clap, for arguments that it reads itself, adds
    // usage hints.
    let lines = stderr.lines().filter(|line| !line.starts_with(' ')).count();
    assert!(lines == 1 || stderr.contains("--help"), "{arguments:?}: {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}

/// Every command says what it is for, groups its options, and names a document.
#[test]
fn every_help_has_groups_and_leads_to_a_document() {
    let folder = tempfile::tempdir().unwrap();
    for (command, group) in [
        ("lab", "Load:"),
        ("bench", "Targets:"),
        ("serve", "Clients:"),
        ("airflow", "Server:"),
        ("check", "Server:"),
        ("sandbox", "Options:"),
        ("link", "Options:"),
    ] {
        let output = run(folder.path(), &[command, "--help"]);
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && help.contains(group), "{help}");
        assert!(help.contains("More: ") && help.contains(".md"), "{help}");
        // Units are in the names of options, or in those of their values.
        assert!(!help.contains("<DURATION>") && !help.contains("usize"), "{help}");
    }
}

#[test]
fn a_configuration_file_is_named_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("broken.toml"), "upstream =\n").unwrap();
    std::fs::write(folder.path().join("empty.toml"), "").unwrap();
    for name in ["missing.toml", "broken.toml", "empty.toml"] {
        let mut command = crate::support::boltbouncer(folder.path());
        let output = command.args(["serve", "--config", name]).env_remove("NEO4J_URI").output();
        let stderr = String::from_utf8(output.unwrap().stderr).unwrap();
        assert_eq!(stderr.matches(name).count(), 1, "{stderr}");
    }
}
