//! The lab: runs patterns of using Neo4j drivers with parallel tasks that are processes of their
//! own, counts connections at the server meanwhile, and reports what each pattern did.
//!
//! - [`settings`]: what to run, and on what
//! - [`preset`]: what the embedded server is like
//! - [`run`], [`stop`]: the whole run, pattern after pattern, and how to end it early
//! - [`processes`]: starts task processes as Airflow's LocalExecutor does; none outlives the lab
//! - [`task`]: what happens inside a task process
//! - [`counter`]: connections as the server counts them
//! - [`measures`], [`verdict`]: what the numbers say, as the median of the rounds
//! - [`results`]: what was measured, as `results.json` has it
//! - `engine`: what runs the tasks, the lab itself or Airflow
//! - [`playground`]: an Airflow with everything around it, to look at until somebody ends it
//! - `own_pooler`: the pooler that *pooled* goes through
//! - [`expectations`]: what the results should show, and where they don't
//! - [`output`]: the run's folder, the comparison, the report page

pub mod counter;
mod engine;
pub mod expectations;
pub mod measures;
pub mod output;
mod own_pooler;
pub mod playground;
pub mod preset;
mod processes;
pub mod results;
pub mod run;
mod server;
pub mod settings;
pub mod stop;
pub mod task;
pub mod verdict;

pub use preset::Preset;
pub use run::run;
pub use settings::{Engine, NativeAirflow, Pattern, Retry, ServerChoice, Settings, Worker};
pub use stop::Stop;
