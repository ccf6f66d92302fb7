//! Who a client is, as far as its units of work depend on it.

use std::sync::Arc;

use crate::auth::Member;
use crate::class::Class;

/// Empty until HELLO and LOGON have been answered.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    /// The address that the client dialled, if it said so.
    pub dialled: Option<Box<str>>,
    /// With whom it may share connections.
    pub class: Option<Arc<Class>>,
    /// Its place in its principal's pool.
    pub member: Option<Member>,
}
