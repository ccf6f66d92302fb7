//! An embedded Bolt server over a small in-memory graph. Official drivers take it for a Neo4j; it
//! has the limits under which connection proliferation hurts, and books that tell what happened.
//!
//! - [`settings`]: what can be set
//! - [`server`]: accepts connections, ends them; [`shared`]: what they all use
//! - [`session`]: one connection: requests in, answers out; [`work`] is its open transaction
//! - [`login`]: users, passwords, the lock-out
//! - [`books`]: every connection there is or was, in numbers
//! - [`procedures`]: `dbms.*` and SHOW
//! - [`values`]: engine values to PackStream and back

mod books;
mod connection;
mod failure;
mod login;
mod procedures;
mod server;
mod session;
mod settings;
mod shared;
mod values;
mod work;

pub use books::{Count, Snapshot};
pub use server::{Sandbox, StartError};
pub use settings::Settings;
