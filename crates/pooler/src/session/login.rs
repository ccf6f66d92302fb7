//! HELLO, LOGON, LOGOFF: they end here, and the upstream sees only what a credential check or a new
//! pooled connection needs.

use std::pin::pin;
use std::sync::Arc;

use bolt::chunk::payload;
use bolt::failure::code;
use bolt::message::{Auth, Hello};
use bolt::{Dictionary, MessageError, Piece, Request, Value, Version};
use tokio::time::Instant;

use super::Session;
use crate::auth::Source;
use crate::class::Class;
use crate::client::View;
use crate::end::End;
use crate::failures;
use crate::metrics::LoginOutcome;
use crate::reason::Reason;
use crate::routing;
use crate::server::{Down, Facts, TIME_TO_TELL};

impl Session {
    pub(super) async fn hello(&mut self, piece: &Piece) -> Result<(), End> {
        let hello = match self.decode(piece) {
            Ok(Request::Hello(hello)) => hello,
            other => return self.malformed(other).await,
        };
        let version = self.client.version();
        if hello.user_agent.is_empty() || (version >= FIRST_WITH_AGENT && !has_product(&hello)) {
            let failure = failures::malformed("HELLO lacks `user_agent` or `bolt_agent.product`");
            return self.refuse(&failure, Reason::MalformedLogin).await;
        }
        self.client.entry.introduce(&hello.user_agent, version);
        self.expect_server().await?;
        self.identity.dialled = routing::dialled_address(&hello).map(Into::into);
        let class = self.shared.classes.of(&hello, version, self.shared.server().routes);
        self.identity.class = Some(class.clone());
        match hello.auth {
            Some(auth) => self.log_in_by_hello(auth, &class).await,
            None => self.greet(&class).await,
        }
    }

    /// A server that was never reached is waited for, if that can help, until it is just time enough to
    /// say why it was in vain.
    async fn expect_server(&mut self) -> Result<(), End> {
        let (shared, deadline) = (self.shared.clone(), self.login_deadline());
        let until = deadline.checked_sub(TIME_TO_TELL).unwrap_or(deadline);
        let reached = pin!(shared.server().when_first_reached(until));
        match self.client.entry.before(deadline, reached).await? {
            Ok(()) => Ok(()),
            Err(down) => self.refuse_unavailable(&down).await,
        }
    }

    async fn refuse_unavailable(&mut self, down: &Down) -> Result<(), End> {
        self.shared.metrics().login(LoginOutcome::Unavailable);
        let failure = failures::unavailable(&down.why);
        self.refuse(&failure, Reason::LoginUnavailable).await
    }

    /// Before Bolt 5.1 HELLO holds the credentials.
    async fn log_in_by_hello(&mut self, auth: Auth, class: &Arc<Class>) -> Result<(), End> {
        // Without a login of this kind it is not known what the server grants.
        let is_new = self.shared.server().known_facts(class).is_none();
        let extra = self.admit(auth, class, is_new).await?;
        let facts = self.shared.server().known_facts(class).unwrap_or_default();
        let mut metadata = self.hello_metadata(&facts, class);
        extra.into_iter().for_each(|(key, value)| metadata.push(key, value));
        self.logged_in(&metadata);
        Ok(())
    }

    async fn greet(&mut self, class: &Arc<Class>) -> Result<(), End> {
        let (shared, until) = (self.shared.clone(), self.login_deadline());
        let facts = pin!(shared.server().facts(class));
        match self.client.entry.before(until, facts).await? {
            Ok(facts) => {
                let metadata = self.hello_metadata(&facts, class);
                self.client.greeted(&metadata, until);
                Ok(())
            }
            Err(error) => {
                let failure = failures::unavailable(error);
                self.refuse(&failure, Reason::LoginUnavailable).await
            }
        }
    }

    pub(super) async fn logon(&mut self, piece: &Piece) -> Result<(), End> {
        let auth = match self.decode(piece) {
            Ok(Request::Logon(auth)) => auth,
            other => return self.malformed(other).await,
        };
        let Some(class) = self.identity.class.clone() else {
            return Err(End::Because(Reason::IllegalMessage));
        };
        let mut metadata = self.admit(auth, &class, false).await?;
        if self.client.version().has_resolved_database() {
            let address = self.shared.advertised(self.identity.dialled.as_deref());
            metadata.push("advertised_address", address);
        }
        self.logged_in(&metadata);
        Ok(())
    }

