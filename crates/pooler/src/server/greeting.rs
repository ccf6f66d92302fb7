//! An upstream connection on its way from the first byte to being logged in.

use std::sync::Arc;
use std::time::Duration;

use bolt::chunk::payload;
use bolt::message::{Auth, Hello};
use bolt::version::{
    self, Answer, HandshakeError, NEO4J_PROPOSALS, NEO4J_RANGES, Proposal, VersionRange,
};
use bolt::{Dictionary, Request, Response, Scanned, Scanner, Tracker, Value, Version};
use net::{DialError, Disagreement, Socket, Wire};
use tokio::time::Instant;

use super::reach::Peer;
use super::{ConnectError, Facts, Upstream};
use crate::alarm::Alarm;
use crate::class::Class;
use crate::metrics::OpenUpstream;

/// A connection on which nobody has logged in yet.
pub(super) struct Greeting {
    link: Link,
    stage: Stage,
}

/// The socket, and what reads messages from it.
pub(super) struct Link {
    wire: Wire,
    scanner: Scanner,
    peer: Peer,
    counted: OpenUpstream,
}

enum Stage {
    /// The server waits for a choice from its manifest.
    Offered(Vec<VersionRange>),
    Agreed(Version),
    /// HELLO was answered; LOGON comes next.
    Greeted(Greeted),
}

/// What HELLO has settled.
struct Greeted {
    class: Arc<Class>,
    facts: Facts,
    connection_id: String,
    receive_timeout: Option<Duration>,
}

/// A connection on which somebody has logged in.
pub(super) struct LoggedIn {
    link: Link,
    greeted: Greeted,
    /// What the server says to the login.
    pub metadata: Dictionary,
}

impl Greeting {
    /// Asks which versions the server speaks, and leaves the choice open if it can.
    pub async fn ask(mut link: Link) -> Result<(Self, Vec<VersionRange>), ConnectError> {
        let (stage, ranges) = match link.propose(&NEO4J_PROPOSALS).await? {
            Answer::Manifest(ranges) => (Stage::Offered(ranges.clone()), ranges),
            Answer::Agreed(version) => {
                (Stage::Agreed(version), version::narrow(&NEO4J_RANGES, version))
            }
        };
        // What is newer than anything we know can't be forwarded safely.
        let ranges = version::common(&NEO4J_RANGES, &ranges);
        match ranges.is_empty() {
            true => Err(ConnectError::NoAgreement(HandshakeError::NothingInCommon)),
            false => Ok((Self { link, stage }, ranges)),
        }
    }

    /// Agrees on exactly `version`.
    pub async fn open(mut link: Link, version: Version) -> Result<Self, ConnectError> {
        // From 6.0 versions are offered by manifest only.
        let proposal = if version >= Version::V6_0 {
            Proposal::Manifest
        } else {
            Proposal::Range(VersionRange { newest: version, below: 0 })
        };
        let stage = match link.propose(&[proposal]).await {
            Ok(Answer::Manifest(ranges)) => Stage::Offered(ranges),
            Ok(Answer::Agreed(version)) => Stage::Agreed(version),
            // The server is there, and speaks other versions.
            Err(ConnectError::NoAgreement(HandshakeError::NothingInCommon)) => {
                return Err(ConnectError::VersionGone(version));
            }
            Err(error) => return Err(error),
        };
        let mut greeting = Self { link, stage };
        if greeting.agree(version) { Ok(greeting) } else { Err(ConnectError::VersionGone(version)) }
    }

    /// Chooses `version`, if that was not done yet and can be.
    fn agree(&mut self, version: Version) -> bool {
        if let Stage::Offered(ranges) = &self.stage {
            if !ranges.iter().any(|range| range.contains(version)) {
                return false;
            }
            net::choose(&mut self.link.wire, version);
            self.stage = Stage::Agreed(version);
        }
        matches!(self.stage, Stage::Agreed(agreed) if agreed == version)
    }

    /// Whether a client of `class` can go on from here.
    pub fn suits(&self, class: &Arc<Class>) -> bool {
        match &self.stage {
            Stage::Offered(ranges) => ranges.iter().any(|range| range.contains(class.version)),
            Stage::Agreed(version) => *version == class.version,
            Stage::Greeted(greeted) => greeted.class == *class,
        }
    }

    pub fn is_alive(&mut self) -> bool {
        let waker = std::task::Waker::noop();
        self.link.wire.poll_fill(&mut std::task::Context::from_waker(waker)).is_pending()
    }

    /// Says HELLO without credentials. Returns what the server says about itself.
    pub async fn hello(
        mut self,
        class: &Arc<Class>,
        routing: Option<Dictionary>,
    ) -> Result<(Self, Facts), ConnectError> {
        self.put_hello(class, routing, None)?;
        self.link.flush().await?;
        let (greeted, _) = self.link.read_hello(class).await?;
        let facts = greeted.facts.clone();
        Ok((Self { link: self.link, stage: Stage::Greeted(greeted) }, facts))
    }

    /// Logs in, from wherever this connection stands.
    pub async fn login(
        mut self,
        class: &Arc<Class>,
        routing: Option<Dictionary>,
        auth: &Auth,
    ) -> Result<LoggedIn, ConnectError> {
        if !class.version.has_logon() {
            // Before Bolt 5.1 the credentials are part of HELLO.
            self.put_hello(class, routing, Some(auth))?;
            self.link.flush().await?;
            let (greeted, metadata) = self.link.read_hello(class).await?;
            return Ok(LoggedIn { link: self.link, greeted, metadata });
        }
        if !matches!(self.stage, Stage::Greeted(_)) {
            self.put_hello(class, routing, None)?;
        }
        let Self { mut link, stage } = self;
        Request::Logon(auth.clone()).put(&mut link.wire.output);
        link.flush().await?;
        let greeted = match stage {
            Stage::Greeted(greeted) => greeted,
            _ => link.read_hello(class).await?.0,
        };
        let metadata = link.success().await?;
        Ok(LoggedIn { link, greeted, metadata })
    }

