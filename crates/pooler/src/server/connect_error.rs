//! Why a connection could not be opened, and what that says about the credential.

use std::time::Duration;

use bolt::failure::code;
use bolt::version::HandshakeError;
use bolt::{Failure, Version};
use net::DialError;
use thiserror::Error;

use crate::reason::Reason;

/// Why there is no connection.
#[derive(Debug, Error)]
pub(crate) enum ConnectError {
    #[error("the server can't be reached: {0}")]
    Unreachable(#[from] DialError),
    /// Its first bytes say so.
    #[error("the server can't be reached: {0}")]
    NoAgreement(HandshakeError),
    #[error("the server did not answer within {0:?}")]
    TimedOut(Duration),
    #[error("the server does not speak Bolt {0}")]
    VersionGone(Version),
    #[error("the server closed the connection during login")]
    Closed,
    #[error("the server sent something unexpected during login")]
    Protocol,
    /// The server's own words.
    #[error("the server refuses the login: {}", failure.code)]
    Refused { failure: Failure },
}

/// What a refusal says about the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is wrong, or no longer right.
    Rejected,
    /// Nobody of that name is let in for a while, with whatever credential.
    Locked,
    /// Nothing: the server could not tell, or had other reasons.
    Passing,
}

impl ConnectError {
    /// The server's own words, if it was the server that refused.
    pub fn into_failure(self) -> Option<Failure> {
        match self {
            Self::Refused { failure } => Some(failure),
            _ => None,
        }
    }

    /// Whether trying again can't help before somebody has changed something.
    pub fn lasts(&self) -> bool {
        matches!(self, Self::Unreachable(DialError::Resolve(_) | DialError::Tls(_)))
    }

    /// As the metrics count it.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unreachable(_) | Self::NoAgreement(_) => Reason::Unreachable,
            Self::TimedOut(_) => Reason::ConnectionTimeout,
            Self::VersionGone(_) => Reason::UpstreamVersion,
            Self::Closed => Reason::ClosedDuringLogin,
            Self::Protocol => Reason::LoginProtocol,
            Self::Refused { .. } => Reason::CredentialRefused,
        }
    }

    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Refused { failure } => match failure.code.as_str() {
                code::UNAUTHORIZED | code::TOKEN_EXPIRED | code::CREDENTIALS_EXPIRED => {
                    Verdict::Rejected
                }
                code::AUTHENTICATION_RATE_LIMIT => Verdict::Locked,
                _ => Verdict::Passing,
            },
            _ => Verdict::Passing,
        }
    }
}
