//! What Linux says about processes and their sockets, read from /proc. On other systems, which have no
//! /proc, there is nothing to be known.
//!
//! - [`process`]: which processes there are, and what each of them uses
//! - [`socket`]: TCP connections, and which sockets a process holds

pub mod process;
pub mod socket;
