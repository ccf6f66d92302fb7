//! The Bolt wire protocol as pure functions of bytes: no sockets, no clock, no threads.
//!
//! - [`version`]: protocol versions and the handshake, for both sides
//! - [`chunk`]: messages out of chunks and back; [`Scanner`] and
//!   [`Requests`] for forwarding without decoding
//! - [`packstream`]: values and their bytes; decode, skip, peek, encode
//! - [`message`]: requests and responses with the metadata that each version gives them
//! - [`failure`]: FAILURE with its error code and, from Bolt 5.7, its GQL status
//! - [`state`]: the server's states and the requests that it still owes an answer

pub mod chunk;
pub mod failure;
pub mod message;
pub mod packstream;
pub mod state;
pub mod version;

mod requests;
mod scan;
mod walk;

pub use chunk::{ChunkError, Dechunker};
pub use failure::Failure;
pub use message::{MessageError, Request, RequestTag, Response};
pub use packstream::{Dictionary, PackError, Reader, Structure, Value};
pub use requests::{Piece, Requests};
pub use scan::{Scanned, Scanner};
pub use state::{ServerState, Summary, Tracker};
pub use version::Version;
