//! The pooler between real sockets and a sandbox: TLS on both sides, HTTP, crowds, secrets.

#![allow(clippy::unwrap_used)]

mod knows;
mod proxied;
mod setup;

use std::collections::HashSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bolt::message::{Auth, Secret};
use bolt::version::{self, Proposal, VersionRange};
use client::Connection;
use net::Socket;
use pooler::{Admin, ClientTls, Config, Seconds};
use setup::{Memory, Setup, TIMEOUT, ask, get, http, login};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A certificate for `localhost` with its key, in files.
struct Certificate {
    folder: tempfile::TempDir,
}

impl Certificate {
    fn new() -> Self {
        let keys = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("c.pem"), keys.cert.pem()).unwrap();
        fs::write(folder.path().join("k.pem"), keys.signing_key.serialize_pem()).unwrap();
        Self { folder }
    }

    fn tls(&self, required: bool) -> ClientTls {
        let path = |name| self.folder.path().join(name);
        ClientTls::read(&path("c.pem"), &path("k.pem"), required).unwrap()
    }

    /// A configuration for an upstream with this certificate.
    fn upstream(&self, port: u16) -> Config {
        let path = self.folder.path().join("upstream.toml");
        let text =
            format!("upstream = \"bolt+s://localhost:{port}\"\n[upstream_tls]\nca = \"c.pem\"\n");
        fs::write(&path, text).unwrap();
        Config::read(&path, |_| None).unwrap()
    }
}

#[tokio::test]
async fn clients_may_encrypt_and_must_if_that_is_asked_for() {
    let certificate = Certificate::new();
    for required in [false, true] {
        let setup = Setup::with(|config| config.tls = Some(certificate.tls(required))).await;
        let mut encrypted = setup.connect("bolt+ssc").await.unwrap();
        assert_eq!(ask(&mut encrypted, 1).await, 1);
        match setup.connect("bolt").await {
            Ok(mut plain) => assert_eq!((required, ask(&mut plain, 2).await), (false, 2)),
            Err(error) => assert!(required, "{error}"),
        }
        // Nobody vouches for this certificate.
        assert!(setup.connect("bolt+s").await.is_err());
    }
}

#[tokio::test]
async fn the_upstreams_certificate_is_checked() {
    let (certificate, other) = (Certificate::new(), Certificate::new());
    let inner = Setup::with(|config| config.tls = Some(certificate.tls(true))).await;
    let port = inner.pooler.address().port();
    let trusted = Setup::before(certificate.upstream(port)).await;
    let mut connection = trusted.connect("bolt").await.unwrap();
    assert_eq!(ask(&mut connection, 1).await, 1);

    let mut wary = other.upstream(port);
    wary.limits.client_login_timeout = pooler::Seconds::new(1);
    let wary = Setup::before(wary).await;
    assert!(wary.connect("bolt").await.is_err());
}

#[tokio::test]
async fn a_browser_on_the_bolt_port_is_told_where_it_is() {
    let setup = Setup::start().await;
    for request in ["GET / HTTP/1.1\r\n\r\n", "POST /x HTTP/1.1\r\n\r\n", "\u{1}\u{2}"] {
        let mut stream = TcpStream::connect(setup.pooler.address()).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer).await;
        let is_http = request.contains("HTTP");
        assert_eq!(answer.starts_with("HTTP/1.1 426 "), is_http, "{request:?}: {answer:?}");
    }
}

