//! One connection from handshake to end. Requests are taken in order; while the engine works, the
//! socket is still read, so that RESET and a vanished client are noticed at once.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bolt::failure::code;
use bolt::message::{Auth, Hello, Route, Stream, TransactionExtra, put_failure, put_success, tag};
use bolt::version::{self, Opening};
use bolt::{Dictionary, Failure, MessageError, Request, Response, ServerState, Value, Version};
use bytes::BytesMut;
use tokio::net::TcpStream;
use tracing::debug;

use crate::books::Entry;
use crate::connection::Connection;
use crate::server::Shared;
use crate::values::{Dialect, map_from_bolt};
use crate::work::{Pulled, Ran, Work, check_bookmarks};

/// Why a connection is over. None of these is an error of the server.
#[derive(Debug)]
pub(crate) enum End {
    ClientLeft,
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
pub(crate) async fn serve(stream: TcpStream, entry: Entry, shared: Arc<Shared>) -> End {
    let mut connection = Connection::new(stream, shared.engine.settings.rtt);
    let login_deadline = tokio::time::Instant::now() + LOGIN_TIMEOUT;
    let handshake = tokio::time::timeout_at(login_deadline, handshake(&mut connection, &shared));
    let (version, by_manifest) = match handshake.await {
        Ok(Ok(agreed)) => agreed,
        Ok(Err(end)) => return end,
        Err(_) => return End::Refused,
    };
    let dialect = Dialect { version, utc: version.has_element_ids() };
    let session = Session {
        shared,
        connection,
        entry,
        dialect,
        by_manifest,
        login_deadline,
        state: ServerState::Negotiation,
        inbox: VecDeque::new(),
        resets: 0,
        work: None,
    };
    session.run().await
}

async fn handshake(connection: &mut Connection, shared: &Shared) -> Result<(Version, bool), End> {
    let served = &shared.served;
    let opening = loop {
        match version::read_opening(&mut connection.input, served) {
            Ok(Some(opening)) => break opening,
            Ok(None) if connection.fill().await? => {}
            Ok(None) => return Err(End::ClientLeft),
            Err(_) => return Err(End::Protocol),
        }
    };
    match opening {
        Opening::Agreed(version) => {
            connection.output.extend_from_slice(&version::agreement(version));
            connection.flush().await?;
            Ok((version, false))
        }
        Opening::NothingInCommon => {
            connection.output.extend_from_slice(&version::NOTHING_IN_COMMON);
            connection.flush().await?;
            Err(End::Refused)
        }
        Opening::Manifest => {
            connection.output.extend_from_slice(&version::manifest(served));
            connection.flush().await?;
            loop {
                match version::read_choice(&mut connection.input, served) {
                    Ok(Some(version)) => return Ok((version, true)),
                    Ok(None) if connection.fill().await? => {}
                    Ok(None) => return Err(End::ClientLeft),
                    Err(_) => return Err(End::Protocol),
                }
            }
        }
    }
}

/// A request, or why it could not be read.
enum Inbound {
    Request(Request),
    Malformed(Failure),
}

struct Session {
    shared: Arc<Shared>,
    connection: Connection,
    entry: Entry,
    dialect: Dialect,
    by_manifest: bool,
    login_deadline: tokio::time::Instant,
    state: ServerState,
    inbox: VecDeque<Inbound>,
    /// RESETs in the inbox. While there is one, everything before it is not carried out.
    resets: usize,
    work: Option<Work>,
}

impl Session {
    async fn run(mut self) -> End {
        let end = match self.serve_requests().await {
            Err(end) => end,
            Ok(never) => match never {},
        };
        if let Some(work) = &self.work {
            work.control.cancel();
        }
        debug!(connection = self.entry.id, ?end, "connection ended");
        end
    }

    async fn serve_requests(&mut self) -> Result<std::convert::Infallible, End> {
        loop {
            self.decode()?;
            match self.inbox.pop_front() {
                Some(Inbound::Request(request)) => self.handle(request).await?,
                Some(Inbound::Malformed(failure)) => self.refuse(&failure).await?,
                None => self.wait().await?,
            }
            if self.connection.output.len() > FLUSH_BYTES {
                self.connection.flush().await?;
            }
        }
    }

