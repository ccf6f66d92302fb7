//! `/api/v1/waits`: units of work that waited long for a connection, or in vain, and for whom.

use std::time::UNIX_EPOCH;

use serde::Serialize;

use super::seconds;
use crate::applications::ApplicationName;
use crate::pool::Share;
use crate::shared::Shared;
use crate::waits::Wait;

#[derive(Serialize)]
pub(super) struct WaitLine {
    /// Unix time, in seconds.
    ended: f64,
    client: String,
    application: Option<ApplicationName>,
    user: Option<String>,
    waited_s: f64,
    outcome: &'static str,
    /// Clients of the same user that waited then, this one included.
    waiting: usize,
    /// Whose connections there were too few of: `own_user` or `everybody`.
    of: &'static str,
    /// Who held them then.
    holders: Vec<HolderLine>,
}

#[derive(Serialize)]
struct HolderLine {
    application: ApplicationName,
    connections: usize,
    /// Of the one that had been held for longest.
    longest_s: f64,
    doing: &'static str,
}

/// The newest first.
pub(super) fn lines(shared: &Shared) -> Vec<WaitLine> {
    shared.waits.recent().iter().map(|wait| line(wait)).collect()
}

fn line(wait: &Wait) -> WaitLine {
    let ended = wait.ended.duration_since(UNIX_EPOCH).unwrap_or_default();
    WaitLine {
        ended: seconds(ended),
        client: wait.client.id.to_string(),
        application: wait.client.application().map(|one| one.name.clone()),
        user: wait.user.as_deref().map(str::to_owned),
        waited_s: seconds(wait.waited),
        outcome: wait.outcome.label(),
        waiting: wait.witnessed.waiting,
        of: wait.witnessed.whose.label(),
        holders: wait.witnessed.holders.shares().iter().map(holder).collect(),
    }
}

fn holder(share: &Share) -> HolderLine {
    HolderLine {
        application: share.application.clone(),
        connections: share.connections,
        longest_s: seconds(share.longest),
        doing: share.doing,
    }
}
