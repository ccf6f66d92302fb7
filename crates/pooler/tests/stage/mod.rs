//! A pooler between scripted clients and a scripted upstream, all in memory and under a clock that
//! stands still: it moves on only when every task waits, so that "nothing has arrived" is certain.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bolt::message::{Auth, Hello, tag};
use bolt::version::{self, NEO4J_RANGES, Opening, Proposal, VersionRange};
use bolt::{Dechunker, Dictionary, Reader, Request, Response, Version};
use bytes::{Buf, BytesMut};
use client::{ClientError, Socket};
use conversation::{describe, fits, request, response};
use pooler::{Dial, Dialling, File, Pooler};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// One end of a connection, as a script speaks and listens on it.
pub struct Peer {
    stream: Option<DuplexStream>,
    input: BytesMut,
    dechunker: Dechunker,
    version: Version,
}

impl Peer {
    fn new(stream: DuplexStream, version: Version) -> Self {
        let (input, dechunker) = (BytesMut::new(), Dechunker::new(1 << 26));
        Self { stream: Some(stream), input, dechunker, version }
    }

    async fn write(&mut self, bytes: &[u8]) {
        let stream = self.stream.as_mut().expect("the script has closed this connection");
        stream.write_all(bytes).await.unwrap();
    }

    /// Writes records until nobody takes them any more.
    async fn flood(&mut self) -> Result<(), String> {
        let mut records = BytesMut::new();
        let record = Response::Record(vec!["x".repeat(1000).into()]);
        (0..64).for_each(|_| record.put(&mut records, self.version));
        let stream = self.stream.as_mut().expect("the script has closed this connection");
        for _ in 0..FLOOD_MAX / records.len() {
            match timeout(PATIENCE, stream.write_all(&records)).await {
                Ok(written) => written.unwrap(),
                Err(_) => return Ok(()),
            }
        }
        Err(format!("{FLOOD_MAX} bytes were taken in"))
    }

    /// Writes more than fits between the two.
    async fn write_as_it_is_read(&mut self, bytes: &[u8]) {
        let stream = self.stream.as_mut().expect("the script has closed this connection");
        let _ = timeout(PATIENCE, stream.write_all(bytes)).await;
    }

    async fn send(&mut self, requests: &[Request]) {
        let mut output = BytesMut::new();
        requests.iter().for_each(|request| request.put(&mut output));
        self.write(&output).await;
    }

    async fn answer(&mut self, response: &Response) {
        let mut output = BytesMut::new();
        response.put(&mut output, self.version);
        self.write(&output).await;
    }

    /// Reads more; `false` at the end of the stream or when everybody waits.
    async fn fill(&mut self) -> Option<bool> {
        let stream = self.stream.as_mut()?;
        let read = timeout(PATIENCE, stream.read_buf(&mut self.input)).await.ok()?;
        Some(matches!(read, Ok(1..)))
    }

    /// The payload of the next message, `EOF` or `nothing`.
    async fn message(&mut self) -> Result<Vec<u8>, &'static str> {
        loop {
            if let Some(message) = self.dechunker.next(&mut self.input).unwrap() {
                return Ok(message.to_vec());
            }
            match self.fill().await {
                Some(true) => {}
                Some(false) => return Err("EOF"),
                None => return Err("nothing"),
            }
        }
    }

    async fn response(&mut self) -> String {
        match self.message().await {
            Ok(payload) => describe(&Response::decode(&payload).unwrap()),
            Err(what) => what.to_owned(),
        }
    }

    /// The next bytes, chunk headers and all, if they are `expected`.
    async fn raw(&mut self, expected: &[u8]) -> bool {
        while self.input.len() < expected.len() && self.fill().await == Some(true) {}
        let matches = self.input.starts_with(expected);
        if matches {
            self.input.advance(expected.len());
        }
        matches
    }
}

/// What the scripted upstream does to connections before a script takes over.
#[derive(Default)]
struct Door {
    is_down: AtomicBool,
    dials: AtomicUsize,
    logins: AtomicUsize,
    /// Answers to the next logins; then SUCCESS.
    answers: Mutex<VecDeque<Response>>,
    /// Entries of the answers to HELLO, hints included, that are not the usual ones.
    hello: Mutex<Dictionary>,
}

