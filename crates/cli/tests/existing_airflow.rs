//! What the lab says about an Airflow that runs already and is not as it should be. The answers are recorded
//! from real versions and played back here; `scripts/test-airflow` runs the lab on the real ones.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};

/// The answer for each method and path; everything else is answered with 404.
type Answers = HashMap<(&'static str, &'static str), (u16, &'static str)>;

/// A web server for as long as the test runs.
fn serve(answers: Answers) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = answer(stream.unwrap(), &answers);
        }
    });
    address
}

fn answer(mut stream: TcpStream, answers: &Answers) -> std::io::Result<()> {
    let mut input = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    input.read_line(&mut first)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        input.read_line(&mut line)?;
        let line = line.trim().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        if line.is_empty() {
            break;
        }
    }
    std::io::copy(&mut input.take(length), &mut std::io::sink())?;
    let mut words = first.split([' ', '?']);
    let asked = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, body) = answers.get(&asked).copied().unwrap_or((404, r#"{"detail":"Not Found"}"#));
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn lab(address: SocketAddr) -> Output {
    let sandbox = Sandbox::start();
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{address}");
    Command::new(env!("CARGO_BIN_EXE_boltbouncer"))
        .current_dir(folder.path())
        .args(["lab", "--engine", "airflow", "--airflow-url", &url, "--airflow-user", "me"])
        .args(["--uri", &sandbox.uri, "--pattern", "problematic"])
        .env("AIRFLOW_PASSWORD", "hunter2")
        .env("NEO4J_PASSWORD", "boltbouncer")
        .output()
        .unwrap()
}

struct Sandbox {
    process: std::process::Child,
    uri: String,
}

impl Sandbox {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_boltbouncer"));
        command.args(["sandbox", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut uri = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut uri).unwrap();
        Self { process, uri: uri.trim().to_owned() }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

const DAG: &str = "/dags/neo4j_problematic_pattern";
const HEALTHY: &str = r#"{"scheduler":{"status":"healthy"},"dag_processor":{"status":"healthy"},"metadatabase":{"status":"healthy"}}"#;

/// An Airflow 2 that lets everybody in.
fn airflow_2() -> Answers {
    HashMap::from([
        (("GET", "/api/v1/version"), (200, r#"{"version":"2.8.1","git_version":null}"#)),
        (("GET", "/api/v1/dags"), (200, r#"{"dags":[],"total_entries":0}"#)),
        (("GET", "/api/v1/health"), (200, HEALTHY)),
    ])
}

/// An Airflow 3 that lets everybody in.
fn airflow_3() -> Answers {
    HashMap::from([
        (("GET", "/api/v2/version"), (200, r#"{"version":"3.3.2","git_version":null}"#)),
        (("POST", "/auth/token"), (201, r#"{"access_token":"abc"}"#)),
        (("GET", "/api/v2/monitor/health"), (200, HEALTHY)),
    ])
}

#[track_caller]
fn assert_refused(answers: Answers, reason: &str, fix: &str) {
    let output = lab(serve(answers));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(stderr.contains(reason) && stderr.contains(fix), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(!stderr.contains("hunter2"), "{stderr}");
}

#[test]
fn a_web_server_that_is_no_airflow() {
    assert_refused(HashMap::new(), "does not answer as Airflow does", "URL");
}

#[test]
fn nobody_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let stderr = String::from_utf8(lab(address).stderr).unwrap();
    assert!(stderr.contains("cannot reach Airflow") && stderr.contains("URL"), "{stderr}");
}

#[test]
fn a_version_that_is_too_old() {
    let answers = HashMap::from([(("GET", "/api/v1/version"), (200, r#"{"version":"2.6.3"}"#))]);
    assert_refused(answers, "2.6.3", "2.8 and later");
}

#[test]
fn an_airflow_2_without_basic_auth_is_told_how_to_enable_it() {
    let mut answers = airflow_2();
    let refusal = r#"{"detail":null,"status":401,"title":"Unauthorized"}"#;
    answers.insert(("GET", "/api/v1/dags"), (401, refusal));
    assert_refused(answers, "refused user `me`", "airflow.api.auth.backend.basic_auth");
}

#[test]
fn an_airflow_3_that_refuses_the_login() {
    let mut answers = airflow_3();
    answers.insert(("POST", "/auth/token"), (401, r#"{"detail":"Invalid credentials"}"#));
    assert_refused(answers, "refused user `me`", "--airflow-password");
}

#[test]
fn a_scheduler_that_does_not_run() {
    let mut answers = airflow_3();
    let ill = r#"{"scheduler":{"status":"unhealthy"},"dag_processor":{"status":"healthy"}}"#;
    answers.insert(("GET", "/api/v2/monitor/health"), (200, ill));
    assert_refused(answers, "scheduler does not run", "start it");
}

#[test]
fn a_dag_that_is_not_there() {
    assert_refused(airflow_2(), "no DAG neo4j_problematic_pattern", "airflow/dags");
    assert_refused(airflow_3(), "no DAG neo4j_problematic_pattern", "airflow/dags");
}

#[test]
fn a_dag_that_is_paused() {
    for (mut answers, base) in [(airflow_2(), "/api/v1"), (airflow_3(), "/api/v2")] {
        let path: &'static str = format!("{base}{DAG}").leak();
        answers.insert(("GET", path), (200, r#"{"is_paused":true}"#));
        assert_refused(answers, "is paused", "airflow dags unpause neo4j_problematic_pattern");
    }
}
