//! The built binary, in a folder where nothing of this machine is known to it, and its servers.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use tokio::net::TcpSocket;

pub fn boltbouncer(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boltbouncer"));
    command.current_dir(folder).stdin(Stdio::null());
    // Servers that somebody has started on this machine are none of the tests'.
    command.env("XDG_STATE_HOME", folder);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("NEO4J_")) {
        command.env_remove(name);
    }
    command
}

pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    boltbouncer(folder).args(arguments).output().unwrap()
}

/// The URI of a port on which nobody listens, and what keeps others from taking it.
pub fn port_without_a_listener() -> (TcpSocket, String) {
    let bound = TcpSocket::new_v4().unwrap();
    bound.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let uri = format!("bolt://{}", bound.local_addr().unwrap());
    (bound, uri)
}

/// A sandbox or a pooler in a process of its own, ended with the test.
pub struct Server {
    pub child: Child,
    pub uri: String,
}

impl Server {
    pub fn sandbox(arguments: &[&str]) -> Self {
        Self::start("sandbox", arguments)
    }

    pub fn pooler(upstream: &str) -> Self {
        Self::start("serve", &["--upstream", upstream])
    }

    pub fn start(name: &str, arguments: &[&str]) -> Self {
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