impl Door {
    fn hello(&self) -> Dictionary {
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

struct MemoryDialer {
    door: Arc<Door>,
    opened: mpsc::UnboundedSender<Peer>,
}

impl Dial for MemoryDialer {
    fn dial(&self) -> Dialling<'_> {
        Box::pin(async {
            self.door.dials.fetch_add(1, Ordering::SeqCst);
            if self.door.is_down.load(Ordering::SeqCst) {
                return Err(ClientError::Connect(std::io::ErrorKind::ConnectionRefused.into()));
            }
            let (ours, theirs) = duplex(DUPLEX_BYTES);
            tokio::spawn(admit(theirs, self.door.clone(), self.opened.clone()));
            Ok(Socket::Other(Box::new(ours)))
        })
    }
}

/// Does what a server does until somebody has logged in.
async fn admit(stream: DuplexStream, door: Arc<Door>, opened: mpsc::UnboundedSender<Peer>) {
    let mut peer = Peer::new(stream, Version::V5_8);
    let Some(version) = agree(&mut peer).await else { return };
    peer.version = version;
    loop {
        let Some(message) = stranger_message(&mut peer).await else { return };
        let tag = Reader::new(&message).structure().unwrap().0;
        let is_login = tag == tag::LOGON || (tag == tag::HELLO && !version.has_logon());
        if is_login {
            door.logins.fetch_add(1, Ordering::SeqCst);
        }
        let scripted = if is_login { door.answers.lock().unwrap().pop_front() } else { None };
        let hello = door.hello();
        let usual = if tag == tag::HELLO { hello } else { Dictionary::new() };
        let answer = scripted.unwrap_or(Response::Success(usual));
        peer.answer(&answer).await;
        if matches!(answer, Response::Failure(_)) {
            return;
        }
        if is_login {
            let _ = opened.send(peer);
            return;
        }
    }
}

async fn agree(peer: &mut Peer) -> Option<Version> {
    let opening = loop {
        match version::read_opening(&mut peer.input, &NEO4J_RANGES).ok()? {
            Some(opening) => break opening,
            None => read_patiently(peer).await?,
        }
    };
    match opening {
        Opening::Agreed(version) => {
            peer.write(&version::agreement(version)).await;
            Some(version)
        }
        Opening::Manifest => {
            peer.write(&version::manifest(&NEO4J_RANGES)).await;
            loop {
                match version::read_choice(&mut peer.input, &NEO4J_RANGES).ok()? {
                    Some(version) => return Some(version),
                    None => read_patiently(peer).await?,
                }
            }
        }
        Opening::NothingInCommon => None,
    }
}

async fn stranger_message(peer: &mut Peer) -> Option<Vec<u8>> {
    loop {
        if let Some(message) = peer.dechunker.next(&mut peer.input).unwrap() {
            return Some(message.to_vec());
        }
        read_patiently(peer).await?;
    }
}

async fn read_patiently(peer: &mut Peer) -> Option<()> {
    let stream = peer.stream.as_mut()?;
    matches!(stream.read_buf(&mut peer.input).await, Ok(1..)).then_some(())
}

/// Everybody in a script: clients `A` to `Z`, upstream connections `1` to `9` in the order in which
/// they were opened.
pub struct Stage {
    pub pooler: Option<Pooler>,
    door: Arc<Door>,
    opened: mpsc::UnboundedReceiver<Peer>,
    clients: HashMap<char, Peer>,
    upstreams: Vec<Peer>,
    version: Version,
}

impl Stage {
    /// `limits` are lines of the configuration's section of that name.
    pub async fn new(version: Version, limits: &str, upstream: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let text = format!("upstream = \"{upstream}\"\n[limits]\n{limits}\n");
        let config = File::parse(&text).unwrap().check(|_| None).unwrap();
        let (sender, opened) = mpsc::unbounded_channel();
        let door = Arc::new(Door::default());
        let dialer = Arc::new(MemoryDialer { door: door.clone(), opened: sender });
        let pooler = Pooler::start_with(listener, config, dialer).await.unwrap();
        Self {
            pooler: Some(pooler),
            door,
            opened,
            clients: HashMap::new(),
            upstreams: Vec::new(),
            version,
        }
    }

