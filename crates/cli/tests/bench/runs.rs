//! Runs: what they print and write, how they fail, and how a signal ends them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::numbers::{assert_at_least, json, rounds};
use crate::support::{Server, bench, bench_with, sandbox, terminate};

fn file_names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
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
