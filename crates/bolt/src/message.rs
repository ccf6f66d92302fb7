//! Requests and responses with the metadata that each Bolt version gives them. Credentials pass
//! through here; nothing in this module prints them.

mod extra;
mod request;
mod request_tag;
mod response;

use thiserror::Error;

use crate::packstream::PackError;

pub use extra::{AccessMode, Auth, Hello, Route, Secret, Stream, TransactionExtra};
pub use request::Request;
pub use request_tag::RequestTag;
pub use response::{Response, put_failure, put_record_header, put_success};

/// The byte after a message's structure marker.
pub mod tag {
    pub const HELLO: u8 = 0x01;
    pub const GOODBYE: u8 = 0x02;
    pub const RESET: u8 = 0x0F;
    pub const RUN: u8 = 0x10;
    pub const BEGIN: u8 = 0x11;
    pub const COMMIT: u8 = 0x12;
    pub const ROLLBACK: u8 = 0x13;
    pub const DISCARD: u8 = 0x2F;
    pub const PULL: u8 = 0x3F;
    pub const TELEMETRY: u8 = 0x54;
    pub const ROUTE: u8 = 0x66;
    pub const LOGON: u8 = 0x6A;
    pub const LOGOFF: u8 = 0x6B;

    pub const SUCCESS: u8 = 0x70;
    pub const RECORD: u8 = 0x71;
    pub const IGNORED: u8 = 0x7E;
    pub const FAILURE: u8 = 0x7F;
}

/// Why a message can't be read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum MessageError {
    /// Neo4j closes the connection without an answer.
    #[error("{0:#04X} is not a message tag")]
    UnknownTag(u8),
    /// Neo4j answers FAILURE and goes on.
    #[error(transparent)]
    Malformed(#[from] PackError),
    /// A field is missing, superfluous or of the wrong type. Neo4j answers FAILURE and goes on.
    #[error("{0}")]
    Field(&'static str),
}
