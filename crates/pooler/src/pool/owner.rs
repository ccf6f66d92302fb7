//! Whose a pool is, and whose limits it counts for. A name that comes with several realms has several
//! pools, which never share a connection; but its limits are those of the name.

use super::PoolId;
use crate::tries::NameId;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The principal, for people; empty if the scheme has none.
    pub name: String,
    pub user: UserId,
}

/// Those whose connections and clients count together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum UserId {
    Named(NameId),
    /// Somebody without a name that the server knows, or with none that it would tell.
    Alone(PoolId),
}
