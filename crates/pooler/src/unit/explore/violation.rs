//! What must never happen.

/// An invariant that does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Violation(pub &'static str);

pub const ANSWERED_TWICE: &str = "a request is answered twice";
pub const OUT_OF_ORDER: &str = "an answer is out of order, or for somebody else";
pub const TOLD_THE_GONE: &str = "somebody who is gone is told something";
pub const SENT_AFTER_RELEASE: &str = "something is sent on a connection after its release";
pub const SENT_TWICE: &str = "a request is sent twice, or after a later one";
pub const ILLEGAL: &str = "a message is sent that the server does not allow there";
pub const RESET_OVERTAKES: &str = "RESET overtakes BEGIN, COMMIT or ROLLBACK";
pub const RELEASED_DIRTY: &str = "a connection is released that is not READY, or owes something";
pub const LOST_TWICE: &str = "a connection is lost twice";
pub const UNKNOWN_TOLD: &str = "work that may have been done is told to have failed";
pub const NOT_DONE: &str = "work is told to be done that was not";
pub const DONE_LATER: &str = "work is done that was told to have failed";
pub const IGNORED_ALONE: &str = "a request is ignored for a client that knows of no failure";
pub const NOT_SERVED: &str = "somebody is never answered, though everybody does what it should";
pub const NOT_FREED: &str = "a connection is never freed, though its client has left";
pub const MID_RECORD: &str = "a client is told something in the middle of a record";
pub const RECORDS_MISSING: &str = "a result is told to be whole of which records were kept back";
