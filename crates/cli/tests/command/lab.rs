//! What `boltbouncer lab` counts, writes and says, on its own server and on others.

use std::path::Path;

use serde_json::Value;

use crate::results::{
    SMALL, assert_counts, assert_fits_the_schema, assert_pooled, results, run_folder,
};
use crate::support::{Server, boltbouncer, run};

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
    assert_files(&run);
    assert_logs(&run);
}

fn assert_files(run: &Path) {
    for name in [
        "report.html",
        "comparison.md",
        "idle-connections.svg",
        "idle-connections.png",
        "opened-closed.svg",
        "opened-closed.png",
        "result.png",
    ] {
        assert!(run.join(name).metadata().unwrap().len() > 300, "{name}");
    }
    let table = std::fs::read_to_string(run.join("comparison.md")).unwrap();
    assert!(
        table.starts_with("|  | problematic | improved | change | pooled | change |"),
        "{table}"
    );
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    let sentence = "The same 6 tasks, without a pool and with one: 18 connections became ";
    for part in [sentence, "pooled: idle", "pooled: opened", "limit: 66"] {
        assert!(page.contains(part), "{part} is missing in the page");
    }
}

/// The tasks write what the reference set-up's tasks write.
fn assert_logs(run: &Path) {
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
        ["lab", "--tasks", "3", "--parallelism", "3", "--calls", "2", "--hold-ms", "2000", "--all"];
    let server = ["--uri", &sandbox.uri, "--password", "boltbouncer", "--rounds", "1"];
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
    // Of the pooled tasks, the pooler's sockets: its connections stay.
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
    let sandbox = Server::sandbox(&["--rtt-ms", "500"]);
    let folder = tempfile::tempdir().unwrap();
    let arguments =
        ["lab", "--tasks", "16", "--parallelism", "16", "--calls", "1", "--hold-ms", "0"];
    let narrow = ["--pattern", "problematic,pooled", "--pool-size", "1", "--rounds", "1"];
    let server = ["--uri", &sandbox.uri, "--password", "boltbouncer"];
    let output = run(folder.path(), &[&arguments[..], &narrow, &server].concat());
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("not as expected: pooled: it took"), "{printed}");
    assert_eq!(printed.matches("not as expected").count(), 1, "{printed}");
    let run = run_folder(&folder.path().join("boltbouncer-lab"));
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("<h2>Not as expected</h2>"));
    assert_pooled(&results(&folder.path().join("boltbouncer-lab"))["patterns"][1], 16, 1, 1);
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
    // The first one leaves a node, and then it divides by zero.
    let query = "OPTIONAL MATCH (m:T) WITH count(m) AS c CREATE (:T) RETURN 1/(1-c)";
    let one_by_one = [
        "lab",
        "--parallelism",
        "1",
        "--calls",
        "1",
        "--hold-ms",
        "0",
        "--rounds",
        "1",
        "--retries",
        "0",
    ];
    let failing = ["--tasks", "3", "--pattern", "problematic", "--query", query, "--out"];
    let embedded = [&one_by_one[..], &failing].concat();
    let lenient = run(folder.path(), &[&embedded[..], &["a"]].concat());
    assert!(lenient.status.success(), "{lenient:?}");
    let failures = &results(&folder.path().join("a"))["patterns"][0]["tasks"]["failures"];
    assert_eq!(failures["Neo.ClientError.Statement.ArithmeticError"], 2, "{failures}");
    let strict = run(folder.path(), &[&embedded[..], &["b", "--fail-on-task-failure"]].concat());
    assert_eq!(strict.status.code(), Some(1));
    assert_eq!(results(&folder.path().join("b"))["patterns"][0]["tasks"]["failed"], 2);
}

#[test]
fn a_run_of_which_every_task_failed_has_failed() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["lab", "--tasks", "2", "--calls", "1", "--pattern", "problematic"];
    let query = ["--query", "RETURN 1/0", "--rounds", "1", "--retries", "0"];
    let output = run(folder.path(), &[&arguments[..], &query].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("all 2 tasks failed"), "{output:?}");
}

#[test]
fn a_task_that_fails_is_tried_again_in_a_process_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["lab", "--tasks", "1", "--calls", "1", "--hold-ms", "0", "--rounds", "1"];
    let again = ["--pattern", "problematic", "--retries", "2", "--retry-delay-ms", "1", "--query"];
    let output = run(folder.path(), &[&words[..], &again, &["RETURN 1/0"]].concat());
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let out = folder.path().join("boltbouncer-lab");
    let pattern = &results(&out)["patterns"][0];
    let tasks = &pattern["tasks"];
    assert_eq!((&tasks["attempts"], &tasks["failed"]), (&3.into(), &1.into()), "{tasks}");
    let code = "Neo.ClientError.Statement.ArithmeticError";
    assert_eq!(
        (&tasks["attempt_failures"][code], &tasks["failures"][code]),
        (&3.into(), &1.into())
    );
    assert_eq!(pattern["connections"]["opened"], 3);
    let logs = run_folder(&out).join("logs/problematic");
    for name in ["task-000.log", "task-000-attempt-2.log", "task-000-attempt-3.log"] {
        assert!(logs.join(name).exists(), "{name}");
    }
}

