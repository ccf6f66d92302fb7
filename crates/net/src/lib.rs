//! What a Bolt connection stands on, whichever side of it we are. It knows sockets and bytes, and
//! nothing of queries, users or pools.
//!
//! - [`target`]: `bolt://host:port` and its kin
//! - [`socket`]: TCP or TLS; how one is opened
//! - [`tls`]: certificates are verified by default, unverified for `+ssc`

mod socket;
mod target;
mod tls;

pub use socket::{DialError, Dialer, Socket, Stream};
pub use target::{Encryption, Target, TargetError};
