//! One connection from handshake to end. Requests are taken in order; while the engine works, the
//! socket is still read, so that RESET and a vanished client are noticed at once.

mod jobs;
mod login;
mod queries;

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bolt::failure::code;
use bolt::message::{put_failure, put_success, tag};
use bolt::{Dictionary, Failure, MessageError, Reader, Request, Response, ServerState};
use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use crate::books::Entry;
use crate::connection::Connection;
use crate::server::Shared;
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
    fn from(_: io::Error) -> Self {
        Self::Io
    }
}

/// Serves a connection until it ends.
pub(crate) async fn serve(stream: TcpStream, entry: Entry, shared: Arc<Shared>) {
    let mut connection = Connection::new(stream, shared.engine.settings.rtt);
    let login_deadline = Instant::now() + LOGIN_TIMEOUT;
    let kill = entry.kill.clone();
    let agreed = tokio::select! {
        agreed = Box::pin(login::handshake(&mut connection, &shared)) => agreed,
        () = kill.notified() => Err(End::Killed),
        () = sleep_until(login_deadline) => Err(End::Refused),
    };
    let id = entry.id;
    let end = match agreed {
        Err(end) => end,
        Ok((version, by_manifest)) => {
            let record_max = shared.engine.settings.transaction_memory_max;
            let session = Session {
                shared,
                connection,
                entry,
                dialect: Dialect { version, utc: version.has_element_ids(), record_max },
                by_manifest,
                login_deadline,
                state: ServerState::Negotiation,
                inbox: Inbox::default(),
                work: None,
            };
            session.run().await
        }
    };
    debug!(connection = id, ?end, "connection ended");
}

/// Messages that have arrived and wait for their turn.
#[derive(Debug, Default)]
struct Inbox {
    messages: VecDeque<Bytes>,
    bytes: usize,
    /// RESETs among them. While there is one, nothing before it is carried out.
    resets: usize,
}

impl Inbox {
    fn push(&mut self, message: Bytes) {
        self.bytes += message.len();
        self.resets += usize::from(tag_of(&message) == Some(tag::RESET));
        self.messages.push_back(message);
    }

    fn pop(&mut self) -> Option<Bytes> {
        let message = self.messages.pop_front()?;
        self.bytes -= message.len();
        Some(message)
    }

    /// Past these limits the socket has to wait, as in Neo4j. What comes behind a LOGOFF is read
    /// only when that is done, under the limits that are in force then.
    fn is_full(&self) -> bool {
        let last = self.messages.back().and_then(|message| tag_of(message));
        self.messages.len() >= INBOX_MESSAGES_MAX
            || self.bytes >= INBOX_BYTES_MAX
            || last == Some(tag::LOGOFF)
    }
}

