//! A connection pooler for the Bolt protocol: many clients, few upstream connections.
//!
//! - [`pooler`]: the handle; what all parts share
//! - [`config`]: what can be set, checked once; [`limits`]: what of it holds now
//! - [`listener`], [`tls`], [`handshake`]: clients on their way in
//! - [`auth`]: who may come in; [`tries`]: how often somebody has failed to; [`class`]: who may share
//!   with whom
//! - [`session`]: one client; [`inbox`]: its requests; [`relay`]: one unit of work
//! - [`pool`]: the upstream connections of one principal; [`server`]: how they are opened
//! - [`routing`]: where clients believe to be
//! - [`locks`]: all locks, and the order in which they may be taken; [`ids`]: numbers for what comes and
//!   goes
//! - [`rehearsal`]: a client's bytes against all of it, in memory
//! - [`metrics`], [`clients`], [`admin`]: what is to be seen of it; [`failures`]: what clients are told

mod admin;
mod auth;
mod class;
mod clients;
mod config;
mod failures;
mod handshake;
mod ids;
mod inbox;
mod limits;
mod listener;
mod locks;
mod metrics;
mod pool;
mod pooler;
mod rehearsal;
mod relay;
mod routing;
mod server;
mod session;
mod tls;
mod tries;
mod wire;

pub use config::{Admin, Config, ConfigError, File, Limits, Log, Seconds};
pub use pooler::{Counts, Pooler, StartError};
pub use rehearsal::rehearse;
pub use server::{Dial, Dialling};
pub use tls::ClientTls;
