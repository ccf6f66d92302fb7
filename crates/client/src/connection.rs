//! Dial, agree on a version, log in, run queries. One request at a time; every wait has the
//! connection's time-out.

pub(crate) mod exchange;

use std::time::Duration;

use bolt::message::{Auth, Hello, Stream, TransactionExtra};
use bolt::version::{Answer, HandshakeError, Proposal, VersionRange};
use bolt::{Dechunker, Dictionary, Failure, Request, Response, Version};
use net::{Dialer, Socket, Target, Wire};

use crate::error::{ClientError, lost, unexpected};
use crate::table::Table;

/// A connection to a server. It is of use until it is closed or one of its requests fails in another
/// way than by the server's refusal.
pub struct Connection {
    wire: Wire,
    dechunker: Dechunker,
    version: Version,
    timeout: Duration,
    routing: Option<Dictionary>,
    /// SUCCESS of HELLO: `server`, `connection_id` and more.
    hello: Dictionary,
    /// Requests without an answer. If an exchange was broken off, late answers may still come, and
    /// nobody may take them for another request's.
    unanswered: usize,
}

impl Connection {
    /// Opens a socket, encrypts it if the target says so, and agrees on a version. `timeout` goes
    /// for each wait of this connection, now and later.
    pub async fn dial(target: &Target, timeout: Duration) -> Result<Self, ClientError> {
        Self::dial_with(&Dialer::new(target.clone(), &[])?, timeout).await
    }

    /// Likewise, with a dialer that is there already.
    pub async fn dial_with(dialer: &Dialer, timeout: Duration) -> Result<Self, ClientError> {
        let target = dialer.target();
        let routing = target.routing.then(|| Dictionary::new().with("address", target.address()));
        let connect = async { Self::agree_on(dialer.dial().await?, routing, timeout).await };
        within(timeout, connect).await
    }

    /// Likewise, and speaks this version only, as an older client would.
    ///
    /// # Errors
    /// [`ClientError::Handshake`] if the server does not speak it.
    pub async fn dial_at(
        dialer: &Dialer,
        version: Version,
        timeout: Duration,
    ) -> Result<Self, ClientError> {
        let connect = async {
            let mut wire = Wire::new(dialer.dial().await?);
            let only = Proposal::Range(VersionRange::new(version.major, version.minor, 0));
            match net::propose(&mut wire, &[only]).await? {
                Answer::Agreed(agreed) if agreed == version => {
                    Ok(Self::speaking(version, wire, None, timeout))
                }
                _ => Err(HandshakeError::NotOffered.into()),
            }
        };
        within(timeout, connect).await
    }

    /// Agrees on a version over a socket that is open already, without a limit of time.
    pub async fn over(socket: Socket, timeout: Duration) -> Result<Self, ClientError> {
        Self::agree_on(socket, None, timeout).await
    }

    async fn agree_on(
        socket: Socket,
        routing: Option<Dictionary>,
        timeout: Duration,
    ) -> Result<Self, ClientError> {
        let mut wire = Wire::new(socket);
        let version = net::agree(&mut wire).await?;
        Ok(Self::speaking(version, wire, routing, timeout))
    }

    fn speaking(
        version: Version,
        wire: Wire,
        routing: Option<Dictionary>,
        timeout: Duration,
    ) -> Self {
        let (dechunker, hello) = (Dechunker::new(MESSAGE_MAX), Dictionary::new());
        Self { wire, dechunker, version, timeout, routing, hello, unanswered: 0 }
    }

    /// Says who is calling and logs in.
    ///
    /// # Errors
    /// [`ClientError::Server`] when the server refuses; the connection is over then.
    pub async fn login(&mut self, user_agent: &str, auth: &Auth) -> Result<(), ClientError> {
        let has_logon = self.version.has_logon();
        let product = format!("boltbouncer/{}", env!("CARGO_PKG_VERSION"));
        self.send_along(&Request::Hello(Hello {
            user_agent: user_agent.to_owned(),
            routing: self.routing.clone(),
            bolt_agent: (self.version >= Version::new(5, 3))
                .then(|| Dictionary::new().with("product", product)),
            auth: (!has_logon).then(|| auth.clone()),
            ..Hello::default()
        }));
        if has_logon {
            self.send_along(&Request::Logon(auth.clone()));
        }
        self.flush().await?;
        self.hello = self.success().await?;
        if has_logon {
            self.success().await?;
        }
        Ok(())
    }

    /// Runs an auto-commit query and reads all of its result.
    ///
    /// # Errors
    /// After [`ClientError::Server`] the connection can be used again, unless the server closed it
    /// after the failure. After any other error it is [`ClientError::Closed`].
    pub async fn run(
        &mut self,
        query: &str,
        parameters: Dictionary,
        extra: TransactionExtra,
    ) -> Result<Table, ClientError> {
        self.request_result(query, parameters, extra).await?;
        self.result().await
    }

    /// Sends an auto-commit query and reads nothing: a client that stalls.
    pub async fn start(&mut self, query: &str) -> Result<(), ClientError> {
        self.request_result(query, Dictionary::new(), TransactionExtra::default()).await
    }

    /// Sends the first half of an auto-commit query: a client that is cut off in the middle of its
    /// request. The connection is of no more use.
    pub async fn start_half(mut self, query: &str) -> Result<(), ClientError> {
        let (query, parameters) = (query.to_owned(), Dictionary::new());
        Request::Run { query, parameters, extra: TransactionExtra::default() }
            .put(&mut self.wire.output);
        self.wire.output.truncate(self.wire.output.len() / 2);
        self.flush().await
    }

