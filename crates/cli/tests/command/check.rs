//! `boltbouncer check`, and logins that fail.

use crate::support::{Server, run};

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