    /// Everything is answered: write, give back what isn't needed, and wait for more.
    async fn wait(&mut self) -> Result<(), End> {
        self.connection.flush().await?;
        if self.state == ServerState::Ready {
            self.connection.release_buffers();
            self.inbox.shrink_to_fit();
        }
        let login_is_due =
            matches!(self.state, ServerState::Negotiation | ServerState::Authentication);
        let kill = self.entry.kill.clone();
        tokio::select! {
            more = self.connection.fill() => if more? { Ok(()) } else { Err(End::ClientLeft) },
            () = kill.notified() => self.killed().await,
            () = tokio::time::sleep_until(self.login_deadline), if login_is_due => Err(End::Refused),
        }
    }

    /// Neo4j says SUCCESS to a victim with an open transaction, though nobody asked.
    async fn killed(&mut self) -> Result<(), End> {
        if self.work.is_some() {
            self.success(Dictionary::new());
            self.connection.flush().await?;
        }
        Err(End::Killed)
    }

    /// Moves whole messages into the inbox. Past 300 of them the socket has to wait, as in Neo4j.
    fn decode(&mut self) -> Result<(), End> {
        while self.inbox.len() < INBOX_MAX {
            let message = self.connection.next_message().map_err(|_| End::Protocol)?;
            let Some(message) = message else { break };
            let is_stranger =
                matches!(self.state, ServerState::Negotiation | ServerState::Authentication);
            let decoded = if is_stranger {
                Request::decode_unauthenticated(&message, self.dialect.version)
            } else {
                Request::decode(&message, self.dialect.version)
            };
            let inbound = match decoded {
                Ok(Request::Reset) => {
                    self.resets += 1;
                    if let Some(work) = &self.work {
                        work.control.cancel();
                    }
                    Inbound::Request(Request::Reset)
                }
                Ok(request) => Inbound::Request(request),
                Err(MessageError::UnknownTag(_)) => return Err(End::Protocol),
                Err(error) => Inbound::Malformed(Failure::new(
                    code::REQUEST_INVALID_FORMAT,
                    error.to_string(),
                )),
            };
            self.inbox.push_back(inbound);
        }
        Ok(())
    }

    async fn refuse(&mut self, failure: &Failure) -> Result<(), End> {
        self.failure(failure);
        if matches!(self.state, ServerState::Negotiation | ServerState::Authentication) {
            return self.close(End::Protocol).await;
        }
        self.fail();
        Ok(())
    }

    async fn handle(&mut self, request: Request) -> Result<(), End> {
        if self.resets > 0 && request != Request::Reset && request != Request::Goodbye {
            self.state = ServerState::Interrupted;
        }
        if !self.state.accepts(request.tag()) {
            let message = format!(
                "Message '{:#04X}' cannot be handled by a session in the {:?} state.",
                request.tag(),
                self.state
            );
            self.failure(&Failure::new(code::REQUEST_INVALID, message));
            return self.close(End::Protocol).await;
        }
        if self.state.ignores() && !matches!(request.tag(), tag::RESET | tag::GOODBYE) {
            Response::Ignored.put(&mut self.connection.output, self.dialect.version);
            return Ok(());
        }
        match request {
            Request::Hello(hello) => self.hello(hello).await,
            Request::Logon(auth) => self.logon(auth, Dictionary::new()).await,
            Request::Logoff => {
                self.entry.logged_off();
                self.connection.logged_off();
                self.login_deadline = tokio::time::Instant::now() + LOGIN_TIMEOUT;
                self.state = ServerState::Authentication;
                self.success(Dictionary::new());
                Ok(())
            }
            Request::Goodbye => Err(End::ClientLeft),
            Request::Reset => {
                self.reset();
                Ok(())
            }
            Request::Telemetry { .. } => {
                self.success(Dictionary::new());
                Ok(())
            }
            Request::Route(route) => {
                self.route(route);
                Ok(())
            }
            Request::Begin(extra) => self.begin(extra).await,
            Request::Run { query, parameters, extra } => {
                self.run_query(query, parameters, extra).await
            }
            Request::Pull(stream) => self.pull(stream, false, None).await,
            Request::Discard(stream) => self.pull(stream, true, None).await,
            Request::Commit => self.commit(),
            Request::Rollback => {
                self.end_work();
                self.state = ServerState::Ready;
                self.success(Dictionary::new());
                Ok(())
            }
        }
    }

