//! One Bolt connection from the client's side. It measures and checks servers: each step of
//! connecting can be taken, and timed, by itself; there is no pool, no retry and no routing.
//!
//! - [`target`]: `bolt://host:port` and its kin
//! - [`socket`]: TCP or TLS
//! - [`tls`]: verified by default, unverified for `+ssc`
//! - [`connection`]: dial, login, run; and exchanges of requests that are encoded already

mod connection;
mod socket;
mod target;
mod tls;

pub use connection::{ClientError, Connection, Encoded, Table, Tally};
pub use socket::{Dialer, Socket, Stream};
pub use target::{Encryption, Target, TargetError};
