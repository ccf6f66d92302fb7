//! One Bolt connection from the client's side. It measures and checks servers: each step of
//! connecting can be taken, and timed, by itself; there is no pool, no retry and no routing.
//!
//! - [`connection`]: dial, log in, run
//! - [`connection::exchange`]: requests that are encoded already, and answers that are only counted
//! - [`table`]: a result; [`error`]: why there is none

mod connection;
mod error;
mod table;

pub use connection::Connection;
pub use connection::exchange::{Encoded, Tally};
pub use error::ClientError;
pub use table::Table;
