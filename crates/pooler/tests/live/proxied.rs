//! Clients behind a balancer that says for whom it connects.

use bolt::message::Auth;
use client::Connection;
use net::Socket;
use pooler::{Admin, Seconds};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::setup::{self, Setup, TIMEOUT, ask, get, http};

const HEADER_1: &[u8] = b"PROXY TCP4 192.0.2.7 192.0.2.1 40001 7687\r\n";
/// For 192.0.2.8:40002, with a TLV after the addresses.
const HEADER_2: &[u8] =
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10\xC0\0\x02\x08\xC0\0\x02\x01\x9C\x42\x1E\x07\x04\0\x01x";
/// The balancer's own.
const HEALTH_CHECK: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

async fn pooler_behind(balancers: &[&str], login_timeout_s: u64) -> Setup {
    Setup::with(|config| {
        config.admin = Some(Admin { listen: "127.0.0.1:0".parse().unwrap(), token: None });
        config.proxy_protocol_from = balancers.iter().map(|name| name.parse().unwrap()).collect();
        config.limits.client_login_timeout = Seconds::new(login_timeout_s);
    })
    .await
}

/// Nobody is too slow for that.
const PATIENT_S: u64 = 600;

/// What follows on a connection that begins like this.
async fn stream(setup: &Setup, first: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(setup.pooler.address()).await.unwrap();
    stream.write_all(first).await.unwrap();
    stream
}

async fn addresses(setup: &Setup) -> Vec<String> {
    let (_, clients) = http(setup, &get("/api/v1/clients")).await;
    let clients: Value = serde_json::from_str(&clients).unwrap();
    let clients = clients.as_array().unwrap().iter();
    clients.map(|client| client["address"].as_str().unwrap().to_owned()).collect()
}

async fn counted(setup: &Setup, reason: &str) -> String {
    let (_, metrics) = http(setup, &get("/metrics")).await;
    let label = format!("reason=\"{reason}\"");
    let line = metrics.lines().find(|line| line.contains("errors_total") && line.contains(&label));
    line.unwrap().rsplit(' ').next().unwrap().to_owned()
}

/// Waits until the pooler has closed the connection.
async fn is_closed(mut stream: TcpStream) {
    let mut rest = Vec::new();
    let _ = timeout(TIMEOUT, stream.read_to_end(&mut rest)).await.unwrap();
}

#[tokio::test]
async fn a_client_has_the_address_that_its_balancer_says() {
    let setup = pooler_behind(&["127.0.0.0/8"], PATIENT_S).await;
    let mut connected = Vec::new();
    for header in [HEADER_1, HEADER_2, HEALTH_CHECK] {
        let socket = Socket::Plain(stream(&setup, header).await);
        let mut connection = Connection::over(socket, TIMEOUT).await.unwrap();
        connection.login("live/1", &Auth::basic("neo4j", setup::PASSWORD)).await.unwrap();
        assert_eq!(ask(&mut connection, 7).await, 7);
        connected.push(connection);
    }
    let addresses = addresses(&setup).await;
    assert_eq!(addresses[..2], ["192.0.2.7:40001", "192.0.2.8:40002"]);
    assert!(addresses[2].starts_with("127.0.0.1:"), "{addresses:?}");
}

#[tokio::test]
async fn nobody_poses_as_another_address_and_no_balancer_forgets_its_header() {
    // Not this machine's.
    let setup = pooler_behind(&["192.0.2.1/32"], PATIENT_S).await;
    is_closed(stream(&setup, HEADER_1).await).await;
    is_closed(stream(&setup, HEADER_2).await).await;
    assert_eq!(counted(&setup, "proxy_header").await, "2");
    let mut direct = setup.connect("bolt").await.unwrap();
    assert_eq!(ask(&mut direct, 1).await, 1);

    let behind = pooler_behind(&["127.0.0.1/32"], PATIENT_S).await;
    assert!(behind.connect("bolt").await.is_err());
    is_closed(stream(&behind, b"GET / HTTP/1.1\r\n\r\n").await).await;
    is_closed(stream(&behind, b"PROXY TCP4 here there 1 2\r\n").await).await;
    assert_eq!(counted(&behind, "proxy_header").await, "3");
    assert!(addresses(&behind).await.is_empty());
    // Half a header takes nobody's time for ever.
    let hasty = pooler_behind(&["127.0.0.1/32"], 1).await;
    is_closed(stream(&hasty, &HEADER_1[..20]).await).await;
    assert_eq!(counted(&hasty, "client_login_timeout").await, "1");
}
