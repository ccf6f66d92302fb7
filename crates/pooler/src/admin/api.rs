//! What the pooler knows, as JSON: `/api/v1/…`. `openapi.json` describes it, and the tests hold the
//! answers against that.

mod applications;
mod clients;
mod pools;
mod upstreams;
mod waits;

use std::time::Duration;

use serde::Serialize;

use crate::shared::Shared;

/// The answer to a request for `path`, if there is such a page. It may take a while: with many clients it
/// is long.
pub(super) fn page(path: &str, shared: &Shared) -> Option<String> {
    let body = match path.strip_prefix(PREFIX)? {
        "openapi.json" => return Some(DESCRIPTION.to_owned()),
        "applications" => json(&applications::lines(shared)),
        "clients" => json(&clients::lines(shared)),
        "pools" => json(&pools::lines(shared)),
        "upstreams" => json(&upstreams::lines(shared)),
        "waits" => json(&waits::lines(shared)),
        _ => return None,
    };
    Some(harmless::json(&body).into_owned())
}

fn json(value: &impl Serialize) -> String {
    // Only a map whose keys are no texts can't be written, and there is none.
    serde_json::to_string(value).unwrap_or_default()
}

/// Seconds, to the millisecond.
fn seconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1000.0).round() / 1000.0
}

const PREFIX: &str = "/api/v1/";
const DESCRIPTION: &str = include_str!("../../openapi.json");