    fn pooler(&self) -> &Pooler {
        self.pooler.as_ref().expect("the pooler is running")
    }

    /// A client after its first bytes.
    async fn knock(&mut self, name: char) {
        let (ours, theirs) = duplex(DUPLEX_BYTES);
        self.pooler().serve(theirs);
        let mut peer = Peer::new(ours, self.version);
        let proposal = if self.version >= Version::V6_0 {
            Proposal::Manifest
        } else {
            Proposal::Range(VersionRange { newest: self.version, below: 0 })
        };
        peer.write(&version::opening(&[proposal])).await;
        self.clients.insert(name, peer);
    }

    /// Whether the pooler has agreed on the version.
    async fn is_welcomed(&mut self, name: char) -> bool {
        let peer = self.clients.get_mut(&name).expect("the client has knocked");
        if self.version < Version::V6_0 {
            return peer.raw(&version::agreement(self.version)).await;
        }
        let offered = peer.raw(&version::manifest(&NEO4J_RANGES)).await;
        peer.write(&version::choice(self.version)).await;
        offered
    }

    /// Says HELLO, and LOGON where there is one. Returns what came back last.
    pub async fn login(&mut self, name: char, options: &str) -> String {
        let option = |key| conversation::option(options, key);
        let password = option("password").unwrap_or("secret");
        let auth = Dictionary::new()
            .with("scheme", option("scheme").unwrap_or("basic"))
            .with("principal", option("user").unwrap_or("neo4j"))
            .with("credentials", password);
        let auth = Auth(auth);
        let has_logon = self.version.has_logon();
        let mut other = Dictionary::new();
        if let Some(severity) = option("notifications") {
            other.push("notifications_minimum_severity", severity);
        }
        let hello = Hello {
            user_agent: "script/1".into(),
            bolt_agent: Some(Dictionary::new().with("product", "script/1")),
            routing: option("routing").map(|address| Dictionary::new().with("address", address)),
            auth: (!has_logon).then(|| auth.clone()),
            other,
            ..Hello::default()
        };
        let peer = self.clients.get_mut(&name).expect("the client is connected");
        peer.send(&[Request::Hello(hello)]).await;
        let answer = peer.response().await;
        if !has_logon || !answer.starts_with("SUCCESS") {
            return answer;
        }
        peer.send(&[Request::Logon(auth)]).await;
        peer.response().await
    }

    /// Carries out one line of a script.
    pub async fn play(&mut self, line: &str) -> Result<(), String> {
        let (who, what) = line.split_once(' ').unwrap_or((line, ""));
        let expect = |wanted: &str, found: String| match fits(wanted, &found) {
            true => Ok(()),
            false => Err(format!("wanted {wanted}, found {found}")),
        };
        match who {
            "WAIT" => {
                sleep(Duration::from_secs_f64(what.parse().unwrap())).await;
                Ok(())
            }
            "DOWN" | "UP" => {
                self.door.is_down.store(who == "DOWN", Ordering::SeqCst);
                Ok(())
            }
            "NEXT-LOGIN" => {
                self.door.answers.lock().unwrap().push_back(response(what));
                Ok(())
            }
            "NEXT-HELLO" => {
                let Response::Success(entries) = response(&format!("SUCCESS {what}")) else {
                    return Err("is no dictionary".into());
                };
                *self.door.hello.lock().unwrap() = entries;
                Ok(())
            }
            "LOGINS" => expect(what, self.door.logins.load(Ordering::SeqCst).to_string()),
            "CLIENTS" => {
                sleep(SETTLE).await;
                expect(what, self.pooler().counts().clients.to_string())
            }
            "UPSTREAMS" => {
                sleep(SETTLE).await;
                expect(what, self.pooler().counts().upstream_open.to_string())
            }
            "DIAL" => {
                self.knock(what.chars().next().unwrap()).await;
                Ok(())
            }
            "AGREED" => {
                expect("true", self.is_welcomed(what.chars().next().unwrap()).await.to_string())
            }
            "CONNECT" => {
                let name = what.chars().next().unwrap();
                self.knock(name).await;
                expect("true", self.is_welcomed(name).await.to_string())
            }
            "LOGIN" => {
                let (step, wanted) = what.split_once(" => ").unwrap_or((what, "SUCCESS"));
                let name = step.chars().next().unwrap();
                self.knock(name).await;
                expect("true", self.is_welcomed(name).await.to_string())?;
                let answer = self.login(name, &step[1..]).await;
                expect(wanted, answer)
            }
            "DRAIN" => {
                let pooler = self.pooler.take().expect("the pooler is running");
                tokio::spawn(pooler.shut_down());
                sleep(SETTLE).await;
                Ok(())
            }
            _ => self.say_or_hear(who, what, expect).await,
        }
    }

