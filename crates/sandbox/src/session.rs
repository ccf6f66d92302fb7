//! One connection from handshake to end. Requests are taken in order; while the engine works, the
//! socket is still read, so that RESET and a vanished client are noticed at once.

mod jobs;
mod login;
mod queries;
mod requests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bolt::failure::code;
use bolt::message::{put_failure, put_success};
use bolt::version::HandshakeError;
use bolt::{Dictionary, Failure, Response, ServerState};
use net::{Disagreement, Inbox, InboxLimits, Negotiated};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use crate::books::Entry;
use crate::connection::Connection;
use crate::shared::Shared;
use crate::values::Dialect;
use crate::work::Work;

/// Why a connection is over. None of these is an error of the server.
#[derive(Debug)]
pub(crate) enum End {
    ClientLeft,
    /// The client does not take what it asked for.
    ClientStalled,
    Refused,
    Protocol,
    Killed,
    Io,
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::ClientLeft,
            _ => Self::Io,
        }
    }
}

impl From<Disagreement> for End {
    fn from(disagreement: Disagreement) -> Self {
        match disagreement {
            Disagreement::Lost(error) => error.into(),
            Disagreement::Refused(HandshakeError::NothingInCommon) => Self::Refused,
            Disagreement::Refused(_) => Self::Protocol,
        }
    }
}

/// Serves a connection until it ends.
pub(crate) async fn serve(stream: TcpStream, entry: Entry, shared: Arc<Shared>) {
    let login_deadline = Instant::now() + LOGIN_TIMEOUT;
    let kill = entry.kill.clone();
    let agreed = tokio::select! {
        agreed = Box::pin(arrive(stream, &shared)) => agreed,
        () = kill.notified() => Err(End::Killed),
        () = sleep_until(login_deadline) => Err(End::Refused),
    };
    let id = entry.id;
    let end = match agreed {
        Err(end) => end,
        Ok((connection, Negotiated { version, by_manifest })) => {
            let record_max = shared.engine.settings.transaction_memory_max;
            let session = Session {
                shared,
                connection,
                entry,
                dialect: Dialect { version, utc: version.has_element_ids(), record_max },
                by_manifest,
                login_deadline,
                state: ServerState::Negotiation,
                inbox: Inbox::unauthenticated(&INBOX_LIMITS),
                work: None,
            };
            session.run().await
        }
    };
    debug!(connection = id, ?end, "connection ended");
}

/// Encrypts, if that is asked for, and agrees with the client on a version.
async fn arrive(stream: TcpStream, shared: &Shared) -> Result<(Connection, Negotiated), End> {
    let rtt = shared.engine.settings.rtt;
    let mut connection = Connection::accept(stream, rtt, shared.certificate.as_ref()).await?;
    connection.fill().await?;
    let negotiated = net::accept(&mut connection.wire, &shared.served).await?;
    if negotiated.by_manifest {
        // What the client chose has travelled as its other messages do.
        connection.travel().await;
    }
    Ok((connection, negotiated))
}

struct Session {
    shared: Arc<Shared>,
    connection: Connection,
    entry: Entry,
    dialect: Dialect,
    by_manifest: bool,
    login_deadline: Instant,
    state: ServerState,
    inbox: Inbox,
    work: Option<Work>,
}

impl Session {
    async fn run(mut self) -> End {
        let end = match self.serve_requests().await {
            Err(end) => end,
            Ok(never) => match never {},
        };
        // Whatever is left may be large. The books close the connection after it has ended.
        Box::pin(self.end_work()).await;
        end
    }

    async fn serve_requests(&mut self) -> Result<std::convert::Infallible, End> {
        loop {
            self.receive()?;
            match self.inbox.pop() {
                // In a box for as long as it takes: a task keeps room for all that it may await,
                // and most connections are idle most of the time.
                Some(piece) => Box::pin(self.take(piece)).await?,
                None => self.wait().await?,
            }
            if self.connection.wire.output.len() > FLUSH_BYTES {
                self.flush().await?;
            }
        }
    }

    /// Moves whole messages into the inbox. A RESET there ends what is running.
    fn receive(&mut self) -> Result<(), End> {
        self.inbox.take_in(&mut self.connection.wire.input).map_err(|_| End::Protocol)?;
        if self.inbox.resets > 0
            && let Some(work) = &self.work
        {
            work.control.cancel();
        }
        Ok(())
    }

    /// Everything is answered: write, give back what isn't needed, and wait for more.
    async fn wait(&mut self) -> Result<(), End> {
        self.flush().await?;
        if self.work.is_none() {
            self.inbox.release();
        }
        let is_stranger = !self.state.is_logged_in();
        let deadline = self.work.as_ref().and_then(|work| work.deadline);
        let kill = self.entry.kill.clone();
        tokio::select! {
            filled = self.connection.fill() => Ok(filled?),
            () = kill.notified() => self.killed().await,
            () = sleep_until(self.login_deadline), if is_stranger => Err(End::Refused),
            () = sleep_until(deadline.unwrap_or(self.login_deadline)), if deadline.is_some() => {
                if let Some(work) = &mut self.work {
                    work.expire();
                }
                Ok(())
            }
        }
    }

    /// Neo4j says SUCCESS to a victim with an open transaction, though nobody asked.
    async fn killed(&mut self) -> Result<(), End> {
        if self.work.is_some() {
            self.success(Dictionary::new());
            self.connection.wire.finish().await;
        }
        Err(End::Killed)
    }

    /// The client's request failed; everything else is ignored until its RESET.
    fn fail(&mut self) {
        self.state = ServerState::Failed;
    }

    fn success(&mut self, metadata: Dictionary) {
        put_success(&mut self.connection.wire.output, &metadata);
    }

    fn succeed(&mut self) -> Result<(), End> {
        self.success(Dictionary::new());
        Ok(())
    }

    fn ignored(&mut self) {
        Response::Ignored.put(&mut self.connection.wire.output, self.dialect.version);
    }

    fn failure(&mut self, failure: &Failure) {
        put_failure(&mut self.connection.wire.output, failure, self.dialect.version);
    }

    /// Writes what there is. A client that takes nothing any more can still be killed, and is let
    /// go in the end, or its transaction would keep its locks as long as the client pleases.
    async fn flush(&mut self) -> Result<(), End> {
        if !self.connection.wire.has_output() {
            return Ok(());
        }
        let patience = Instant::now() + self.shared.engine.settings.write_timeout;
        let deadline = self.work.as_ref().and_then(|work| work.deadline);
        let kill = self.entry.kill.clone();
        tokio::select! {
            biased;
            written = self.connection.wire.flush() => Ok(written?),
            () = kill.notified() => Err(End::Killed),
            () = sleep_until(deadline.map_or(patience, |deadline| deadline.min(patience))) => Err(End::ClientStalled),
        }
    }

    async fn close(&mut self, end: End) -> Result<(), End> {
        self.connection.wire.finish().await;
        Err(end)
    }
}

fn internal() -> Failure {
    Failure::new(code::UNKNOWN, "the sandbox failed to run the query; its log says why")
}

/// Neo4j closes a connection that has not logged in after this time.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
/// Neo4j has no limit to a message after login.
static INBOX_LIMITS: InboxLimits =
    InboxLimits { message_max: 64 << 20, gathered_max: None, bytes_max: 32 << 20 };
const FLUSH_BYTES: usize = 64 * 1024;