    fn put_hello(
        &mut self,
        class: &Arc<Class>,
        routing: Option<Dictionary>,
        auth: Option<&Auth>,
    ) -> Result<(), ConnectError> {
        let version = class.version;
        if !self.agree(version) {
            return Err(ConnectError::VersionGone(version));
        }
        let product = concat!("boltbouncer/", env!("CARGO_PKG_VERSION"));
        let agent = Dictionary::new().with("product", product);
        let hello = Hello {
            user_agent: product.to_owned(),
            routing,
            patch_bolt: if class.utc { vec!["utc".into()] } else { Vec::new() },
            bolt_agent: (version >= Version::new(5, 3)).then_some(agent),
            auth: auth.cloned(),
            other: class.notifications.clone(),
        };
        Request::Hello(hello).put(&mut self.link.wire.output);
        Ok(())
    }
}

impl Link {
    pub fn new(socket: Socket, peer: Peer, counted: OpenUpstream) -> Self {
        Self { wire: Wire::new(socket), scanner: Scanner::new(LOGIN_MESSAGE_MAX), peer, counted }
    }

    async fn propose(&mut self, proposals: &[Proposal]) -> Result<Answer, ConnectError> {
        let answer = net::propose(&mut self.wire, proposals).await;
        answer.map_err(|disagreement| match disagreement {
            Disagreement::Lost(error) => DialError::Io(error).into(),
            Disagreement::Refused(error) => ConnectError::NoAgreement(error),
        })
    }

    /// Reads the answer to HELLO.
    async fn read_hello(
        &mut self,
        class: &Arc<Class>,
    ) -> Result<(Greeted, Dictionary), ConnectError> {
        let metadata = self.success().await?;
        let hints = metadata.get("hints").and_then(Value::as_dictionary);
        let facts = Facts {
            agent: metadata.str("server").unwrap_or_default().to_owned(),
            server_side_routing: hints.and_then(|hints| hints.boolean("ssr.enabled")),
            utc: metadata.strings("patch_bolt").iter().any(|patch| patch == "utc"),
        };
        let receive_timeout = hints
            .and_then(|hints| hints.integer("connection.recv_timeout_seconds"))
            .and_then(|seconds| u64::try_from(seconds).ok())
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs);
        let connection_id = metadata.str("connection_id").unwrap_or_default().to_owned();
        Ok((Greeted { class: class.clone(), facts, connection_id, receive_timeout }, metadata))
    }

    async fn success(&mut self) -> Result<Dictionary, ConnectError> {
        loop {
            let scanned = self.scanner.next(&mut self.wire.input);
            match scanned.map_err(|_| ConnectError::Protocol)? {
                None => self.fill().await?,
                Some(Scanned::Records { .. }) => return Err(ConnectError::Protocol),
                Some(Scanned::Message { wire, .. }) => {
                    return match Response::decode(&payload(&wire)) {
                        Ok(Response::Success(metadata)) => Ok(metadata),
                        Ok(Response::Failure(failure)) => Err(ConnectError::Refused { failure }),
                        _ => Err(ConnectError::Protocol),
                    };
                }
            }
        }
    }

    async fn fill(&mut self) -> Result<(), ConnectError> {
        self.wire.fill().await.map_err(|_| ConnectError::Closed)
    }

    async fn flush(&mut self) -> Result<(), ConnectError> {
        self.wire.flush().await.map_err(|_| ConnectError::Closed)
    }
}

impl LoggedIn {
    pub fn facts(&self) -> &Facts {
        &self.greeted.facts
    }

    /// The connection, ready for units of work, and what the server said to the login.
    pub fn into_upstream(self, lifetime: Duration) -> (Box<Upstream>, Dictionary) {
        let Self { link, greeted, metadata } = self;
        let upstream = Box::new(Upstream {
            wire: link.wire,
            scanner: Scanner::new(MESSAGE_MAX),
            tracker: Tracker::ready(),
            may_leak_warnings: may_leak_warnings(&greeted.facts.agent, greeted.class.version),
            class: greeted.class,
            id: greeted.connection_id,
            expires: Instant::now() + lifetime,
            receive_timeout: greeted.receive_timeout,
            alarm: Alarm::default(),
            peer: Some(link.peer),
            _counted: link.counted,
        });
        (upstream, metadata)
    }
}

/// Servers that know vectors warn clients that don't, and a warning about a result that was broken
/// off turns up with the next one (measured on 2026.09 with Bolt 5.8).
fn may_leak_warnings(agent: &str, version: Version) -> bool {
    let release = agent.strip_prefix("Neo4j/").unwrap_or(agent);
    let year = release.split('.').next().and_then(|year| year.parse::<u32>().ok());
    // A server that doesn't say who it is may be any.
    version < Version::V6_0 && year.is_none_or(|year| year >= FIRST_YEAR_WITH_VECTORS)
}

const FIRST_YEAR_WITH_VECTORS: u32 = 2025;
const LOGIN_MESSAGE_MAX: usize = 64 * 1024;
/// A summary with the plan of a large query is far below this; records have no limit.
const MESSAGE_MAX: usize = 64 << 20;
