//! A name with several addresses, of which some are useless, over real sockets; and what clients are told
//! when none is any good.

#![allow(clippy::unwrap_used)]

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bolt::Dictionary;
use bolt::message::Auth;
use client::{ClientError, Connection};
use net::{Certificate, Dialer, HEAD_START, Resolve, Resolving, Target};
use pooler::{Config, Pooler, Seconds};
use sandbox::{Sandbox, Settings};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// What the name leads to.
#[derive(Clone)]
struct Table(Arc<Mutex<Vec<SocketAddr>>>);

impl Resolve for Table {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Resolving<'a> {
        let found = self.0.lock().unwrap().clone();
        Box::pin(async move {
            match found.is_empty() {
                true => Err(io::ErrorKind::NotFound.into()),
                false => Ok(found),
            }
        })
    }
}

/// A pooler whose upstream is a name with these addresses.
async fn pooler(scheme: &str, table: &Table, change: impl FnOnce(&mut Config)) -> Pooler {
    let target: Target = format!("{scheme}://database.example:7687").parse().unwrap();
    let mut config = Config::new(target.clone());
    change(&mut config);
    let dialer = Dialer::new(target, &config.upstream_roots).unwrap();
    let dialer = Arc::new(dialer.with_resolver(Arc::new(table.clone())));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    Pooler::start_with(listener, config, dialer).await.unwrap()
}

fn table(addresses: &[SocketAddr]) -> Table {
    Table(Arc::new(Mutex::new(addresses.to_vec())))
}

async fn sandbox() -> Sandbox {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let users = vec![("neo4j".to_owned(), PASSWORD.into())];
    Sandbox::start(listener, Settings { users, ..Settings::default() }).unwrap()
}

async fn dial(pooler: &Pooler) -> Connection {
    let target: Target = format!("bolt://{}", pooler.address()).parse().unwrap();
    Connection::dial(&target, TIMEOUT).await.unwrap()
}

async fn login(connection: &mut Connection) -> Result<(), ClientError> {
    connection.login("reach/1", &Auth::basic("neo4j", PASSWORD)).await
}

/// Sends a number and returns what comes back.
async fn ask(connection: &mut Connection, number: i64) -> i64 {
    let parameters = Dictionary::new().with("n", number);
    let table = connection.run("RETURN $n AS n", parameters, Default::default()).await.unwrap();
    table.get(0, "n").as_integer().unwrap()
}

async fn client(pooler: &Pooler) -> Connection {
    let mut client = dial(pooler).await;
    login(&mut client).await.unwrap();
    client
}

/// Servers that are of no use. They end with the test.
#[derive(Default)]
struct Useless(JoinSet<()>);

impl Useless {
    /// Nobody listens there.
    async fn refusing(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    }

    /// Accepts, and does this with each connection.
    async fn accepting<F>(
        &mut self,
        mut serve: impl FnMut(TcpStream) -> F + Send + 'static,
    ) -> SocketAddr
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        self.0.spawn(async move {
            let mut served = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                served.spawn(serve(stream));
            }
        });
        address
    }

    async fn closing(&mut self) -> SocketAddr {
        self.accepting(async |stream| drop(stream)).await
    }

    async fn mute(&mut self) -> SocketAddr {
        self.accepting(|mut stream| async move {
            let mut nothing = Vec::new();
            let _ = stream.read_to_end(&mut nothing).await;
        })
        .await
    }

    /// Speaks, but no TLS.
    async fn babbling(&mut self) -> SocketAddr {
        self.accepting(|mut stream| async move {
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = stream.read_u8().await;
        })
        .await
    }
}

#[tokio::test]
async fn every_address_is_tried_and_what_worked_goes_first() {
    let (mut useless, sandbox) = (Useless::default(), sandbox().await);
    let (refusing, closing, mute) =
        (useless.refusing().await, useless.closing().await, useless.mute().await);
    let pooler =
        pooler("bolt", &table(&[refusing, closing, mute, sandbox.address()]), |_| {}).await;
    let mut first = client(&pooler).await;
    assert_eq!(ask(&mut first, 1).await, 1);
    // Two that led nowhere were opened and closed before anybody logged in.
    let counts = pooler.counts();
    assert_eq!((counts.upstream_opened, counts.upstream_open), (3, 1));
    // The next one goes where the last one has got through.
    let mut both = [client(&pooler).await, client(&pooler).await];
    let began = Instant::now();
    for client in &mut both {
        client.begin(Default::default()).await.unwrap();
    }
    let counts = pooler.counts();
    assert_eq!(counts.upstream_open, 2);
    // On a machine that is too slow for that, the others are tried beside it.
    assert!(counts.upstream_opened == 4 || began.elapsed() >= HEAD_START, "{counts:?}");
}

