//! The keeper ends whatever its command has started, however that tries to get away.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Starts a keeper of a shell script and reads the three process ids that it prints.
fn keep(options: &[&str], script: &str) -> (Child, BTreeSet<i32>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boltbouncer"));
    command.arg("keep").args(options).args(["--", "sh", "-c", script]);
    let mut keeper = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(keeper.stdout.take().unwrap()).lines().map(Result::unwrap);
    let pids = lines.take(3).map(|pid| pid.parse().unwrap()).collect();
    (keeper, pids)
}

fn runs(pid: i32) -> bool {
    // A zombie has ended, though nobody has waited for it yet.
    let stat = procfs::process::Process::new(pid).and_then(|process| process.stat());
    stat.is_ok_and(|stat| stat.state != 'Z')
}

#[test]
fn what_a_command_started_ends_with_it_even_in_a_session_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    // A daemon: its parent is gone, its session is its own, and it does not listen to SIGTERM.
    let script = "trap '' TERM; echo $$; sleep 300 & echo $!; \
        (setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 1; done' &); wait; sleep 300";
    let options = ["--folder", data.to_str().unwrap()];
    let (mut keeper, pids) = keep(&options, script);
    let (mut other, others) = keep(&options, "echo $$; echo $$; echo $$; sleep 300");
    assert_eq!(pids.len(), 3, "{pids:?}");
    assert!(pids.iter().all(|pid| runs(*pid)), "{pids:?}");
    drop(keeper.stdin.take());
    keeper.wait().unwrap();
    assert!(pids.iter().all(|pid| !runs(*pid)), "{pids:?}");
    assert!(data.exists() && others.iter().all(|pid| runs(*pid)), "another keeper uses the folder");
    drop(other.stdin.take());
    other.wait().unwrap();
    assert!(!data.exists(), "the last one did not remove it");
}

#[test]
fn a_keeper_tells_how_its_command_ended() {
    let mut keeper = Command::new(env!("CARGO_BIN_EXE_boltbouncer"));
    keeper.args(["keep", "--", "sh", "-c", "exit 7"]).stdin(Stdio::piped());
    let mut keeper = keeper.spawn().unwrap();
    // The pipe stays open meanwhile: `wait` alone would close it.
    let lifeline = keeper.stdin.take();
    assert_eq!(keeper.wait().unwrap().code(), Some(7));
    drop(lifeline);
}

#[test]
fn a_command_that_is_not_there_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_boltbouncer"))
        .args(["keep", "--", "/nonexistent/program"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("/nonexistent/program"), "{stderr}");
    assert!(!Path::new("/nonexistent").exists());
}
