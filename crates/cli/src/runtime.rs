//! The Tokio runtimes that commands run on.

use anyhow::Result;
use tokio::runtime::{Builder, Runtime};

/// A thread for each processor.
pub fn many_threads() -> Result<Runtime> {
    Ok(Builder::new_multi_thread().enable_all().build()?)
}

/// The load generator's: the servers that are measured on the same machine need the other processors,
/// and a client on a thread of its own would not be woken by another processor.
pub fn one_thread() -> Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
