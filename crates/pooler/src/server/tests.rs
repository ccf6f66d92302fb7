//! The server behind the pooler, played by a few words, under a clock that stands still.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use bolt::chunk::payload;
use bolt::message::tag;
use bolt::{Reader, Response, Scanned, Scanner};
use net::{Socket, Wire};
use tokio::io::{DuplexStream, duplex};
use tokio::time::sleep;

use super::*;
use crate::config::{Limits, Seconds};

/// What a connection meets.
#[derive(Clone, Copy, Debug)]
enum Meets {
    /// Nobody: not even the connection comes about.
    Nobody,
    /// A server that speaks Bolt 5.0 up to this minor version.
    Bolt5(u8),
    /// One that goes silent after the handshake.
    Silence,
    /// One that closes when it is told HELLO.
    Farewell,
}

/// What a look-up of the name brings.
#[derive(Clone, Debug)]
enum Finds {
    /// These, by the last part of their address, after so much time.
    Addresses(&'static [u8], Duration),
    /// No name server answers.
    Nothing,
}

/// The upstream. The last of its entries are there to stay.
struct Scripted {
    finds: Mutex<VecDeque<Finds>>,
    meets: Mutex<VecDeque<Meets>>,
    looked_up: AtomicUsize,
}

impl Dial for Scripted {
    fn resolve(&self) -> Resolving<'_> {
        self.looked_up.fetch_add(1, Ordering::SeqCst);
        let finds = next(&self.finds);
        Box::pin(async move {
            let Finds::Addresses(found, after) = finds else { return std::future::pending().await };
            sleep(after).await;
            Ok(found.iter().map(|last| address(*last)).collect())
        })
    }

    fn connect(&self, _: SocketAddr) -> Dialling<'_> {
        let meets = next(&self.meets);
        Box::pin(async move {
            if matches!(meets, Meets::Nobody) {
                return std::future::pending().await;
            }
            let (ours, theirs) = duplex(1 << 12);
            tokio::spawn(play(meets, theirs));
            Ok(Socket::Other(Box::new(ours)))
        })
    }
}

/// The next entry; the last one stays.
fn next<T: Clone>(entries: &Mutex<VecDeque<T>>) -> T {
    let mut entries = entries.lock().unwrap();
    match entries.len() {
        1 => entries[0].clone(),
        _ => entries.pop_front().unwrap(),
    }
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 7687))
}

/// Answers the handshake and HELLO, and goes on until the other side leaves.
async fn play(meets: Meets, stream: DuplexStream) {
    let mut wire = Wire::new(Socket::Other(Box::new(stream)));
    let newest = if let Meets::Bolt5(minor) = meets { minor } else { 8 };
    let Ok(agreed) = net::accept(&mut wire, &[VersionRange::new(5, newest, newest)]).await else {
        return;
    };
    let mut scanner = Scanner::new(1 << 12);
    loop {
        match scanner.next(&mut wire.input) {
            Ok(None) => {
                if wire.fill().await.is_err() {
                    return;
                }
            }
            Ok(Some(Scanned::Message { wire: message, .. })) => match meets {
                Meets::Farewell => return,
                Meets::Silence => {}
                _ => {
                    let is_hello =
                        Reader::new(&payload(&message)).structure().unwrap().0 == tag::HELLO;
                    let answer = match is_hello {
                        true => Dictionary::new().with("server", "Neo4j/5.26.0"),
                        false => Dictionary::new(),
                    };
                    Response::Success(answer).put(&mut wire.output, agreed.version);
                    let _ = wire.flush().await;
                }
            },
            _ => return,
        }
    }
}

struct Setup {
    server: Arc<Server>,
    upstream: Arc<Scripted>,
    metrics: Metrics,
}

const AT_ONCE: Duration = Duration::ZERO;

fn setup<const F: usize, const M: usize>(
    finds: [Finds; F],
    meets: [Meets; M],
    change: impl FnOnce(&mut Limits),
) -> Setup {
    let mut limits = Limits::default();
    change(&mut limits);
    let (metrics, _) = Metrics::new();
    let upstream = Arc::new(Scripted {
        finds: Mutex::new(finds.into()),
        meets: Mutex::new(meets.into()),
        looked_up: AtomicUsize::new(0),
    });
    let limits = CurrentLimits::new(limits);
    let server = Arc::new(Server::new(upstream.clone(), false, limits, metrics.clone()));
    Setup { server, upstream, metrics }
}

