//! One Bolt connection from the client's side. It measures and checks servers: each step of
//! connecting can be taken, and timed, by itself; there is no pool, no retry and no routing.
//!
//! - [`connection`]: dial, login, run; and exchanges of requests that are encoded already

mod connection;

pub use connection::{ClientError, Connection, Encoded, Table, Tally};
