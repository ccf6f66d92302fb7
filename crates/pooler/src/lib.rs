//! A connection pooler for the Bolt protocol: many clients, few upstream connections.
//!
//! - [`pooler`]: the handle; what all parts share
//! - [`config`]: what can be set, checked once; [`limits`]: what of it holds now
//! - [`listener`], [`tls`], [`handshake`]: clients on their way in
//! - [`auth`]: who may come in; [`class`]: who may share with whom
//! - [`session`]: one client, who it is; [`client`]: its connection, and what it believes;
//!   [`inbox`]: its requests
//! - [`unit`]: one unit of work, which decides; [`relay`]: the pump, which carries its bytes;
//!   [`alarm`]: when it has to be asked again
//! - [`pool`]: the upstream connections of one principal; [`server`]: how they are opened
//! - [`routing`]: where clients believe to be
//! - [`rehearsal`]: a client's bytes against all of it, in memory
//! - [`metrics`], [`clients`], [`admin`]: what is to be seen of it; [`reason`]: what can go
//!   wrong; [`failures`]: what clients are told of it

mod admin;
mod alarm;
mod auth;
mod class;
mod client;
mod clients;
mod config;
mod failures;
mod handshake;
mod inbox;
mod limits;
mod listener;
mod metrics;
mod pool;
mod pooler;
mod reason;
mod rehearsal;
mod relay;
mod routing;
mod server;
mod session;
mod tls;
mod unit;
mod wire;

pub use config::{Admin, Config, ConfigError, File, Limits, Log, Seconds};
pub use pooler::{Counts, Pooler, StartError};
pub use rehearsal::rehearse;
pub use server::{Dial, Dialling};
pub use tls::ClientTls;
