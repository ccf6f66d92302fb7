//! `/api/v1/pools`: clients and connections of each user by state, in PgBouncer's words.

use std::collections::BTreeMap;

use serde::Serialize;

use super::seconds;
use crate::pool::Pool;
use crate::shared::Shared;

#[derive(Serialize)]
pub(super) struct PoolLine {
    user: String,
    clients: usize,
    cl_waiting: usize,
    sv_active: usize,
    sv_parked: usize,
    sv_idle: usize,
    sv_login: usize,
    maxwait_s: f64,
    pool_mode: &'static str,
    /// How many connections nobody else can have now, by reason.
    not_shared: BTreeMap<&'static str, usize>,
}

/// By user.
pub(super) fn lines(shared: &Shared) -> Vec<PoolLine> {
    let pools = shared.directory().pools();
    let mut lines: Vec<_> = pools.iter().map(|pool| line(pool)).collect();
    lines.sort_by(|a, b| a.user.cmp(&b.user));
    lines
}

fn line(pool: &Pool) -> PoolLine {
    let numbers = pool.numbers();
    PoolLine {
        user: pool.name.clone(),
        clients: numbers.clients,
        cl_waiting: numbers.cl_waiting,
        sv_active: numbers.sv_active,
        sv_parked: numbers.sv_parked,
        sv_idle: numbers.sv_idle,
        sv_login: numbers.sv_login,
        maxwait_s: seconds(numbers.maxwait),
        pool_mode: "transaction",
        not_shared: pool
            .not_shared()
            .into_iter()
            .map(|(why, count)| (why.label(), count))
            .collect(),
    }
}