    async fn hello(&mut self, hello: Hello) -> Result<(), End> {
        self.entry.name(&hello.user_agent);
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

    async fn logon(&mut self, auth: Auth, mut metadata: Dictionary) -> Result<(), End> {
        let users = self.shared.users.clone();
        let checked = if users.is_costly() {
            let check = move || users.check(&auth, Instant::now());
            self.shared.threads().spawn_blocking(check).await.unwrap_or_else(|_| Err(internal()))
        } else {
            users.check(&auth, Instant::now())
        };
        let user = checked.as_ref().ok().cloned();
        self.entry.authenticated(user);
        if let Err(failure) = checked {
            self.failure(&failure);
            return self.close(End::Refused).await;
        }
        if self.dialect.version.has_resolved_database() {
            metadata.push("advertised_address", self.shared.address.to_string());
        }
        self.connection.authenticated();
        self.state = ServerState::Ready;
        self.success(metadata);
        Ok(())
    }

    /// A standalone Neo4j names the address that the client dialled, for all three roles.
    fn route(&mut self, route: Route) {
        let database = match self.shared.database(route.database.as_deref()) {
            Ok((name, _)) => name,
            Err(failure) => {
                self.failure(&failure);
                return self.fail();
            }
        };
        let own = self.shared.address.to_string();
        let address = route.routing.str("address").unwrap_or(&own).to_owned();
        let role = |role: &str| {
            let server =
                Dictionary::new().with("addresses", vec![address.as_str()]).with("role", role);
            Value::Dictionary(server)
        };
        let servers = Value::List(["WRITE", "READ", "ROUTE"].map(role).into());
        let table = Dictionary::new()
            .with("ttl", ROUTING_TTL_S)
            .with("db", database)
            .with("servers", servers);
        self.success(Dictionary::new().with("rt", table));
    }

    async fn begin(&mut self, extra: TransactionExtra) -> Result<(), End> {
        if !self.open_work(&extra, false).await? {
            return Ok(());
        }
        self.state = ServerState::TxReady;
        let mut metadata = Dictionary::new();
        self.name_database(&mut metadata);
        self.success(metadata);
        Ok(())
    }

    /// Opens a transaction; `false` if that was refused and answered.
    async fn open_work(
        &mut self,
        extra: &TransactionExtra,
        is_auto_commit: bool,
    ) -> Result<bool, End> {
        let refused = match self.shared.database(extra.database.as_deref()) {
            Err(failure) => Some(failure),
            Ok(_) if extra.impersonated_user.is_some() => Some(Failure::new(
                code::ARGUMENT,
                "Impersonation is not supported in community edition.",
            )),
            Ok(_) => check_bookmarks(&extra.bookmarks).err(),
        };
        if let Some(failure) = refused {
            self.failure(&failure);
            self.fail();
            return Ok(false);
        }
        let Ok(thread) = self.shared.transactions.clone().try_acquire_owned() else {
            let message =
                "There are insufficient threads available for executing the current task.";
            self.failure(&Failure::new(code::NO_THREADS, message));
            self.close(End::Refused).await?;
            return Ok(false);
        };
        let (name, database) =
            self.shared.database(extra.database.as_deref()).map_err(|_| End::Refused)?;
        let memory_max = self.shared.engine.settings.transaction_memory_max;
        self.work = Some(Work::new(&database, extra, name, is_auto_commit, thread, memory_max));
        let metadata = map_from_bolt(extra.metadata.clone(), self.dialect).unwrap_or_default();
        self.entry.begin(name, metadata);
        Ok(true)
    }

    async fn run_query(
        &mut self,
        query: String,
        parameters: Dictionary,
        extra: TransactionExtra,
    ) -> Result<(), End> {
        let in_transaction = self.state.is_in_transaction();
        if !in_transaction && !self.open_work(&extra, true).await? {
            return Ok(());
        }
        self.entry.running(&query);
        // A PULL that is here already saves a second way to the engine and back.
        let follow = match self.inbox.front() {
            Some(Inbound::Request(Request::Pull(stream))) if self.resets == 0 => Some(*stream),
            _ => None,
        };
        let (engine, dialect) = (self.shared.engine.clone(), self.dialect);
        let outcome = self
            .job(move |work| {
                let ran = work.run(&query, parameters, &engine, dialect)?;
                let mut records = BytesMut::new();
                let pulled = follow.map(|stream| work.pull(stream, false, &mut records, dialect));
                Ok((ran, pulled.map(|pulled| (pulled, records))))
            })
            .await?;
        let (ran, first) = match outcome {
            Ok(outcome) => outcome,
            Err(failure) => {
                self.failure(&failure);
                self.fail();
                return Ok(());
            }
        };
        self.state = if in_transaction { ServerState::TxStreaming } else { ServerState::Streaming };
        self.ran(ran, in_transaction);
        match (follow, first) {
            (Some(stream), Some(first)) => {
                self.inbox.pop_front();
                self.pull(stream, false, Some(first)).await
            }
            _ => Ok(()),
        }
    }

    fn ran(&mut self, ran: Ran, in_transaction: bool) {
        let columns: Vec<&str> = ran.columns.iter().map(|column| &**column).collect();
        let mut metadata =
            Dictionary::new().with("t_first", ran.milliseconds).with("fields", columns);
        if in_transaction {
            metadata.push("qid", ran.qid);
        } else {
            self.name_database(&mut metadata);
        }
        self.success(metadata);
    }

    /// From Bolt 5.8 the server says which database it took when the client named none.
    fn name_database(&self, metadata: &mut Dictionary) {
        let Some(work) = &self.work else { return };
        if self.dialect.version.has_resolved_database() && !work.has_named_database {
            metadata.push("db", work.database.as_str());
        }
    }

    /// Sends records until there are enough; `first` is what was pulled beforehand.
    async fn pull(
        &mut self,
        mut stream: Stream,
        discard: bool,
        mut first: Option<(Result<Pulled, Failure>, BytesMut)>,
    ) -> Result<(), End> {
        loop {
            let dialect = self.dialect;
            let (pulled, records) = match first.take() {
                Some(first) => first,
                None => self
                    .job(move |work| {
                        let mut records = BytesMut::new();
                        let pulled = work.pull(stream, discard, &mut records, dialect);
                        Ok((pulled, records))
                    })
                    .await?
                    .unwrap_or_else(|failure| (Err(failure), BytesMut::new())),
            };
            if self.connection.output.is_empty() {
                self.connection.output = records;
            } else {
                self.connection.output.unsplit(records);
            }
            match pulled {
                Ok(Pulled::BufferFull { left }) => {
                    self.connection.flush().await?;
                    stream.records = left;
                }
                Ok(Pulled::HasMore) => {
                    self.success(Dictionary::new().with("has_more", true));
                    return Ok(());
                }
                Ok(Pulled::Over(summary)) => {
                    self.result_is_over();
                    self.success(summary);
                    return Ok(());
                }
                Err(failure) => {
                    self.failure(&failure);
                    self.fail();
                    return Ok(());
                }
            }
        }
    }

    fn result_is_over(&mut self) {
        let work = self.work.as_ref();
        if work.is_some_and(|work| work.is_auto_commit) {
            self.end_work();
            self.state = ServerState::Ready;
        } else if work.is_some_and(|work| !work.has_results()) {
            self.state = ServerState::TxReady;
        }
    }

    fn commit(&mut self) -> Result<(), End> {
        let committed = self.work.as_mut().map_or_else(|| Err(internal()), Work::commit);
        match committed {
            Ok(bookmark) => {
                self.end_work();
                self.state = ServerState::Ready;
                self.success(Dictionary::new().with("bookmark", bookmark));
            }
            Err(failure) => {
                self.failure(&failure);
                self.fail();
            }
        }
        Ok(())
    }

    /// Of several RESETs only the last one is answered with SUCCESS, as Neo4j does it.
    fn reset(&mut self) {
        self.resets -= 1;
        self.end_work();
        if self.resets > 0 {
            self.state = ServerState::Interrupted;
            Response::Ignored.put(&mut self.connection.output, self.dialect.version);
        } else {
            self.state = ServerState::Ready;
            self.success(Dictionary::new());
        }
    }

    /// Runs `job` on an engine thread while the socket is still read.
    async fn job<T: Send + 'static>(
        &mut self,
        job: impl FnOnce(&mut Work) -> Result<T, Failure> + Send + 'static,
    ) -> Result<Result<T, Failure>, End> {
        let Some(mut work) = self.work.take() else { return Ok(Err(internal())) };
        let (control, deadline) = (work.control.clone(), work.deadline);
        if deadline.is_some_and(|deadline| deadline <= tokio::time::Instant::now()) {
            control.time_out();
        }
        let mut handle = self.shared.threads().spawn_blocking(move || {
            let outcome = job(&mut work);
            (work, outcome)
        });
        let mut guard = CancelOnDrop(Some(control.clone()));
        let joined = match self.attend(&mut handle, &control, deadline).await {
            Ok(joined) => joined,
            Err(end) => {
                // The books close the connection only when its transaction is over, too.
                control.cancel();
                let _ = handle.await;
                return Err(end);
            }
        };
        guard.0 = None;
        match joined {
            Ok((work, outcome)) => {
                self.work = Some(work);
                Ok(outcome)
            }
            // The engine panicked: the thread is gone with the transaction, the connection is not.
            Err(error) => {
                tracing::error!(connection = self.entry.id, %error, "a query ended in a panic");
                self.entry.end();
                Ok(Err(internal()))
            }
        }
    }

