//! An upstream connection on its way from the first byte to being logged in.

use std::sync::Arc;
use std::time::Duration;

use bolt::chunk::payload;
use bolt::message::{Auth, Hello};
use bolt::version::{self, Answer, NEO4J_PROPOSALS, NEO4J_RANGES, Proposal, VersionRange};
use bolt::{Dictionary, Request, Response, Scanned, Scanner, Tracker, Value, Version};
use net::{Disagreement, Wire};
use tokio::time::Instant;

use super::{ConnectError, Dial, Facts};
use crate::alarm::Alarm;
use crate::class::Class;
use crate::metrics::{Metrics, OpenUpstream};
use crate::pool::{Permit, Upstream};

pub(super) struct Greeting {
    wire: Wire,
    scanner: Scanner,
    stage: Stage,
    connection_id: String,
    receive_timeout: Option<Duration>,
    counted: OpenUpstream,
}

enum Stage {
    /// The server waits for a choice from its manifest.
    Offered(Vec<VersionRange>),
    Agreed(Version),
    /// HELLO was answered; LOGON comes next.
    Greeted(Arc<Class>, Facts),
}

impl Greeting {
    /// Asks which versions the server speaks, and leaves the choice open if it can.
    pub async fn ask(
        dialer: &dyn Dial,
        metrics: &Metrics,
    ) -> Result<(Self, Vec<VersionRange>), ConnectError> {
        let mut greeting = Self::dial(dialer, metrics).await?;
        let ranges = match greeting.propose(&NEO4J_PROPOSALS).await? {
            Answer::Manifest(ranges) => {
                greeting.stage = Stage::Offered(ranges.clone());
                ranges
            }
            Answer::Agreed(version) => {
                greeting.stage = Stage::Agreed(version);
                version::narrow(&NEO4J_RANGES, version)
            }
        };
        // What is newer than anything we know can't be forwarded safely.
        let ranges = version::common(&NEO4J_RANGES, &ranges);
        match ranges.is_empty() {
            true => Err(ConnectError::VersionGone(Version::V4_4)),
            false => Ok((greeting, ranges)),
        }
    }

    /// Opens a connection that speaks exactly `version`.
    pub async fn open(
        dialer: &dyn Dial,
        version: Version,
        metrics: &Metrics,
    ) -> Result<Self, ConnectError> {
        let mut greeting = Self::dial(dialer, metrics).await?;
        // From 6.0 versions are offered by manifest only.
        let proposal = if version >= Version::V6_0 {
            Proposal::Manifest
        } else {
            Proposal::Range(VersionRange { newest: version, below: 0 })
        };
        greeting.stage = match greeting.propose(&[proposal]).await? {
            Answer::Manifest(ranges) => Stage::Offered(ranges),
            Answer::Agreed(version) => Stage::Agreed(version),
        };
        if greeting.agree(version) { Ok(greeting) } else { Err(ConnectError::VersionGone(version)) }
    }

    async fn dial(dialer: &dyn Dial, metrics: &Metrics) -> Result<Self, ConnectError> {
        let socket = dialer.dial().await?;
        Ok(Self {
            wire: Wire::new(socket),
            scanner: Scanner::new(LOGIN_MESSAGE_MAX),
            stage: Stage::Agreed(Version::V4_4),
            connection_id: String::new(),
            receive_timeout: None,
            counted: metrics.upstream_opened(),
        })
    }

    async fn propose(&mut self, proposals: &[Proposal]) -> Result<Answer, ConnectError> {
        let answer = net::propose(&mut self.wire, proposals).await;
        answer.map_err(|disagreement| match disagreement {
            Disagreement::Lost(_) => ConnectError::Closed,
            Disagreement::Refused(error) => ConnectError::NoAgreement(error),
        })
    }