fn one_address() -> [Finds; 1] {
    [Finds::Addresses(&[1], AT_ONCE)]
}

fn is_up(server: &Server) -> bool {
    matches!(server.standing(), Standing::Up)
}

#[tokio::test(start_paused = true)]
async fn a_version_that_the_server_does_not_speak_says_nothing_about_whether_it_is_there() {
    let Setup { server, .. } = setup(one_address(), [Meets::Bolt5(4)], |_| {});
    server.discover().await;
    let error = server.facts(&Class::for_test(8)).await.unwrap_err();
    assert!(matches!(error, ConnectError::VersionGone(_)), "{error}");
    assert!(is_up(&server), "{:?}", server.standing());
    assert!(server.facts(&Class::for_test(4)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_silent_during_a_login_is_asked_whether_it_is_there() {
    let Setup { server, .. } = setup(one_address(), [Meets::Silence, Meets::Nobody], |_| {});
    let informed = server.clone();
    let _informed = tokio::spawn(async move { informed.stay_informed().await });
    server.ranges().await;
    let auth = Auth::basic("neo4j", "secret");
    let limit = Duration::from_secs(15);
    let login = server.login(&Class::for_test(8), &auth, limit).await;
    assert!(matches!(login, Err(ConnectError::TimedOut(_))), "{:?}", login.err());
    assert!(is_up(&server));
    sleep(Duration::from_secs(16)).await;
    assert!(server.down().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_kept_and_has_ended_unnoticed_costs_nobody_a_login() {
    let Setup { server, .. } = setup(one_address(), [Meets::Farewell, Meets::Bolt5(8)], |_| {});
    server.discover().await;
    let facts = server.facts(&Class::for_test(8)).await;
    assert_eq!(facts.unwrap().agent, "Neo4j/5.26.0");
}

#[tokio::test(start_paused = true)]
async fn the_handshake_does_not_wait_for_a_server_that_nobody_has_heard_of_until_it_is_too_late() {
    let limits = |limits: &mut Limits| limits.connection_timeout = Seconds::new(3600);
    let Setup { server, .. } = setup(one_address(), [Meets::Nobody], limits);
    let informed = server.clone();
    let _informed = tokio::spawn(async move { informed.stay_informed().await });
    let ranges = timeout(Duration::from_secs(20), server.ranges()).await;
    assert_eq!(*ranges.unwrap(), NEO4J_RANGES);
    let until = Instant::now() + Duration::from_secs(5);
    let told = server.when_first_reached(until).await.unwrap_err();
    assert_eq!(&*told.why, "the server has not answered yet");
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_is_silent_keeps_nobody_from_addresses_that_are_known() {
    let finds = [Finds::Addresses(&[1], AT_ONCE), Finds::Nothing];
    let Setup { server, upstream, .. } = setup(finds, [Meets::Bolt5(8)], |_| {});
    server.discover().await;
    server.lock().spare = None;
    sleep(Duration::from_secs(60)).await;
    let (start, class) = (Instant::now(), Class::for_test(8));
    assert!(server.open(&class).await.is_ok());
    assert_eq!(start.elapsed(), Duration::from_secs(1));
    // Those who come next don't wait for it again.
    let start = Instant::now();
    for _ in 0..3 {
        assert!(server.open(&class).await.is_ok());
    }
    assert_eq!((start.elapsed(), upstream.looked_up.load(Ordering::SeqCst)), (AT_ONCE, 2));
}

#[tokio::test(start_paused = true)]
async fn connections_that_are_opened_together_look_the_name_up_once() {
    let slow = Duration::from_millis(100);
    // A name that shows some of its addresses at a time.
    let finds = [Finds::Addresses(&[1], AT_ONCE), Finds::Addresses(&[2], slow)];
    let Setup { server, upstream, metrics } = setup(finds, [Meets::Bolt5(8)], |_| {});
    let class = Class::for_test(8);
    let auth = Auth::basic("neo4j", "secret");
    let limit = Duration::from_secs(15);
    let open = server.connect(&class, &auth, limit).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    let connect = || server.connect(&class, &auth, limit);
    let (a, b, c, d) = tokio::join!(connect(), connect(), connect(), connect());
    assert!([&a, &b, &c, &d].iter().all(|opened| opened.is_ok()));
    assert_eq!(upstream.looked_up.load(Ordering::SeqCst), 2);
    // It was missing once, not as often as somebody has looked.
    assert!(!server.is_gone(&open));
    assert_eq!(metrics.upstream_counts(), (5, 0));
}