    /// Waits for a job, and meanwhile reads, keeps the connection alive, and watches the clock.
    async fn attend<T>(
        &mut self,
        handle: &mut tokio::task::JoinHandle<T>,
        control: &graph::Control,
        deadline: Option<tokio::time::Instant>,
    ) -> Result<Result<T, tokio::task::JoinError>, End> {
        let never = tokio::time::Instant::now() + Duration::from_secs(86_400 * 365);
        let mut keep_alive = tokio::time::Instant::now() + KEEP_ALIVE;
        let mut timed_out = false;
        let kill = self.entry.kill.clone();
        loop {
            let may_read = self.inbox.len() < INBOX_MAX;
            tokio::select! {
                biased;
                joined = &mut *handle => return Ok(joined),
                more = self.connection.fill(), if may_read => {
                    if !more? {
                        return Err(End::ClientLeft);
                    }
                    self.decode()?;
                    if self.resets > 0 {
                        control.cancel();
                    }
                }
                () = kill.notified() => return Err(End::Killed),
                () = tokio::time::sleep_until(deadline.unwrap_or(never)), if !timed_out => {
                    timed_out = true;
                    control.time_out();
                }
                () = tokio::time::sleep_until(keep_alive) => {
                    keep_alive += KEEP_ALIVE;
                    self.connection.output.extend_from_slice(&bolt::chunk::NOOP);
                    self.connection.flush().await?;
                }
            }
        }
    }

    fn end_work(&mut self) {
        if self.work.take().is_some() {
            self.entry.end();
        }
    }

    fn fail(&mut self) {
        self.state = ServerState::Failed;
        if let Some(work) = &mut self.work {
            work.fail();
        }
    }

    fn success(&mut self, metadata: Dictionary) {
        put_success(&mut self.connection.output, &metadata);
    }

    fn failure(&mut self, failure: &Failure) {
        put_failure(&mut self.connection.output, failure, self.dialect.version);
    }

    async fn close(&mut self, end: End) -> Result<(), End> {
        self.connection.finish().await?;
        Err(end)
    }
}

/// Ends a query whose connection is gone.
struct CancelOnDrop(Option<Arc<graph::Control>>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(control) = &self.0 {
            control.cancel();
        }
    }
}

fn internal() -> Failure {
    Failure::new(code::UNKNOWN, "the sandbox failed to run the query; its log says why")
}

/// Neo4j closes a connection that has not logged in after this time.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
/// NOOP while a query runs; the hint is twice that.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
const RECEIVE_TIMEOUT_S: i64 = 120;
const ROUTING_TTL_S: i64 = 300;
const INBOX_MAX: usize = 300;
const FLUSH_BYTES: usize = 64 * 1024;
