//! Apache Airflow, as the lab uses it. Either a native one is set up, started and ended here, or one that
//! runs already is used through its REST API.
//!
//! - [`version`]: the versions that can be set up, and what differs between them
//! - [`kit`]: the DAG files, which are part of this program
//! - [`installation`]: a virtual environment with one version
//! - [`keeper`]: a process between the lab and a service, so that no service outlives the lab
//! - [`service`]: a service or a command that runs under a keeper
//! - [`native`]: database, broker, scheduler, web server and workers together
//! - [`api`]: the REST API, v1 of Airflow 2 and v2 of Airflow 3

pub mod api;
pub mod installation;
pub mod keeper;
pub mod kit;
pub mod native;
pub mod service;
pub mod version;

pub use api::{Api, ApiError};
pub use native::{Executor, Native};
pub use service::KeeperProgram;
pub use version::Version;
