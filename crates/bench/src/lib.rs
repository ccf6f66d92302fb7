//! A load generator for Bolt servers. Two or more targets take turns, many short rounds within one
//! run, so that whatever disturbs the machine disturbs all of them alike. The result is a ratio to the
//! first target for each round, and how much these ratios differ from each other.
//!
//! - [`settings`]: what is run, for how long, against which targets
//! - [`workload`]: what one operation is, as bytes that are ready to be sent
//! - [`run`]: connects every client, and gives each target its turns
//! - [`turn`], [`client`], [`connector`]: one target's share of a round, one of its clients, and how a
//!   client connects
//! - [`pace`]: when an operation is due
//! - [`link`]: a relay that makes a server seem far away
//! - [`process`], [`machine`]: processor time and memory of the servers, and the machine they ran on
//! - [`measurement`], [`sample`]: what the clients of a target counted, and the numbers made of that
//! - [`measure`], [`ratio`], [`check`]: names for these numbers, how two targets compare, and conditions
//!   that a run must meet
//! - [`results`]: everything that was measured, in the shape of `bench.json`
//! - [`output`]: table, JSON, page

pub mod check;
pub mod link;
pub mod machine;
pub mod measure;
pub mod output;
pub mod ratio;
pub mod results;
pub mod run;
pub mod sample;
pub mod settings;
pub mod workload;

mod client;
mod connector;
mod measurement;
mod pace;
mod process;
mod turn;

pub use check::Check;
pub use run::run;
pub use settings::{NamedProcess, NamedTarget, Settings};
pub use workload::Workload;
