//! Requests that are encoded once and sent many times, and answers that are counted instead of
//! decoded: what a load generator needs, so that it measures the server and not itself.

use bolt::message::tag;
use bolt::{Failure, Request, Response, Scanned, Scanner, chunk};
use bytes::BytesMut;

use super::{Connection, MESSAGE_MAX, within};
use crate::error::{ClientError, unexpected};

/// Requests as they go over the wire, sent together, and how many answers they ask for.
#[derive(Clone, Debug)]
pub struct Encoded {
    wire: BytesMut,
    summaries: usize,
}

impl Encoded {
    pub fn new(requests: &[Request]) -> Self {
        let mut wire = BytesMut::new();
        for request in requests {
            request.put(&mut wire);
        }
        Self { wire, summaries: requests.len() }
    }
}

/// What an exchange brought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub records: u64,
    /// Bytes of the answers, as they came over the wire.
    pub bytes: u64,
}

impl Connection {
    /// Sends the requests in one go and reads all their answers. Each read has the connection's
    /// time-out.
    ///
    /// # Errors
    /// [`ClientError::Server`] with the first failure; the connection has been reset and can be used
    /// again, unless the server closed it. After any other error it can't be used.
    pub async fn exchange_encoded(&mut self, requests: &Encoded) -> Result<Tally, ClientError> {
        if self.unanswered > 0 {
            return Err(ClientError::Closed);
        }
        self.wire.output.extend_from_slice(&requests.wire);
        self.unanswered = requests.summaries;
        self.flush().await?;
        let mut tally = Tally::default();
        let mut refusal = None;
        let mut scanner = Scanner::new(MESSAGE_MAX);
        while self.unanswered > 0 {
            let scanned = scanner.next(&mut self.wire.input);
            match scanned.map_err(|error| ClientError::Protocol(error.to_string()))? {
                None => match within(self.timeout, self.fill()).await {
                    Ok(()) => {}
                    // The server closed after its failure.
                    Err(ClientError::Closed | ClientError::Io(_)) if refusal.is_some() => break,
                    Err(error) => return Err(error),
                },
                Some(Scanned::Records { ended, wire }) => {
                    tally.records += ended as u64;
                    tally.bytes += wire.len() as u64;
                }
                Some(Scanned::Message { tag, wire }) => {
                    self.unanswered -= 1;
                    tally.bytes += wire.len() as u64;
                    if tag != tag::SUCCESS {
                        refusal = refusal.or(read_failure(&wire)?);
                    }
                }
            }
        }
        match refusal {
            None => Ok(tally),
            Some(failure) => self.recover(failure).await,
        }
    }
}

/// `None` for what was ignored after a failure.
fn read_failure(wire: &[u8]) -> Result<Option<Failure>, ClientError> {
    let response = Response::decode(&chunk::payload(wire));
    match response.map_err(|error| ClientError::Protocol(error.to_string()))? {
        Response::Failure(failure) => Ok(Some(failure)),
        Response::Ignored => Ok(None),
        other => Err(unexpected(&other)),
    }
}
