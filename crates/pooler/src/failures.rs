//! What clients are told when it is the pooler that refuses. The codes were chosen for what
//! drivers do with them: transient ones are tried again by managed transactions, and none of these
//! makes a driver drop other connections than it must.

use std::time::Duration;

use bolt::failure::code;
use bolt::{Failure, RequestTag, ServerState};

use crate::config::Limits;
use crate::inbox::INBOX_LIMITS;
use crate::pool::KINDS_MAX;
use crate::reason::Reason;
use crate::waits::Witnessed;

/// What a unit of work that ends for `reason` is told.
pub(crate) fn of(reason: Reason, limits: &Limits) -> Failure {
    match reason {
        Reason::IdleInTransactionTimeout => timed_out(reason, limits.idle_in_transaction_timeout.0),
        Reason::ContendedIdleTimeout => {
            contended(limits.contended_idle_timeout().unwrap_or_default())
        }
        Reason::TransactionTimeout => timed_out(reason, limits.transaction_timeout.0),
        Reason::Draining => draining(),
        _ => unavailable("the connection to the server was lost; nothing was committed"),
    }
}

/// The wait for a connection was too long for `limit`, a setting or what the client has asked for.
pub(crate) fn waited_in_vain(reason: Reason, limit: Duration, seen: &Witnessed) -> Failure {
    let code = match reason {
        // Managed transactions are not begun again: their time is over.
        Reason::TxTimeout => code::TIMED_OUT,
        _ => code::RESOURCE_EXHAUSTION,
    };
    Failure::new(
        code,
        format!(
            "BoltBouncer: no upstream connection became free within {} s ({}); {} clients \
             waiting; {seen}",
            limit.as_secs_f64(),
            reason.label(),
            seen.waiting,
        ),
    )
}

/// A client has let its connection rest while others waited.
fn contended(limit: Duration) -> Failure {
    Failure::new(
        code::TRANSACTION_TIMED_OUT,
        format!(
            "BoltBouncer: the transaction was rolled back, because it rested for {} s or longer \
             while others waited that long for a connection (contended_idle_timeout)",
            limit.as_secs_f64(),
        ),
    )
}

pub(crate) fn queue_full(waiting: usize) -> Failure {
    Failure::new(
        code::RESOURCE_EXHAUSTION,
        format!("BoltBouncer: {waiting} clients are waiting already (max_waiting_clients)"),
    )
}

pub(crate) fn too_many_clients(limit: usize) -> Failure {
    Failure::new(
        code::RESOURCE_EXHAUSTION,
        format!("BoltBouncer: this user has {limit} connections (max_user_client_connections)"),
    )
}

pub(crate) fn too_many_kinds() -> Failure {
    Failure::new(
        code::RESOURCE_EXHAUSTION,
        format!(
            "BoltBouncer: the clients of this user need {KINDS_MAX} kinds of connections already, \
             which differ in Bolt version, routing or notification filter; there may be no more"
        ),
    )
}

pub(crate) fn unavailable(why: impl std::fmt::Display) -> Failure {
    Failure::new(code::DATABASE_UNAVAILABLE, format!("BoltBouncer: {why}"))
}

pub(crate) fn draining() -> Failure {
    unavailable("the pooler is shutting down")
}

fn timed_out(limit_reached: Reason, limit: Duration) -> Failure {
    Failure::new(
        code::TRANSACTION_TIMED_OUT,
        format!(
            "BoltBouncer: the transaction was rolled back after {} s ({})",
            limit.as_secs_f64(),
            limit_reached.label()
        ),
    )
}

pub(crate) fn rate_limited() -> Failure {
    Failure::new(
        code::AUTHENTICATION_RATE_LIMIT,
        "BoltBouncer: the wrong credentials were given too often; the next try is possible in a \
         few seconds",
    )
}

pub(crate) fn illegal(request: RequestTag, state: ServerState) -> Failure {
    Failure::new(
        code::REQUEST_INVALID,
        format!(
            "Message {tag:#04X} cannot be handled by a session in the {state:?} state.",
            tag = u8::from(request)
        ),
    )
}

pub(crate) fn too_large(request: RequestTag) -> Failure {
    let limit = INBOX_LIMITS.message_max >> 20;
    Failure::new(
        code::REQUEST_INVALID,
        format!(
            "BoltBouncer: a request may have at most {limit} MiB, RUN excepted (this one was \
             {request})"
        ),
    )
}

pub(crate) fn malformed(what: impl std::fmt::Display) -> Failure {
    Failure::new(code::REQUEST_INVALID_FORMAT, what.to_string())
}
