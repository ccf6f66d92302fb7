//! `/api/v1/upstreams`: every connection to the server, and who holds it.

use bolt::{Dictionary, Value};
use serde::Serialize;

use super::seconds;
use crate::applications::ApplicationName;
use crate::class::Class;
use crate::pool::{Held, NotShared, Pool, Sighting};
use crate::shared::Shared;
use crate::unit::Kind;

#[derive(Serialize)]
pub(super) struct UpstreamLine {
    /// What the server calls it, as in `dbms.listConnections`.
    id: Option<String>,
    user: String,
    kind: KindOf,
    state: &'static str,
    /// In that state, if it is known since when.
    state_s: Option<f64>,
    age_s: Option<f64>,
    held_by: Option<Holder>,
    /// Why nobody else can have it now.
    not_shared: Option<&'static str>,
}

/// What has to be equal for two clients to take turns on a connection.
#[derive(Serialize)]
struct KindOf {
    bolt: String,
    utc: bool,
    routing: bool,
    notifications: serde_json::Value,
}

#[derive(Serialize)]
struct Holder {
    client: String,
    application: Option<ApplicationName>,
    unit: &'static str,
    held_s: f64,
}

pub(super) fn lines(shared: &Shared) -> Vec<UpstreamLine> {
    let mut lines: Vec<_> = shared.directory().pools().iter().flat_map(|pool| of(pool)).collect();
    // Those that are held for longest first.
    let held = |line: &UpstreamLine| line.held_by.as_ref().map_or(-1.0, |holder| holder.held_s);
    lines.sort_by(|a, b| held(b).total_cmp(&held(a)).then_with(|| a.id.cmp(&b.id)));
    lines
}

fn of(pool: &Pool) -> Vec<UpstreamLine> {
    let line = |(seen, why): (Sighting, Option<NotShared>)| UpstreamLine {
        id: seen.hold.as_ref().map(|hold| hold.id.clone()),
        user: pool.name.clone(),
        kind: KindOf::of(&seen.class),
        state: seen.state(),
        state_s: seen.held.as_ref().map(|held| seconds(held.since.elapsed())),
        age_s: seen.hold.as_ref().map(|hold| seconds(hold.opened.elapsed())),
        not_shared: why.map(NotShared::label),
        held_by: seen.held.map(Holder::from),
    };
    pool.sightings().into_iter().map(line).collect()
}

impl KindOf {
    fn of(class: &Class) -> Self {
        Self {
            bolt: class.version.to_string(),
            utc: class.utc,
            routing: class.routing,
            notifications: entries(&class.notifications),
        }
    }
}

impl From<Held> for Holder {
    fn from(held: Held) -> Self {
        let holder = held.holder;
        Self {
            client: holder.client.id.to_string(),
            application: holder.client.application().map(|one| one.name.clone()),
            unit: match holder.kind {
                Kind::AutoCommit => "auto_commit",
                Kind::Transaction => "transaction",
                Kind::Route => "route",
            },
            held_s: seconds(holder.since.elapsed()),
        }
    }
}

/// What HELLO says of notifications: names and lists of names.
fn entries(dictionary: &Dictionary) -> serde_json::Value {
    let entries = dictionary.iter().map(|(key, value)| (key.to_owned(), plain(value)));
    serde_json::Value::Object(entries.collect())
}

fn plain(value: &Value) -> serde_json::Value {
    match value {
        Value::List(items) => items.iter().map(plain).collect(),
        value => value.as_str().map_or(serde_json::Value::Null, Into::into),
    }
}