fn tag_of(message: &[u8]) -> Option<u8> {
    Reader::new(message).structure().ok().map(|(tag, _)| tag)
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
        // Whatever is left may be large; the books close the connection behind it.
        Box::pin(self.end_work()).await;
        end
    }

    async fn serve_requests(&mut self) -> Result<std::convert::Infallible, End> {
        loop {
            self.receive()?;
            match self.inbox.pop() {
                // In a box for as long as it takes: a task keeps room for all that it may await,
                // and most connections are idle most of the time.
                Some(message) => Box::pin(self.take(message)).await?,
                None => self.wait().await?,
            }
            if self.connection.output.len() > FLUSH_BYTES {
                self.flush().await?;
            }
        }
    }

    /// Moves whole messages into the inbox. A RESET there ends what is running.
    fn receive(&mut self) -> Result<(), End> {
        while self.may_receive() {
            let message = self.connection.next_message().map_err(|_| End::Protocol)?;
            let Some(message) = message else { break };
            self.inbox.push(message);
            if self.inbox.resets > 0
                && let Some(work) = &self.work
            {
                work.control.cancel();
            }
        }
        Ok(())
    }

    /// A stranger's messages are read one by one: the next one may come from somebody who has
    /// logged in, under other limits.
    fn may_receive(&self) -> bool {
        if self.state.is_logged_in() {
            !self.inbox.is_full()
        } else {
            self.inbox.messages.is_empty()
        }
    }

    /// Everything is answered: write, give back what isn't needed, and wait for more.
    async fn wait(&mut self) -> Result<(), End> {
        self.flush().await?;
        if self.work.is_none() {
            self.connection.release_buffers();
            self.inbox.messages.shrink_to_fit();
        }
        let is_stranger = !self.state.is_logged_in();
        let deadline = self.work.as_ref().and_then(|work| work.deadline);
        let kill = self.entry.kill.clone();
        tokio::select! {
            more = self.connection.fill() => if more? { Ok(()) } else { Err(End::ClientLeft) },
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
            self.connection.finish().await?;
        }
        Err(End::Killed)
    }

    async fn take(&mut self, message: Bytes) -> Result<(), End> {
        match self.decode(message).await {
            Ok(request) => self.handle(request).await,
            Err(MessageError::UnknownTag(_)) => Err(End::Protocol),
            Err(error) => {
                let failure = Failure::new(code::REQUEST_INVALID_FORMAT, error.to_string());
                self.failure(&failure);
                if !self.state.is_logged_in() {
                    return self.close(End::Protocol).await;
                }
                self.fail();
                Ok(())
            }
        }
    }

    /// Decoding a large message takes a while, which others need not wait for.
    async fn decode(&mut self, message: Bytes) -> Result<Request, MessageError> {
        let version = self.dialect.version;
        if !self.state.is_logged_in() {
            return Request::decode_unauthenticated(&message, version);
        }
        if message.len() <= SMALL_MESSAGE_BYTES {
            return Request::decode(&message, version);
        }
        let decoding =
            self.shared.threads().spawn_blocking(move || Request::decode(&message, version));
        decoding.await.unwrap_or(Err(MessageError::Field("the message could not be decoded")))
    }

    async fn handle(&mut self, request: Request) -> Result<(), End> {
        let is_reset = request == Request::Reset;
        if self.inbox.resets > 0 && !is_reset && self.state.is_logged_in() {
            self.state = ServerState::Interrupted;
        }
        if !self.state.accepts(request.tag()) {
            let message = format!(
                "Message '{:#04X}' cannot be handled by a session in the {:?} state.",
                u8::from(request.tag()),
                self.state
            );
            self.failure(&Failure::new(code::REQUEST_INVALID, message));
            return self.close(End::Protocol).await;
        }
        if self.state.ignores() && !is_reset && request != Request::Goodbye {
            self.ignored();
            return Ok(());
        }
        match request {
            Request::Hello(hello) => self.hello(hello).await,
            Request::Logon(auth) => self.logon(auth, Dictionary::new()).await,
            Request::Logoff => self.logoff(),
            Request::Goodbye => Err(End::ClientLeft),
            Request::Reset => self.reset().await,
            Request::Telemetry { .. } => self.succeed(),
            Request::Route(route) => self.route(route),
            Request::Begin(extra) => self.begin(extra).await,
            Request::Run { query, parameters, extra } => {
                self.run_query(query, parameters, extra).await
            }
            Request::Pull(stream) => self.pull(stream, None).await,
            Request::Discard(stream) => self.discard(stream).await,
            Request::Commit => self.commit().await,
            Request::Rollback => {
                self.end_work().await;
                self.state = ServerState::Ready;
                self.succeed()
            }
        }
    }

    /// Of several RESETs only the last one is answered with SUCCESS, as Neo4j does it.
    async fn reset(&mut self) -> Result<(), End> {
        self.inbox.resets -= 1;
        self.end_work().await;
        if self.inbox.resets > 0 {
            self.state = ServerState::Interrupted;
            self.ignored();
            return Ok(());
        }
        self.state = ServerState::Ready;
        self.succeed()
    }

    /// The client's request failed; everything else is ignored until its RESET.
    fn fail(&mut self) {
        self.state = ServerState::Failed;
    }

    fn success(&mut self, metadata: Dictionary) {
        put_success(&mut self.connection.output, &metadata);
    }

    fn succeed(&mut self) -> Result<(), End> {
        self.success(Dictionary::new());
        Ok(())
    }

    fn ignored(&mut self) {
        Response::Ignored.put(&mut self.connection.output, self.dialect.version);
    }

    fn failure(&mut self, failure: &Failure) {
        put_failure(&mut self.connection.output, failure, self.dialect.version);
    }

    /// Writes what there is. A client that takes nothing any more can still be killed, and is let
    /// go in the end, or its transaction would keep its locks as long as the client pleases.
    async fn flush(&mut self) -> Result<(), End> {
        if self.connection.output.is_empty() {
            return Ok(());
        }
        let patience = Instant::now() + self.shared.engine.settings.write_timeout;
        let deadline = self.work.as_ref().and_then(|work| work.deadline);
        let kill = self.entry.kill.clone();
        tokio::select! {
            biased;
            written = self.connection.flush() => Ok(written?),
            () = kill.notified() => Err(End::Killed),
            () = sleep_until(deadline.map_or(patience, |deadline| deadline.min(patience))) => Err(End::ClientStalled),
        }
    }

    async fn close(&mut self, end: End) -> Result<(), End> {
        self.connection.finish().await?;
        Err(end)
    }
}

fn internal() -> Failure {
    Failure::new(code::UNKNOWN, "the sandbox failed to run the query; its log says why")
}

/// Neo4j closes a connection that has not logged in after this time.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
/// As Neo4j.
const INBOX_MESSAGES_MAX: usize = 300;
const INBOX_BYTES_MAX: usize = 32 << 20;
const SMALL_MESSAGE_BYTES: usize = 16 * 1024;
const FLUSH_BYTES: usize = 64 * 1024;
