//! The built binary, its servers, and servers that nobody may speak to.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use sandbox::{Sandbox, Settings};

pub fn boltbouncer(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boltbouncer"));
    command.current_dir(folder).stdin(Stdio::null()).env_remove("RUST_LOG");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("NEO4J_")) {
        command.env_remove(name);
    }
    command
}

/// A run of two rounds that is over soon.
pub fn bench(folder: &Path, targets: &[(&str, &str)]) -> Command {
    bench_with(folder, targets, &["--duration", "0.2", "--rounds", "2"])
}

pub fn bench_with(folder: &Path, targets: &[(&str, &str)], arguments: &[&str]) -> Command {
    let mut command = boltbouncer(folder);
    command.args(["bench", "--yes", "--warm-up", "0"]).args(arguments);
    for (name, uri) in targets {
        command.args(["--target", &format!("{name}={uri}")]);
    }
    command.env("NEO4J_PASSWORD", "boltbouncer");
    command
}

/// A sandbox or a link in a process of its own, ended with the test.
pub struct Server {
    pub child: Child,
    pub uri: String,
}

impl Server {
    pub fn sandbox() -> Self {
        Self::start(&["sandbox", "--listen", "127.0.0.1:0"])
    }

    pub fn start(arguments: &[&str]) -> Self {
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

pub fn terminate(child: &Child) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
}

/// A server that nobody may speak to.
pub struct Untouched {
    listener: TcpListener,
    pub uri: String,
}

impl Untouched {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let uri = format!("bolt://{}", listener.local_addr().unwrap());
        Self { listener, uri }
    }

    pub fn assert_untouched(&self, context: &str) {
        let accepted = self.listener.accept();
        let error = accepted.expect_err(context);
        assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{context}");
    }
}

/// What is said of a run that does not begin.
pub fn refusal(output: Output, code: i32) -> String {
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(output.stdout.is_empty(), "{stderr}");
    if code == 1 {
        assert_eq!(stderr.trim_end().lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with("boltbouncer: "), "{stderr}");
    }
    stderr
}

/// One whose connections can be counted.
pub async fn sandbox() -> (Sandbox, String) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sandbox = Sandbox::start(listener, Settings::default()).unwrap();
    let uri = format!("bolt://{}", sandbox.address());
    (sandbox, uri)
}
