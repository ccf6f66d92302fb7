//! A load generator for Bolt servers. Two or more targets take turns, many short rounds
//! within one run, so that whatever disturbs the machine disturbs all of them; the result is a ratio to
//! the first target for each round, and how far these ratios lie apart.
//!
//! - [`settings`]: what is run, for how long, against which targets
//! - [`workload`]: what one operation is, as bytes that are ready to be sent
//! - [`run`]: connects every client, and gives each target its turns
//! - [`turn`], [`client`]: one target's share of a round, and one of its clients
//! - [`pace`]: when an operation is due
//! - [`link`]: a relay that makes a server seem far away
//! - [`process`]: processor time and memory of the servers
//! - [`results`], [`measure`], [`check`]: numbers, names for them, and conditions that they must meet
//! - [`output`]: table, JSON, page

pub mod check;
pub mod link;
pub mod measure;
pub mod output;
pub mod results;
pub mod run;
pub mod settings;
pub mod workload;

mod client;
mod pace;
mod process;
mod turn;

pub use check::Check;
pub use run::run;
pub use settings::{NamedProcess, NamedTarget, Settings};
pub use workload::Workload;
