//! What a fuzz target needs that is more than a single call.

pub mod session;
