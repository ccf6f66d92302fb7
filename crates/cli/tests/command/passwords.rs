//! Where passwords come from, and where they never show.

use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use crate::support::{Server, boltbouncer, run};
use crate::tasks::tasks_of;

#[test]
fn a_broken_line_in_an_env_file_is_refused_without_quoting_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "# mine\nNEO4J_PASSWORD hunter2 x\n").unwrap();
    let output = run(folder.path(), &["lab"]);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        !output.status.success()
            && stderr.contains("line 2 of .env")
            && !stderr.contains("hunter2"),
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
        "--rounds",
        "1",
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
    assert_in_no_file(folder.path(), "Tr0ub4dor");
}

fn assert_in_no_file(folder: &Path, secret: &str) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_in_no_file(&path, secret);
        } else {
            let content = std::fs::read(&path).unwrap();
            assert!(!String::from_utf8_lossy(&content).contains(secret), "{}", path.display());
        }
    }
}
