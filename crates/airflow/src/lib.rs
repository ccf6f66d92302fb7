//! Apache Airflow, as the lab uses it. Either a native one is set up, started and ended here, or one that
//! runs already is used through its REST API.
//!
//! - [`version`]: the versions that can be set up, and what differs between them
//! - [`kit`]: the DAG files, which are part of this program
//! - [`cache`]: where installations are kept, and how to get the disk back
//! - [`installation`]: a virtual environment with one version
//! - `phases`: what goes on meanwhile, for those who wait
//! - [`keeper`]: a process between the lab and a service, so that no service outlives the lab
//! - [`service`]: a service or a command that runs under a keeper
//! - [`log`]: the lines of a log that tell why something failed
//! - [`native`]: database, broker, scheduler, web server and workers together
//! - [`api`]: the REST API, v1 of Airflow 2 and v2 of Airflow 3

pub mod api;
pub mod cache;
pub mod installation;
pub mod keeper;
pub mod kit;
pub mod log;
pub mod native;
mod phases;
pub mod service;
pub mod version;

pub use api::{Api, ApiError};
pub use cache::{Cache, Cleaned};
pub use native::{Executor, Native};
pub use service::KeeperProgram;
pub use version::Version;
