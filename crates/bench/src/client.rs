//! One client: it runs operations on its connection, and opens another one when that has broken.

use std::sync::Arc;
use std::time::Duration;

use bolt::message::Auth;
use client::{ClientError, Connection, Dialer, Encoded, Tally};

use crate::workload::{Operation, Requests, Workload};

/// How a client gets in.
#[derive(Debug)]
pub(crate) struct Connector {
    pub dialer: Dialer,
    pub timeout: Duration,
}

impl Connector {
    pub async fn connect(&self, auth: &Auth) -> Result<Connection, ClientError> {
        let mut connection = Connection::dial_with(&self.dialer, self.timeout).await?;
        connection.login(USER_AGENT, auth).await?;
        Ok(connection)
    }
}

#[derive(Debug)]
pub(crate) struct Client {
    connector: Arc<Connector>,
    auth: Auth,
    requests: Arc<Requests>,
    /// Counts up in the client's own node.
    pub write: Option<Encoded>,
    pub writes: Writes,
    connection: Option<Connection>,
    workload: Workload,
    next: usize,
}

impl Client {
    pub fn new(
        connector: Arc<Connector>,
        auth: Auth,
        requests: Arc<Requests>,
        workload: Workload,
        number: usize,
    ) -> Self {
        Self {
            connector,
            auth,
            requests,
            write: None,
            writes: Writes::default(),
            connection: None,
            workload,
            next: number,
        }
    }

    pub async fn connect(&mut self) -> Result<(), ClientError> {
        if self.connection.is_none() {
            self.connection = Some(self.connector.connect(&self.auth).await?);
        }
        Ok(())
    }

    pub fn connection(&mut self) -> Option<&mut Connection> {
        self.connection.as_mut()
    }

    /// What is left of it when it is done.
    pub fn into_connection(self) -> Option<Connection> {
        self.connection
    }

    /// The next operation of the workload.
    ///
    /// # Errors
    /// The operation failed, or the connection for it could not be opened. The next one begins anew.
    pub async fn run_next(&mut self) -> Result<Tally, ClientError> {
        let operation = self.workload.operation(self.next);
        self.next += 1;
        if operation == Operation::Reconnect {
            return self.reconnect().await;
        }
        self.connect().await?;
        let Some(connection) = &mut self.connection else { return Err(ClientError::Closed) };
        let requests = &self.requests;
        let outcome = match operation {
            Operation::Query | Operation::Reconnect => {
                connection.exchange_encoded(&requests.query).await
            }
            Operation::Stream => connection.exchange_encoded(&requests.stream).await,
            Operation::Write => match &self.write {
                Some(write) => self.writes.note(connection.exchange_encoded(write).await),
                None => Err(ClientError::Protocol("no node to count in".into())),
            },
            Operation::Tx => transaction(connection, requests).await,
        };
        // After a failure of the server's own the connection goes on; if it has closed, the next
        // operation finds out.
        if matches!(&outcome, Err(error) if error.code().is_none()) {
            self.connection = None;
        }
        outcome
    }

    async fn reconnect(&mut self) -> Result<Tally, ClientError> {
        let mut connection = self.connector.connect(&self.auth).await?;
        let tally = connection.exchange_encoded(&self.requests.query).await?;
        connection.close().await;
        Ok(tally)
    }

    pub async fn close(self) {
        if let Some(connection) = self.connection {
            connection.close().await;
        }
    }
}

/// What a client knows about its own writes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Writes {
    pub done: u64,
    /// They failed, and may have been done all the same.
    pub unknown: u64,
}

impl Writes {
    fn note(&mut self, outcome: Result<Tally, ClientError>) -> Result<Tally, ClientError> {
        match outcome {
            Ok(_) => self.done += 1,
            Err(_) => self.unknown += 1,
        }
        outcome
    }
}

async fn transaction(
    connection: &mut Connection,
    requests: &Requests,
) -> Result<Tally, ClientError> {
    connection.exchange_encoded(&requests.begin).await?;
    let tally = connection.exchange_encoded(&requests.run).await?;
    connection.exchange_encoded(&requests.commit).await?;
    Ok(tally)
}

/// What a failed operation is counted as: the server's code, or what happened to the connection.
pub(crate) fn reason(error: &ClientError) -> String {
    match error {
        ClientError::Server(failure) => failure.code.clone(),
        ClientError::Resolve(_) => "host not found".into(),
        ClientError::Connect(error) => format!("not connected: {}", error.kind()),
        ClientError::Tls(_) => "TLS failed".into(),
        ClientError::Handshake(_) | ClientError::Protocol(_) => "not Bolt".into(),
        ClientError::TimedOut(_) => "no answer in time".into(),
        ClientError::Closed | ClientError::Io(_) => "connection closed".into(),
    }
}

const USER_AGENT: &str = concat!("boltbouncer-bench/", env!("CARGO_PKG_VERSION"));