    /// Opens a transaction.
    pub async fn begin(&mut self, extra: TransactionExtra) -> Result<(), ClientError> {
        self.exchange(&Request::Begin(extra)).await.map(drop)
    }

    /// Runs a query in the open transaction and reads all of its result.
    pub async fn run_in_transaction(&mut self, query: &str) -> Result<Table, ClientError> {
        self.run(query, Dictionary::new(), TransactionExtra::default()).await
    }

    pub async fn commit(&mut self) -> Result<(), ClientError> {
        self.exchange(&Request::Commit).await.map(drop)
    }

    async fn exchange(&mut self, request: &Request) -> Result<Dictionary, ClientError> {
        self.send(request)?;
        self.flush().await?;
        match self.success().await {
            Err(ClientError::Server(failure)) => self.recover(failure).await,
            outcome => outcome,
        }
    }

    async fn request_result(
        &mut self,
        query: &str,
        parameters: Dictionary,
        extra: TransactionExtra,
    ) -> Result<(), ClientError> {
        self.send(&Request::Run { query: query.to_owned(), parameters, extra })?;
        self.send_along(&Request::Pull(Stream::ALL));
        self.flush().await
    }

    async fn result(&mut self) -> Result<Table, ClientError> {
        match self.table().await {
            Err(ClientError::Server(failure)) => self.recover(failure).await,
            outcome => outcome,
        }
    }

    async fn table(&mut self) -> Result<Table, ClientError> {
        let fields = match self.receive().await? {
            Response::Success(metadata) => metadata,
            Response::Failure(failure) => {
                // The PULL that was sent along is IGNORED, unless the server closed after the failure.
                return match self.receive().await {
                    Ok(_) | Err(ClientError::Closed | ClientError::Io(_)) => {
                        Err(ClientError::Server(failure))
                    }
                    Err(error) => Err(error),
                };
            }
            other => return Err(unexpected(&other)),
        };
        let mut table = Table { columns: fields.strings("fields"), ..Table::default() };
        loop {
            match self.receive().await? {
                Response::Record(row) => table.rows.push(row),
                Response::Success(summary) => {
                    table.summary = summary;
                    return Ok(table);
                }
                Response::Failure(failure) => return Err(ClientError::Server(failure)),
                other => return Err(unexpected(&other)),
            }
        }
    }

    /// Makes the connection usable again after a failure, if the server has not closed it.
    async fn recover<T>(&mut self, failure: Failure) -> Result<T, ClientError> {
        self.send_along(&Request::Reset);
        let recovered = match self.flush().await {
            Ok(()) => self.success().await.map(drop),
            Err(error) => Err(error),
        };
        match recovered {
            Ok(()) | Err(ClientError::Closed | ClientError::Io(_)) => {
                Err(ClientError::Server(failure))
            }
            Err(error) => Err(error),
        }
    }

    /// Says goodbye and closes.
    pub async fn close(mut self) {
        Request::Goodbye.put(&mut self.wire.output);
        let _ = self.flush().await;
        let _ = self.wire.shut_down().await;
    }

    pub fn version(&self) -> Version {
        self.version
    }

    /// `Neo4j/…`, once logged in.
    pub fn server_agent(&self) -> &str {
        self.hello.str("server").unwrap_or_default()
    }

    /// `bolt-N`, once logged in; N rises by one with each connection of the server.
    pub fn id(&self) -> &str {
        self.hello.str("connection_id").unwrap_or_default()
    }

    /// Begins an exchange.
    fn send(&mut self, request: &Request) -> Result<(), ClientError> {
        if self.unanswered > 0 {
            return Err(ClientError::Closed);
        }
        self.send_along(request);
        Ok(())
    }

    fn send_along(&mut self, request: &Request) {
        request.put(&mut self.wire.output);
        self.unanswered += 1;
    }

    async fn flush(&mut self) -> Result<(), ClientError> {
        within(self.timeout, async { self.wire.flush().await.map_err(lost) }).await
    }

    async fn success(&mut self) -> Result<Dictionary, ClientError> {
        match self.receive().await? {
            Response::Success(metadata) => Ok(metadata),
            Response::Failure(failure) => Err(ClientError::Server(failure)),
            other => Err(unexpected(&other)),
        }
    }

    async fn receive(&mut self) -> Result<Response, ClientError> {
        let protocol = |error: &dyn std::fmt::Display| ClientError::Protocol(error.to_string());
        loop {
            let message =
                self.dechunker.next(&mut self.wire.input).map_err(|error| protocol(&error))?;
            if let Some(message) = message {
                let response = Response::decode(&message).map_err(|error| protocol(&error))?;
                let is_summary = !matches!(response, Response::Record(_));
                self.unanswered = self.unanswered.saturating_sub(usize::from(is_summary));
                return Ok(response);
            }
            within(self.timeout, self.fill()).await?;
        }
    }

    async fn fill(&mut self) -> Result<(), ClientError> {
        self.wire.fill().await.map_err(lost)
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.id())
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

async fn within<T>(
    timeout: Duration,
    work: impl Future<Output = Result<T, ClientError>>,
) -> Result<T, ClientError> {
    tokio::time::timeout(timeout, work).await.unwrap_or(Err(ClientError::TimedOut(timeout)))
}

/// Results are gathered in memory; this bounds one record.
const MESSAGE_MAX: usize = 64 << 20;
