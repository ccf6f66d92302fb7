//! The server that the pooler reaches, in memory: it lets the pooler log in, then a script speaks
//! in its place.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bolt::message::tag;
use bolt::{Dictionary, Reader, Response};
use conversation::{Found, Peer};
use net::{DialError, Socket};
use pooler::{Dial, Dialling, Resolving};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;

/// What the server does to connections before a script takes over.
#[derive(Default)]
pub struct Upstream {
    pub is_down: AtomicBool,
    pub logins: AtomicUsize,
    /// Answers to the next logins; then SUCCESS. `None` is the end of the connection.
    pub answers: Mutex<VecDeque<Option<Response>>>,
    /// Entries of the answers to HELLO, hints included, that are not the usual ones.
    pub hello: Mutex<Dictionary>,
}

/// Opens connections to it. Those that have logged in go to the script.
pub struct MemoryDialer {
    pub upstream: Arc<Upstream>,
    pub opened: mpsc::UnboundedSender<Peer>,
}

impl Dial for MemoryDialer {
    fn resolve(&self) -> Resolving<'_> {
        Box::pin(async { Ok(vec![SocketAddr::from(([192, 0, 2, 1], 7687))]) })
    }

    fn connect(&self, _: SocketAddr) -> Dialling<'_> {
        Box::pin(async {
            if self.upstream.is_down.load(Ordering::SeqCst) {
                return Err(DialError::Connect(std::io::ErrorKind::ConnectionRefused.into()));
            }
            let (ours, theirs) = duplex(PIPE_BYTES);
            let (upstream, opened) = (self.upstream.clone(), self.opened.clone());
            tokio::spawn(async move {
                if let Some(peer) = upstream.admit(theirs).await {
                    let _ = opened.send(peer);
                }
            });
            Ok(Socket::Other(Box::new(ours)))
        })
    }
}

impl Upstream {
    /// Does what a server does until somebody has logged in.
    async fn admit(&self, stream: DuplexStream) -> Option<Peer> {
        let mut peer = Peer::accept(Box::new(stream)).await?;
        loop {
            let Found::Message(message) = peer.next().await.unwrap() else { return None };
            let tag = Reader::new(&message).structure().unwrap().0;
            let is_login = tag == tag::LOGON || (tag == tag::HELLO && !peer.version().has_logon());
            let answer = self.answer(tag, is_login)?;
            let is_refused = matches!(answer, Response::Failure(_));
            peer.say(&[answer.into()]).await.unwrap();
            match (is_refused, is_login) {
                (true, _) => return None,
                (false, true) => return Some(peer),
                (false, false) => {}
            }
        }
    }

    fn answer(&self, tag: u8, is_login: bool) -> Option<Response> {
        if is_login {
            self.logins.fetch_add(1, Ordering::SeqCst);
            if let Some(scripted) = self.answers.lock().unwrap().pop_front() {
                return scripted;
            }
        }
        let metadata = if tag == tag::HELLO { self.greeting() } else { Dictionary::new() };
        Some(Response::Success(metadata))
    }

    fn greeting(&self) -> Dictionary {
        let mut hints = Dictionary::new().with("ssr.enabled", true);
        let mut hello =
            Dictionary::new().with("server", "Neo4j/5.26.0").with("connection_id", "bolt-0");
        for (key, value) in self.hello.lock().unwrap().clone() {
            let target = if key.contains('.') { &mut hints } else { &mut hello };
            target.push(key, value);
        }
        hello.with("hints", hints)
    }
}

pub const PIPE_BYTES: usize = 1 << 16;