    pub(super) fn logoff(&mut self) {
        self.identity.member = None;
        self.client.entry.logged_off();
        let limit = self.shared.limits().client_login_timeout.0;
        self.client.logged_off(Instant::now() + limit);
    }

    /// Until when this client has to be let in.
    fn login_deadline(&self) -> Instant {
        match self.client.view() {
            View::LoggingIn { until, .. } => *until,
            // Nobody logs in twice.
            _ => Instant::now(),
        }
    }

    /// Asks the directory. A refusal is told, and ends the connection, as on Neo4j.
    async fn admit(
        &mut self,
        auth: Auth,
        class: &Arc<Class>,
        is_new: bool,
    ) -> Result<Dictionary, End> {
        if let Some(down) = self.shared.server().down() {
            // Whoever is known would be let in and find nothing there.
            return self.refuse_unavailable(&down).await.map(|()| Dictionary::new());
        }
        let directory = self.shared.directory().clone();
        let principal = auth.principal().to_owned();
        let source = Source::from(self.client.entry.address());
        let login = pin!(directory.login(auth, class, source, is_new));
        match self.client.entry.before(self.login_deadline(), login).await? {
            Ok((member, metadata)) => {
                self.identity.member = Some(member);
                Ok(only_login_entries(metadata))
            }
            Err(failure) => {
                self.client.entry.log_refusal(&principal, &failure.code);
                let reason = match failure.code.as_str() {
                    code::DATABASE_UNAVAILABLE => Reason::LoginUnavailable,
                    code::RESOURCE_EXHAUSTION => Reason::TooManyClients,
                    _ => Reason::LoginRefused,
                };
                self.refuse(&failure, reason).await.map(|()| Dictionary::new())
            }
        }
    }

    fn logged_in(&mut self, metadata: &Dictionary) {
        let user = self.identity.member.as_ref().map(|member| member.pool.name.as_str());
        self.client.entry.logged_in(user);
        self.client.logged_in(metadata);
    }

    fn hello_metadata(&self, facts: &Facts, class: &Class) -> Dictionary {
        let give_up_s = KEEP_ALIVES_MISSED * self.shared.limits().keep_alive_interval.0.as_secs();
        let give_up_s = i64::try_from(give_up_s.max(1)).unwrap_or(i64::MAX);
        let mut hints = Dictionary::new().with("connection.recv_timeout_seconds", give_up_s);
        if let Some(enabled) = facts.server_side_routing {
            hints.push("ssr.enabled", enabled);
        }
        let mut metadata = Dictionary::new()
            .with("server", facts.agent.as_str())
            .with("connection_id", self.client.entry.id().to_string())
            .with("hints", hints);
        if self.client.negotiated.by_manifest {
            metadata.push("protocol_version", class.version.to_string());
        }
        if class.utc && facts.utc {
            metadata.push("patch_bolt", vec!["utc"]);
        }
        metadata
    }

    fn decode(&self, piece: &Piece) -> Result<Request, MessageError> {
        match piece {
            Piece::Message { wire, .. } => {
                Request::decode_unauthenticated(&payload(wire), self.client.version())
            }
            _ => Err(MessageError::Field("the message came in pieces")),
        }
    }

    async fn malformed(&mut self, decoded: Result<Request, MessageError>) -> Result<(), End> {
        match decoded {
            Err(error @ (MessageError::Malformed(_) | MessageError::Field(_))) => {
                self.refuse(&failures::malformed(error), Reason::MalformedLogin).await
            }
            _ => Err(End::Because(Reason::UnknownMessage)),
        }
    }
}

fn has_product(hello: &Hello) -> bool {
    hello.bolt_agent.as_ref().is_some_and(|agent| agent.str("product").is_some())
}

/// What the server says to a login beyond what every client is told.
fn only_login_entries(metadata: Dictionary) -> Dictionary {
    let expired = metadata.get("credentials_expired") == Some(&Value::Boolean(true));
    if expired { Dictionary::new().with("credentials_expired", true) } else { Dictionary::new() }
}

const FIRST_WITH_AGENT: Version = Version::new(5, 3);
/// Signs of life that may be missed before a client should give up.
const KEEP_ALIVES_MISSED: u64 = 3;
