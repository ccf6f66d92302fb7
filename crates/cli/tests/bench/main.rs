//! `boltbouncer bench` and `boltbouncer link` as people use them: options, files, signals.
//!
//! - [`runs`], [`refusals`]: runs, and runs that never begin
//! - [`links`]: the relay by itself
//! - [`support`], [`numbers`]: the binary and its servers, and what a run has written

#![allow(clippy::unwrap_used)]

mod links;
mod numbers;
mod refusals;
mod runs;
mod support;