    async fn say_or_hear(
        &mut self,
        who: &str,
        what: &str,
        expect: impl Fn(&str, String) -> Result<(), String>,
    ) -> Result<(), String> {
        let (name, direction) = (who.chars().next().unwrap(), &who[1..]);
        let is_client = name.is_ascii_uppercase();
        let version = self.version;
        let peer = self.peer(name).await?;
        match (direction, what) {
            (">", "EOF") => peer.stream = None,
            (">", "FLOOD") => return peer.flood().await,
            (">", "RUN-HALF 600000") => {
                let mut whole = BytesMut::new();
                request("RUN-SIZED 600000").put(&mut whole);
                peer.write_as_it_is_read(&whole[..300_000]).await;
            }
            (">", "NOOP") => peer.write(&[0, 0]).await,
            (">", raw) if raw.starts_with("RAW ") => peer.write(&hex(&raw[4..])).await,
            (">", _) if is_client => {
                let requests: Vec<_> = what.split(" ; ").map(request).collect();
                peer.send(&requests).await;
            }
            (">", _) => {
                for answer in what.split(" ; ") {
                    peer.answer(&response(answer)).await;
                }
            }
            ("<", "NOOP") => return expect("true", peer.raw(&[0, 0]).await.to_string()),
            ("<", _) if is_client => {
                for wanted in what.split(" ; ") {
                    expect(wanted, peer.response().await)?;
                }
            }
            ("<", _) => {
                for wanted in what.split(" ; ") {
                    match (peer.message().await, wanted) {
                        (Err(found), _) => expect(wanted, found.to_owned())?,
                        (Ok(payload), "nothing" | "EOF") => {
                            let found = Request::decode(&payload, version);
                            return Err(format!("wanted {wanted}, found {found:?}"));
                        }
                        (Ok(payload), _) => {
                            let found = Request::decode(&payload, version);
                            if found.as_ref() != Ok(&request(wanted)) {
                                return Err(format!("wanted {wanted}, found {found:?}"));
                            }
                        }
                    }
                }
            }
            _ => return Err("is no line of a script".into()),
        }
        Ok(())
    }

    async fn peer(&mut self, name: char) -> Result<&mut Peer, String> {
        if let Some(number) = name.to_digit(10) {
            while self.upstreams.len() < number as usize {
                match timeout(PATIENCE, self.opened.recv()).await {
                    Ok(Some(opened)) => self.upstreams.push(opened),
                    _ => return Err(format!("there is no upstream connection {number}")),
                }
            }
            return Ok(&mut self.upstreams[number as usize - 1]);
        }
        self.clients.get_mut(&name).ok_or_else(|| format!("there is no client {name}"))
    }

    /// Closes everything and checks that nothing of it is left.
    pub async fn end(mut self) -> Result<(), String> {
        self.clients.clear();
        let Some(pooler) = self.pooler.take() else { return Ok(()) };
        // Upstream connections that were left in the middle of something are given up after this.
        sleep(Duration::from_secs(20)).await;
        let counts = pooler.counts();
        match (counts.clients, counts.busy) {
            (0, 0) => Ok(()),
            _ => Err(format!("something is left: {counts:?}")),
        }
    }
}

fn hex(text: &str) -> Vec<u8> {
    text.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// How long somebody listens. The clock only gets there when nobody has anything to do.
const PATIENCE: Duration = Duration::from_millis(20);
const SETTLE: Duration = Duration::from_millis(1);
/// Far more than the pooler may keep for a client that does not read.
const FLOOD_MAX: usize = 4 << 20;
const DUPLEX_BYTES: usize = 1 << 16;
