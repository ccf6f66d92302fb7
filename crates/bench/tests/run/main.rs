//! Whole runs against a sandbox that is reached through relays. An operation takes a tick of a clock
//! that nothing else drives, so that the numbers of a run are known beforehand.
//!
//! - [`test_bed`]: the sandbox, its relays and their clock
//! - [`rounds`]: what is measured when all is well
//! - [`failures`]: what a run makes of targets that fail
//! - [`endings`]: runs that end before their time, or never begin

#![allow(clippy::unwrap_used)]

mod endings;
mod failures;
mod rounds;
mod test_bed;

use std::collections::BTreeMap;
use std::sync::Arc;

use bench::Settings;
use bench::results::{Results, TargetResult};
use bolt::Request;

async fn run(settings: &Settings) -> anyhow::Result<Results> {
    bench::run(settings, Arc::new(|| false)).await
}

fn targets(results: &Results) -> &[TargetResult] {
    assert_eq!(results.workloads.len(), 1);
    &results.workloads[0].targets
}

fn operations(target: &TargetResult) -> Vec<u64> {
    target.rounds.iter().map(|round| round.operations).collect()
}

fn errors(sentence: &str, count: u64) -> BTreeMap<String, u64> {
    BTreeMap::from([(sentence.to_owned(), count)])
}

fn is_query(request: &Request) -> bool {
    matches!(request, Request::Run { query, .. } if query == "RETURN 1")
}

fn is_write(request: &Request) -> bool {
    matches!(request, Request::Run { query, .. } if query.contains("SET n.count"))
}

/// Says of each request of a kind which one it is, beginning with 1; 0 for others.
fn counted(is_meant: fn(&Request) -> bool) -> impl FnMut(&Request) -> u32 {
    let mut count = 0;
    move |request| {
        count += u32::from(is_meant(request));
        if is_meant(request) { count } else { 0 }
    }
}
