//! Runs that never begin, and what is said of them.

use std::fs;
use std::process::{Command, Stdio};

use tokio::net::TcpSocket;

use crate::support::{Untouched, bench, boltbouncer, refusal, sandbox};

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
fn a_server_that_is_not_ours_is_not_loaded_unless_somebody_said_so() {
    let (folder, here) = (tempfile::tempdir().unwrap(), Untouched::new());
    // An address that is nobody's, by RFC 5737; and a port of this machine, which may lead anywhere.
    for uri in ["bolt://192.0.2.1:7687", &here.uri] {
        let mut command = boltbouncer(folder.path());
        let [far, farther] = ["far", "farther"].map(|name| format!("{name}={uri}"));
        command.args(["bench", "--clients", "1", "--target", &far, "--target", &farther]);
        command.env("NEO4J_PASSWORD", "x");
        let stderr = refusal(command.output().unwrap(), 1);
        assert!(stderr.contains(&format!("{uri} may be somebody's production")), "{stderr}");
        assert!(stderr.contains("opens 1 connections"), "{stderr}");
        assert!(stderr.contains("--yes"), "{stderr}");
        here.assert_untouched(&stderr);
    }
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
    assert_eq!(sandbox.books().all.opened, 1, "a was logged in to once and nothing more");
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