#[tokio::test]
async fn numbers_are_read_over_http() {
    let admin = Admin { listen: "127.0.0.1:0".parse().unwrap(), token: None };
    let setup = Setup::with(|config| config.admin = Some(admin)).await;
    let mut connection = setup.connect("bolt").await.unwrap();
    ask(&mut connection, 1).await;
    let opened = setup.sandbox.as_ref().unwrap().books().all.opened;
    assert_eq!(http(&setup, &get("/healthz")).await, (200, "ok\n".into()));
    assert_eq!(http(&setup, &get("/readyz")).await, (200, "ready\n".into()));
    assert_eq!(setup.sandbox.as_ref().unwrap().books().all.opened, opened, "/readyz opens nothing");
    let (_, metrics) = http(&setup, &get("/metrics")).await;
    for line in [
        "boltbouncer_upstream_connections_opened_total 1",
        "boltbouncer_clients{state=\"cl_idle\"} 1",
        "boltbouncer_pool_connections{user=\"neo4j\",state=\"sv_idle\"} 1",
        "boltbouncer_transactions_total{kind=\"auto_commit\"} 1",
        "boltbouncer_logins_total{outcome=\"verified\"} 1",
        "boltbouncer_acquisition_seconds_count 1",
        "boltbouncer_transaction_seconds_count 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    let (_, pools) = http(&setup, &get("/api/v1/pools")).await;
    let pools: serde_json::Value = serde_json::from_str(&pools).unwrap();
    assert_eq!((&pools[0]["user"], &pools[0]["sv_idle"]), (&"neo4j".into(), &1.into()));
    let (_, clients) = http(&setup, &get("/api/v1/clients")).await;
    let clients: serde_json::Value = serde_json::from_str(&clients).unwrap();
    assert_eq!(clients[0]["user_agent"], "live/1");
    assert_eq!((&clients[0]["state"], &clients[0]["transactions"]), (&"cl_idle".into(), &1.into()));

    assert_eq!(http(&setup, "GET /api/v1/pools HTTP/1.1\r\nHost: evil.example").await.0, 403);
    assert_eq!(http(&setup, "POST /api/v1/pools HTTP/1.1\r\nHost: localhost").await.0, 405);
    let (status, pages) = http(&setup, &get("/nothing")).await;
    assert!(status == 404 && pages.contains("/clients, /pools, /upstreams"), "{pages}");
}

#[tokio::test]
async fn a_name_from_outside_breaks_no_page() {
    let name = "a\"x\\\u{1b}[2J\nboltbouncer_clients 1\u{9b}<b>";
    let admin = Admin { listen: "127.0.0.1:0".parse().unwrap(), token: None };
    let setup = Setup::with_user(name, |config| config.admin = Some(admin)).await;
    let mut connection = setup.dial().await;
    connection.login(name, &Auth::basic(name, setup::PASSWORD)).await.unwrap();
    ask(&mut connection, 1).await;
    let (_, metrics) = http(&setup, &get("/metrics")).await;
    let shown = r#"boltbouncer_pool_connections{user="a\"x\\"#;
    assert!(metrics.lines().any(|line| line.starts_with(shown)), "{metrics}");
    assert!(!metrics.lines().any(|line| line.starts_with("boltbouncer_clients 1")), "{metrics}");
    for (page, names) in
        [("/api/v1/pools", ["user", "user"]), ("/api/v1/clients", ["user", "user_agent"])]
    {
        let (_, text) = http(&setup, &get(page)).await;
        assert!(!text.contains(char::is_control), "{text:?}");
        let lines: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!([&lines[0][names[0]], &lines[0][names[1]]], [name, name]);
    }
}

#[tokio::test]
async fn a_client_is_called_the_same_by_its_driver_and_in_the_list() {
    let admin = Admin { listen: "127.0.0.1:0".parse().unwrap(), token: None };
    let setup = Setup::with(|config| config.admin = Some(admin)).await;
    let connection = setup.connect("bolt").await.unwrap();
    let (_, clients) = http(&setup, &get("/api/v1/clients")).await;
    let clients: serde_json::Value = serde_json::from_str(&clients).unwrap();
    assert_eq!(clients[0]["id"], "bolt-1000000000");
    assert_eq!(connection.id(), "bolt-1000000000");
}

#[tokio::test]
async fn a_token_is_asked_for_if_there_is_one() {
    let token = Some(Secret::from("open sesame"));
    let admin = Admin { listen: "127.0.0.1:0".parse().unwrap(), token };
    let setup = Setup::with(|config| config.admin = Some(admin)).await;
    let with = |token: &str| format!("{}\r\nAuthorization: Bearer {token}", get("/api/v1/pools"));
    assert_eq!(http(&setup, &get("/api/v1/pools")).await.0, 401);
    assert_eq!(http(&setup, &with("open")).await.0, 401);
    assert_eq!(http(&setup, &with("open sesame")).await.0, 200);
}

#[tokio::test]
async fn strangers_keep_nobody_from_the_admin_pages() {
    let token = Some(Secret::from("open sesame"));
    let admin = Admin { listen: "127.0.0.1:0".parse().unwrap(), token };
    let setup = Setup::with(|config| config.admin = Some(admin)).await;
    let address = setup.pooler.admin_address().unwrap();
    let probe = format!("{}\r\nAuthorization: Bearer open sesame", get("/healthz"));
    let mut known = TcpStream::connect(address).await.unwrap();
    let mut ask_again = async || {
        known.write_all(format!("{probe}\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        known.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        while known.read_u8().await.unwrap() != b'k' {}
        assert_eq!(known.read_u8().await.unwrap(), b'\n');
    };
    ask_again().await;
    let mut strangers = Vec::new();
    for number in 0..200 {
        let mut stranger = TcpStream::connect(address).await.unwrap();
        if number % 2 == 0 {
            stranger.write_all(b"GET /healthz HTTP/1.1\r\nHost: x").await.unwrap();
        }
        strangers.push(stranger);
        if number % 50 == 0 {
            assert_eq!(http(&setup, &probe).await.0, 200);
            ask_again().await;
        }
    }
    assert_eq!(http(&setup, &probe).await.0, 200);
    ask_again().await;
    let mut rest = Vec::new();
    let _ = strangers[0].read_to_end(&mut rest).await;
    assert!(rest.is_empty());
}

#[tokio::test]
async fn who_may_not_ask_is_closed() {
    let token = Some(Secret::from("open sesame"));
    let admin = Admin { listen: "127.0.0.1:0".parse().unwrap(), token };
    let setup = Setup::with(|config| config.admin = Some(admin)).await;
    let mut stream = TcpStream::connect(setup.pooler.admin_address().unwrap()).await.unwrap();
    stream.write_all(format!("{}\r\n\r\n", get("/api/v1/pools")).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_take_turns_on_four_connections() {
    let setup = Setup::with(|config| {
        config.limits.max_connection_pool_size = 4;
        // All come at the same moment, and the last has to wait for all others.
        config.limits.client_login_timeout = Seconds::new(3600);
        config.limits.connection_acquisition_timeout = Seconds::new(3600);
    })
    .await;
    let setup = Arc::new(setup);
    let clients: Vec<_> = (0..3000)
        .map(|number| {
            let setup = setup.clone();
            tokio::spawn(async move {
                let mut connection = setup.memory_client().await;
                for round in 0..3 {
                    let nonce = number * 10 + round;
                    assert_eq!(ask(&mut connection, nonce).await, nonce);
                }
                connection
            })
        })
        .collect();
    let mut connections = Vec::new();
    for client in clients {
        connections.push(client.await.unwrap());
    }
    assert_eq!(setup.pooler.counts().clients, 3000);
    let books = setup.sandbox.as_ref().unwrap().books().all;
    assert!(books.peak_open <= 4 && books.opened <= 5, "{books:?}");
    drop(connections);
}

#[tokio::test]
async fn a_panic_ends_one_client_and_its_connection_and_nobody_else() {
    let setup = Setup::with(|config| config.limits.max_connection_pool_size = 1).await;
    let mut good = setup.connect("bolt").await.unwrap();
    assert_eq!(ask(&mut good, 1).await, 1);

    let fuse = Arc::new(AtomicBool::new(false));
    let (ours, theirs) = duplex(1 << 16);
    setup.pooler.serve(Memory { stream: theirs, fuse: fuse.clone() });
    let mut bad = Connection::over(Socket::Other(Box::new(ours)), TIMEOUT).await.unwrap();
    login(&mut bad).await.unwrap();
    bad.begin(Default::default()).await.unwrap();
    fuse.store(true, Ordering::SeqCst);
    assert!(bad.run_in_transaction("RETURN 1").await.is_err());

    // The only connection was with the client that is gone.
    assert_eq!(ask(&mut good, 2).await, 2);
    assert_eq!(setup.pooler.counts().clients, 1);
}

#[tokio::test]
async fn nothing_secret_is_logged_or_shown() {
    let log = setup::captured_log();
    let admin = Admin { listen: "127.0.0.1:0".parse().unwrap(), token: None };
    let setup = Setup::with(|config| config.admin = Some(admin)).await;
    let mut connection = setup.connect("bolt").await.unwrap();
    let query = "RETURN 'the-query' AS x, $p AS p";
    let parameters = bolt::Dictionary::new().with("p", "the-parameter");
    connection.run(query, parameters, Default::default()).await.unwrap();
    let failing = "RETURN 'the-failing-query' / $";
    assert!(connection.run_in_transaction(failing).await.is_err());
    assert!(setup.login_as("neo4j", "the-wrong-password").await.is_err());
    let long = format!("long\n{}", "x".repeat(5_000));
    assert!(setup.login_as(&long, "the-wrong-password").await.is_err());
    let mut old = TcpStream::connect(setup.pooler.address()).await.unwrap();
    old.write_all(&version::opening(&[Proposal::Range(VersionRange::new(4, 2, 1))])).await.unwrap();
    assert_eq!(old.read_u32().await.unwrap(), 0);
    drop(old);
    let is_version_refusal =
        |line: &str| line.contains(" INFO ") && line.contains(r#"offered="4.2-4.1""#);
    let logged = async {
        while !log.text().lines().any(is_version_refusal) {
            tokio::task::yield_now().await;
        }
    };
    timeout(TIMEOUT, logged).await.unwrap();
    let mut shown = log.text();
    let refused = shown
        .lines()
        .find(|line| line.contains(r#"user="long\nxxx"#) && line.contains("login refused"));
    assert!(refused.is_some_and(|line| !line.contains(&"x".repeat(65))), "{shown}");
    for path in ["/metrics", "/api/v1/pools", "/api/v1/clients"] {
        shown += &http(&setup, &get(path)).await.1;
    }
    assert!(shown.contains("login refused"), "{shown}");
    let secrets: HashSet<_> = ["boltbouncer-secret", "the-wrong-password"].into();
    for secret in secrets.into_iter().chain(["the-query", "the-parameter", "the-failing-query"]) {
        assert!(!shown.contains(secret), "{secret} in\n{shown}");
    }
}
