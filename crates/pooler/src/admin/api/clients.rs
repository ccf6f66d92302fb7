//! `/api/v1/clients`: everybody who is connected, and what they do.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::seconds;
use crate::applications::ApplicationName;
use crate::clients::{ClientId, Listed};
use crate::pool::{Hold, Pool};
use crate::shared::Shared;
use crate::unit::Doing;

#[derive(Serialize)]
pub(super) struct ClientLine {
    /// `connection_id` in its driver's log.
    id: String,
    state: &'static str,
    /// In that state.
    state_s: f64,
    /// The connection that it holds, as the server calls it.
    upstream: Option<String>,
    /// What happens on that.
    doing: Option<&'static str>,
    address: Option<String>,
    user: Option<String>,
    application: Option<ApplicationName>,
    user_agent: Option<String>,
    bolt: Option<String>,
    connected_s: f64,
    /// For connections, in all.
    waited_s: f64,
    /// Units of work.
    transactions: u64,
    errors: u64,
}

/// The oldest first.
pub(super) fn lines(shared: &Shared) -> Vec<ClientLine> {
    let mut held = held(&shared.directory().pools());
    let line = |client: &Arc<Listed>| line(client, held.remove(&client.id));
    shared.clients.all().iter().map(line).collect()
}

/// The connection that each client holds, and what happens on it.
fn held(pools: &[Arc<Pool>]) -> HashMap<ClientId, (Arc<Hold>, Doing)> {
    let seen = pools.iter().flat_map(|pool| pool.sightings());
    let held = seen.filter_map(|(seen, _)| {
        let held = seen.held?;
        Some((held.holder.client.id, (seen.hold?, held.doing)))
    });
    held.collect()
}

fn line(client: &Listed, held: Option<(Arc<Hold>, Doing)>) -> ClientLine {
    let (introduction, counts) = (client.introduction(), client.counts());
    let (state, since) = client.activity();
    ClientLine {
        id: client.id.to_string(),
        state: state.label(),
        state_s: seconds(since.elapsed()),
        upstream: held.as_ref().map(|(hold, _)| hold.id.clone()),
        doing: held.map(|(_, doing)| doing.label()),
        address: client.address.map(|address| address.to_string()),
        user: client.user().map(|user| user.to_string()),
        application: client.application().map(|one| one.name.clone()),
        user_agent: introduction.map(|said| said.user_agent.to_string()),
        bolt: introduction.map(|said| said.version.to_string()),
        connected_s: seconds(client.since.elapsed()),
        waited_s: seconds(counts.waited),
        transactions: counts.units,
        errors: counts.errors,
    }
}