/// A server that speaks TLS, before a sandbox that does not; its certificate is what the pooler trusts.
async fn encrypting(
    useless: &mut Useless,
    sandbox: SocketAddr,
    folder: &std::path::Path,
) -> SocketAddr {
    let keys = rcgen::generate_simple_self_signed(vec!["database.example".into()]).unwrap();
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    std::fs::write(&chain, keys.cert.pem()).unwrap();
    std::fs::write(&key, keys.signing_key.serialize_pem()).unwrap();
    let certificate = Certificate::read(&chain, &key).unwrap();
    useless
        .accepting(move |stream| {
            let certificate = certificate.clone();
            async move {
                let Ok(mut encrypted) = certificate.accept(stream).await else { return };
                let mut plain = TcpStream::connect(sandbox).await.unwrap();
                let _ = copy_bidirectional(&mut encrypted, &mut plain).await;
            }
        })
        .await
}

#[tokio::test]
async fn an_address_that_fails_tls_does_not_keep_the_next_from_being_tried() {
    let (mut useless, sandbox, folder) =
        (Useless::default(), sandbox().await, tempfile::tempdir().unwrap());
    let good = encrypting(&mut useless, sandbox.address(), folder.path()).await;
    let babbling = useless.babbling().await;
    let roots = net::read_certificates(&folder.path().join("chain.pem")).unwrap();
    let trust = |config: &mut Config| config.upstream_roots = roots;
    let pooler = pooler("bolt+s", &table(&[babbling, good]), trust).await;
    assert_eq!(ask(&mut client(&pooler).await, 2).await, 2);
}

/// What a login is told. The time that it has is longer than any test may take.
async fn told(scheme: &str, table: &Table) -> String {
    let pooler = pooler(scheme, table, |config| {
        config.limits.client_login_timeout = Seconds::new(24 * 60 * 60);
    })
    .await;
    let refused = login(&mut dial(&pooler).await).await.unwrap_err();
    refused.to_string()
}

#[tokio::test]
async fn a_login_is_told_at_once_what_waiting_cannot_help() {
    let unknown = told("bolt", &table(&[])).await;
    assert!(unknown.contains("cannot find the host"), "{unknown}");
    let (mut useless, sandbox, folder) =
        (Useless::default(), sandbox().await, tempfile::tempdir().unwrap());
    let distrusted = encrypting(&mut useless, sandbox.address(), folder.path()).await;
    let refused = told("bolt+s", &table(&[distrusted])).await;
    assert!(refused.contains("TLS failed") && refused.contains("certificate"), "{refused}");
}

#[tokio::test]
async fn connections_to_an_address_that_is_gone_are_replaced_as_they_become_free() {
    let (old, new) = (sandbox().await, sandbox().await);
    let table = table(&[old.address()]);
    let interval = Seconds(Duration::from_millis(20));
    let pooler = pooler("bolt", &table, |config| config.limits.dns_interval = interval).await;
    let mut client = client(&pooler).await;
    assert_eq!(ask(&mut client, 1).await, 1);
    client.begin(Default::default()).await.unwrap();
    *table.0.lock().unwrap() = vec![new.address()];
    let moved = async {
        // Until then the transaction stays where it is.
        assert_eq!(client.run_in_transaction("RETURN 1 AS n").await.unwrap().rows.len(), 1);
        client.commit().await.unwrap();
        while pooler.counts().upstream_opened < 2 {
            ask(&mut client, 2).await;
        }
        drop(old);
        assert_eq!(ask(&mut client, 3).await, 3);
    };
    timeout(TIMEOUT, moved).await.unwrap();
}

const TIMEOUT: Duration = Duration::from_secs(60);
const PASSWORD: &str = "boltbouncer-secret";
