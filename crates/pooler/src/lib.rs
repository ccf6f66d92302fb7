//! A connection pooler for the Bolt protocol: many clients, few upstream connections.
//!
//! - [`pooler`]: the handle; [`shared`]: what all parts share
//! - [`config`]: what can be set, checked once; [`limits`]: what of it holds now
//! - [`listener`], [`handshake`]: clients on their way in
//! - [`auth`]: who may come in; [`class`]: who may share with whom
//! - [`session`]: one client; [`inbox`]: how much it may send ahead; [`relay`]: one unit of work
//! - [`pool`]: the upstream connections of one principal; [`server`]: how they are opened
//! - [`routing`]: where clients believe to be
//! - [`rehearsal`]: a client's bytes against all of it, in memory
//! - [`metrics`], [`clients`], [`admin`]: what is to be seen of it; [`failures`]: what clients are told

mod admin;
mod auth;
mod class;
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
mod rehearsal;
mod relay;
mod routing;
mod server;
mod session;
mod shared;

pub use config::file::File;
pub use config::{Admin, ClientTls, Config, ConfigError, Limits, Log, Seconds};
pub use pooler::{Counts, Pooler, StartError};
pub use rehearsal::rehearse;
pub use server::{Dial, Dialling};