    /// Chooses `version`, if that was not done yet and can be.
    fn agree(&mut self, version: Version) -> bool {
        if let Stage::Offered(ranges) = &self.stage {
            if !ranges.iter().any(|range| range.contains(version)) {
                return false;
            }
            net::choose(&mut self.wire, version);
            self.stage = Stage::Agreed(version);
        }
        matches!(self.stage, Stage::Agreed(agreed) if agreed == version)
    }

    /// Whether a client of `class` can go on from here.
    pub fn suits(&self, class: &Arc<Class>) -> bool {
        match &self.stage {
            Stage::Offered(ranges) => ranges.iter().any(|range| range.contains(class.version)),
            Stage::Agreed(version) => *version == class.version,
            Stage::Greeted(greeted, _) => greeted == class,
        }
    }

    pub fn is_alive(&mut self) -> bool {
        let waker = std::task::Waker::noop();
        self.wire.poll_fill(&mut std::task::Context::from_waker(waker)).is_pending()
    }

    /// Says HELLO, with credentials before Bolt 5.1, and reads the answer.
    pub async fn hello(
        &mut self,
        class: &Arc<Class>,
        routing: Option<Dictionary>,
        auth: Option<&Auth>,
    ) -> Result<Dictionary, ConnectError> {
        self.put_hello(class, routing, auth)?;
        self.flush().await?;
        self.read_hello(class).await
    }

    /// Logs in, from wherever this connection stands. Returns what the server says to it.
    pub async fn login(
        mut self,
        class: &Arc<Class>,
        routing: Option<Dictionary>,
        auth: &Auth,
    ) -> Result<(Self, Dictionary), ConnectError> {
        if !class.version.has_logon() {
            let metadata = self.hello(class, routing, Some(auth)).await?;
            return Ok((self, metadata));
        }
        let greeted = matches!(self.stage, Stage::Greeted(..));
        if !greeted {
            self.put_hello(class, routing, None)?;
        }
        Request::Logon(auth.clone()).put(&mut self.wire.output);
        self.flush().await?;
        if !greeted {
            self.read_hello(class).await?;
        }
        let metadata = self.success().await?;
        Ok((self, metadata))
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
        Request::Hello(hello).put(&mut self.wire.output);
        Ok(())
    }

    async fn read_hello(&mut self, class: &Arc<Class>) -> Result<Dictionary, ConnectError> {
        let metadata = self.success().await?;
        let hints = metadata.get("hints").and_then(Value::as_dictionary);
        let facts = Facts {
            agent: metadata.str("server").unwrap_or_default().to_owned(),
            server_side_routing: hints.and_then(|hints| hints.boolean("ssr.enabled")),
            utc: metadata.strings("patch_bolt").iter().any(|patch| patch == "utc"),
        };
        self.receive_timeout = hints
            .and_then(|hints| hints.integer("connection.recv_timeout_seconds"))
            .and_then(|seconds| u64::try_from(seconds).ok())
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs);
        self.connection_id = metadata.str("connection_id").unwrap_or_default().to_owned();
        self.stage = Stage::Greeted(class.clone(), facts);
        Ok(metadata)
    }

    pub fn facts(&self) -> Option<&Facts> {
        match &self.stage {
            Stage::Greeted(_, facts) => Some(facts),
            _ => None,
        }
    }

    /// The connection, once it has logged in.
    pub fn into_upstream(self, class: &Arc<Class>, lifetime: Duration) -> Upstream {
        let agent = self.facts().map_or("", |facts| &facts.agent);
        let may_leak_warnings = may_leak_warnings(agent, class.version);
        let now = Instant::now();
        Upstream {
            wire: self.wire,
            scanner: Scanner::new(MESSAGE_MAX),
            tracker: Tracker::ready(),
            class: class.clone(),
            id: self.connection_id,
            expires: now + lifetime,
            idle_since: now,
            was_used: false,
            epoch: 0,
            permit: Permit::default(),
            alarm: Alarm::default(),
            receive_timeout: self.receive_timeout,
            may_leak_warnings,
            _counted: self.counted,
        }
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
