//! One client of a target. It runs the operations of its workload one after the other on its
//! connection, and opens another connection when that one has broken.

use std::sync::Arc;

use bolt::message::Auth;
use client::{ClientError, Connection, Encoded, Tally};

use crate::connector::Connector;
use crate::workload::{Operation, Requests, Workload};

/// What all clients of one target have in common.
#[derive(Debug)]
pub(crate) struct Common {
    pub connector: Arc<Connector>,
    pub requests: Arc<Requests>,
    pub workload: Workload,
}

#[derive(Debug)]
pub(crate) struct Client {
    common: Arc<Common>,
    auth: Auth,
    /// `None` if the last one has broken, or if each operation opens one of its own.
    connection: Option<Connection>,
    /// Counts up in the client's own node; `None` if the workload does not write.
    write: Option<Encoded>,
    writes: Writes,
    /// Which operation of the workload is the next one.
    next: usize,
}

impl Client {
    /// The client with this number among those of its target. Clients with different numbers begin at
    /// different operations of a mixed workload.
    pub fn new(
        common: Arc<Common>,
        auth: Auth,
        number: usize,
        connection: Option<Connection>,
        write: Option<Encoded>,
    ) -> Self {
        Self { common, auth, connection, write, writes: Writes::default(), next: number }
    }

    /// Runs the next operation of the workload.
    ///
    /// # Errors
    /// The operation failed, or the connection for it could not be opened. The next operation starts
    /// afresh.
    pub async fn run_next(&mut self) -> Result<Tally, ClientError> {
        let operation = self.common.workload.operation(self.next);
        self.next += 1;
        if operation == Operation::Reconnect {
            return self.reconnect().await;
        }
        let outcome = self.run(operation).await;
        // A failure that the server reports leaves the connection usable. If the server has closed it
        // all the same, the next operation finds out.
        if matches!(&outcome, Err(error) if error.code().is_none()) {
            self.connection = None;
        }
        outcome
    }

    async fn run(&mut self, operation: Operation) -> Result<Tally, ClientError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.common.connector.connect(&self.auth).await?),
        };
        let requests = &self.common.requests;
        match operation {
            Operation::Query | Operation::Reconnect => {
                connection.exchange_encoded(&requests.query).await
            }
            Operation::Stream => connection.exchange_encoded(&requests.stream).await,
            Operation::Write => match &self.write {
                Some(write) => self.writes.note(connection.exchange_encoded(write).await),
                None => Err(ClientError::Protocol("no node to count in".into())),
            },
            Operation::Tx => transaction(connection, requests).await,
        }
    }

    async fn reconnect(&mut self) -> Result<Tally, ClientError> {
        let mut connection = self.common.connector.connect(&self.auth).await?;
        let tally = connection.exchange_encoded(&self.common.requests.query).await?;
        connection.close().await;
        Ok(tally)
    }

    /// Closes the connection, and says what became of the client's writes.
    pub async fn close(self) -> Writes {
        if let Some(connection) = self.connection {
            connection.close().await;
        }
        self.writes
    }
}

/// What clients know about their own writes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Writes {
    pub acknowledged: u64,
    /// The client saw them fail. The server may have done them all the same.
    pub failed: u64,
}

impl Writes {
    pub fn add(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.failed += other.failed;
    }

    fn note(&mut self, outcome: Result<Tally, ClientError>) -> Result<Tally, ClientError> {
        match outcome {
            Ok(_) => self.acknowledged += 1,
            Err(_) => self.failed += 1,
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
