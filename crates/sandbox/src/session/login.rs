//! The way in: HELLO, LOGON, LOGOFF.

use std::time::{Duration, Instant};

use bolt::message::{Auth, Hello};
use bolt::{Dictionary, ServerState, Version};

use super::{End, LOGIN_TIMEOUT, Session, internal};
use crate::login::thread_cpu_time;

impl Session {
    pub(super) async fn hello(&mut self, hello: Hello) -> Result<(), End> {
        self.entry.introduce(&hello.user_agent);
        let version = self.dialect.version;
        let mut hints =
            Dictionary::new().with("connection.recv_timeout_seconds", RECEIVE_TIMEOUT_S);
        if version.has_resolved_database() {
            hints.push("ssr.enabled", true);
        }
        let mut metadata = Dictionary::new()
            .with("server", self.shared.engine.settings.agent.as_str())
            .with("connection_id", format!("bolt-{}", self.entry.id))
            .with("hints", hints);
        if self.by_manifest {
            metadata.push("protocol_version", version.to_string());
        }
        if version == Version::V4_4 && hello.patch_bolt.iter().any(|patch| patch == "utc") {
            self.dialect.utc = true;
            metadata.push("patch_bolt", vec!["utc"]);
        }
        match hello.auth {
            Some(auth) => self.logon(auth, metadata).await,
            None => {
                self.state = ServerState::Authentication;
                self.success(metadata);
                Ok(())
            }
        }
    }

    pub(super) async fn logon(&mut self, auth: Auth, mut metadata: Dictionary) -> Result<(), End> {
        let users = self.shared.users.clone();
        let is_costly = users.is_costly();
        let check = move || {
            let began = thread_cpu_time();
            let checked = users.check(&auth, Instant::now());
            (checked, thread_cpu_time().saturating_sub(began))
        };
        let (checked, cost) = if is_costly {
            let checked = self.shared.threads().spawn_blocking(check).await;
            checked.unwrap_or_else(|_| (Err(internal()), Duration::ZERO))
        } else {
            check()
        };
        let user = checked.as_ref().ok().cloned();
        self.entry.authenticated(user, cost);
        if let Err(failure) = checked {
            self.failure(&failure);
            return self.close(End::Refused).await;
        }
        if self.dialect.version.has_resolved_database() {
            metadata.push("advertised_address", self.shared.address.to_string());
        }
        self.inbox.log_in();
        self.state = ServerState::Ready;
        self.success(metadata);
        Ok(())
    }

    pub(super) fn logoff(&mut self) -> Result<(), End> {
        self.entry.logged_off();
        self.inbox.log_off();
        self.login_deadline = tokio::time::Instant::now() + LOGIN_TIMEOUT;
        self.state = ServerState::Authentication;
        self.succeed()
    }
}

/// Twice the time after which a busy server sends a NOOP.
const RECEIVE_TIMEOUT_S: i64 = 2 * super::jobs::KEEP_ALIVE.as_secs() as i64;
