//! The command as people use it: the built binary, real processes, real sockets.
//!
//! - [`lab`], [`endings`]: runs of the lab, and how they end early
//! - [`airflow`]: how Airflow is installed, how its start fails, how its cache is cleaned
//! - [`check`]: who answers at an address
//! - [`options`], [`passwords`]: what is refused, and what must stay secret
//! - [`support`], [`results`], [`tasks`]: the binary and its servers, what the lab writes, its processes

#![allow(clippy::unwrap_used)]

mod airflow;
mod check;
mod endings;
mod lab;
mod options;
mod passwords;
mod results;
mod support;
mod tasks;
