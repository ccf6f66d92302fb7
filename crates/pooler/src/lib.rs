//! A connection pooler for the Bolt protocol: many clients, few upstream connections.
//!
//! - [`pooler`]: the handle; [`shared`]: what all parts share
//! - [`config`]: what can be set, checked once; [`limits`]: what of it holds now
//! - [`listener`], [`handshake`]: clients on their way in
//! - [`auth`]: who may come in; [`credential`]: with what; [`tries`]: how often somebody has failed to; [`class`]: who may share
//!   with whom
//! - [`session`]: one client, who it is; [`client`]: its connection, and what it believes;
//!   [`inbox`]: how much it may send ahead; [`end`]: how it ends
//! - [`unit`]: one unit of work, which decides; [`relay`]: the pump, which carries its bytes;
//!   [`alarm`]: when it has to be asked again
//! - [`pool`]: the upstream connections of one principal, [`pool_numbers`] how many; [`server`]: how they are opened
//! - [`routing`]: where clients believe to be
//! - [`locks`]: all locks, and the order in which they may be taken; [`ids`]: numbers for what comes and
//!   goes
//! - [`metrics`], [`clients`], [`applications`], [`waits`], [`admin`]: what is to be seen of it;
//!   [`quantiles`]: of times; [`moment`]: what is looked up once for many; [`reason`]: what can go wrong; [`failures`]: what clients are told of it

mod admin;
mod alarm;
mod applications;
mod auth;
mod class;
mod client;
mod clients;
mod config;
mod credential;
mod end;
mod failures;
mod handshake;
mod ids;
mod inbox;
mod limits;
mod listener;
mod locks;
mod log_limit;
mod metrics;
mod moment;
mod pool;
mod pool_numbers;
mod pooler;
mod quantiles;
mod reason;
mod relay;
mod routing;
mod server;
mod session;
mod shared;
mod tries;
mod unit;
mod users;
mod waits;

pub use clients::FIRST_CLIENT;
pub use config::file::File;
pub use config::{Admin, ClientTls, Config, ConfigError, Limits, Log, Seconds};
pub use pooler::{Counts, Pooler, StartError};
pub use server::{Dial, Dialling, Resolving};
