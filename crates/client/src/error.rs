//! What can go wrong between a client and its server.

use std::io;
use std::time::Duration;

use bolt::version::HandshakeError;
use bolt::{Failure, Response};
use net::{DialError, Disagreement};
use thiserror::Error;

#[derive(Debug, Error)]
pub enum ClientError {
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    #[error("it takes connections and has not answered within {0:?}")]
    TimedOut(Duration),
    #[error("the server closed the connection")]
    Closed,
    #[error("the connection broke: {0}")]
    Io(io::Error),
    /// The server's own words.
    #[error(transparent)]
    Server(Failure),
    #[error("the server sent something that is not Bolt: {0}")]
    Protocol(String),
}

impl From<Disagreement> for ClientError {
    fn from(disagreement: Disagreement) -> Self {
        match disagreement {
            Disagreement::Lost(error) => lost(error),
            Disagreement::Refused(error) => Self::Handshake(error),
        }
    }
}

impl ClientError {
    /// The server's error code, if it was the server that refused.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Server(failure) => Some(&failure.code),
            _ => None,
        }
    }
}

/// An error of the socket: at the end of the stream the server has closed it.
pub(crate) fn lost(error: io::Error) -> ClientError {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => ClientError::Closed,
        _ => ClientError::Io(error),
    }
}

pub(crate) fn unexpected(response: &Response) -> ClientError {
    ClientError::Protocol(match response {
        Response::Ignored => "IGNORED out of turn".into(),
        Response::Record(_) => "RECORD out of turn".into(),
        Response::Success(_) => "SUCCESS out of turn".into(),
        Response::Failure(failure) => failure.code.clone(),
    })
}