#[test]
fn rounds_take_turns_and_their_counts_are_kept_apart() {
    let folder = tempfile::tempdir().unwrap();
    let rounds = ["--pattern", "problematic,pooled", "--rounds", "2", "--all"];
    let output = run(folder.path(), &[&SMALL[..9], &rounds].concat());
    assert!(output.status.success(), "{output:?}");
    let results = results(&folder.path().join("boltbouncer-lab"));
    assert_fits_the_schema(&results);
    let ran: Vec<_> = results["patterns"].as_array().unwrap().iter().collect();
    let names: Vec<_> = ran.iter().map(|pattern| (&pattern["name"], &pattern["round"])).collect();
    let turns = [("problematic", 1), ("pooled", 1), ("problematic", 2), ("pooled", 2)];
    let turns = turns.map(|(name, round)| (Value::from(name), Value::from(round)));
    assert_eq!(names, turns.iter().map(|(name, round)| (name, round)).collect::<Vec<_>>());
    assert_eq!([0, 2].map(|index| &ran[index]["connections"]["opened"]), [&18, &18]);
    assert_pooled(ran[3], 6, 3, 4);
}

/// The limit of the embedded server is what makes tasks fail that need more, and no others.
#[test]
fn a_server_that_is_full_refuses_tasks_without_a_pool_and_none_with_one() {
    let folder = tempfile::tempdir().unwrap();
    // Eighty tasks at once want a connection for each call, and there are 66.
    let many = ["lab", "--tasks", "80", "--parallelism", "80", "--calls", "2", "--hold-ms", "4000"];
    let few = ["--rounds", "1", "--retries", "0", "--pattern", "problematic,pooled"];
    let output = run(folder.path(), &[&many[..], &few].concat());
    assert!(output.status.success(), "{output:?}");
    let results = results(&folder.path().join("boltbouncer-lab"));
    assert_fits_the_schema(&results);
    assert_eq!(results["target"]["preset"], "small-server");
    let (problematic, pooled) = (&results["patterns"][0], &results["patterns"][1]);
    let failed = problematic["tasks"]["failed"].as_u64().unwrap();
    assert!(failed > 0 && problematic["refused"] == failed, "{problematic}");
    assert_eq!(problematic["connections"]["peak_open"], 66);
    assert_eq!(
        (&pooled["tasks"]["failed"], &pooled["refused"]),
        (&0.into(), &0.into()),
        "{pooled}"
    );
    let printed = String::from_utf8(output.stdout).unwrap();
    let sentence = format!("The same 80 tasks: {failed} failed without a pool, none with one");
    assert!(printed.replace('\n', " ").contains(&sentence), "{printed}");
}

#[test]
fn a_server_far_away_behind_tls_is_reached_by_tasks_and_pooler() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &[&SMALL[..], &["--preset", "aura-like"]].concat());
    assert!(output.status.success(), "{output:?}");
    let results = results(&folder.path().join("boltbouncer-lab"));
    assert_counts(&results, 6, 3);
    assert!(results["target"]["uri"].as_str().unwrap().starts_with("bolt+ssc://"), "{results}");
    // A connection takes five round trips at least: TCP, TLS, the handshake, HELLO and LOGON.
    let connecting = results["patterns"][0]["connecting"]["total_s"].as_f64().unwrap();
    assert!(connecting > 18.0 * 5.0 * 0.02, "{connecting}");
}

#[test]
fn what_is_printed_fits_a_terminal_and_has_no_colour_in_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &SMALL);
    let presets = run(folder.path(), &["lab", "--list-presets"]);
    for printed in [output.stdout, presets.stdout].map(|text| String::from_utf8(text).unwrap()) {
        let is_long = |line: &&str| line.chars().count() > 80;
        assert_eq!(printed.lines().find(is_long), None);
        assert!(!printed.contains('\u{1b}'), "{printed}");
        assert!(printed.contains("small-server"), "{printed}");
    }
}

/// A run that leads elsewhere would be refused: nobody agrees to it, and nobody is there.
#[test]
fn without_a_word_no_other_server_is_touched_whatever_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let elsewhere = "NEO4J_URI=bolt://192.0.2.1:7687\nNEO4J_PASSWORD=x\n";
    std::fs::write(folder.path().join(".env"), elsewhere).unwrap();
    let mut command = boltbouncer(folder.path());
    let environment = [("NEO4J_URI", "bolt://192.0.2.2:7687"), ("NEO4J_PASSWORD", "x")];
    let output = command.envs(environment).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.starts_with("The lab on an embedded server of its own"), "{printed}");
    let results = results(&folder.path().join("boltbouncer-lab"));
    assert_eq!(results["target"]["embedded"], true);
    // What a newcomer sees first.
    for (index, name) in ["problematic", "improved", "pooled"].iter().enumerate() {
        let pattern = &results["patterns"][index];
        assert_eq!(pattern["name"], *name);
        let has_failed = pattern["tasks"]["failed"].as_u64().unwrap() > 0;
        assert_eq!(has_failed, *name == "problematic", "{pattern}");
    }
}
