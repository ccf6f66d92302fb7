//! A pool's numbers for lists and metrics, in PgBouncer's words.

use std::time::Duration;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PoolNumbers {
    pub clients: usize,
    pub cl_waiting: usize,
    pub sv_active: usize,
    /// Held by clients that let them rest.
    pub sv_parked: usize,
    pub sv_idle: usize,
    pub sv_login: usize,
    /// How long the first in the queue has waited.
    pub maxwait: Duration,
}

impl PoolNumbers {
    pub fn by_state(&self) -> [(&'static str, usize); 6] {
        [
            ("cl_joined", self.clients),
            ("cl_waiting", self.cl_waiting),
            ("sv_active", self.sv_active),
            ("sv_parked", self.sv_parked),
            ("sv_idle", self.sv_idle),
            ("sv_login", self.sv_login),
        ]
    }
}
