//! The machine, explored: all interleavings of what clients, servers, limits and the pool may do, up
//! to a number of requests for each client, breadth first over the states that have not been seen.
//! In every state the invariants of `violation` are checked, and the end can be reached from it.
//!
//! What it does not show: bytes, buffers and how much of them is taken at once are the pump's, so that a
//! side that is slow is known here only as *lag*, an inbox that is full not at all, and a NOOP is not
//! followed to where it is written. Conversations and the cross-talk test are there for those.
//!
//! - [`world`], [`client`], [`effects`]: clients and the pool around the product's [`super::Unit`] and
//!   its view of clients
//! - [`server`]: a server that answers well and badly; [`ending`]: ways to the end
//! - [`mutant`]: planted faults, each of which has to be found
//! - [`search`]: the search; [`trace`]: a path as a conversation
//!
//! `scripts/explore` goes further than the test does and keeps what it has seen in
//! `docs/results/exploration.md`.

mod client;
mod effects;
mod ending;
mod mutant;
mod search;
mod server;
mod trace;
mod violation;
mod world;

use bolt::RequestTag;

use client::Said;
use mutant::Mutant;
use search::{Report, explore};
use world::Setting;

/// Every request that may reach a client's inbox once it has logged in.
fn all_requests() -> Vec<Said> {
    use RequestTag::{
        Begin, Commit, Discard, Goodbye, Logoff, Logon, Pull, Reset, Rollback, Route, Run,
        Telemetry,
    };
    let requests = [
        Begin, Commit, Discard, Goodbye, Logoff, Logon, Pull, Reset, Rollback, Route, Run,
        Telemetry,
    ];
    let requests = requests.into_iter().map(Said::Request);
    requests.chain([Said::RunBegins, Said::TooLarge]).collect()
}

/// Those that a unit of work decides about, each once.
fn requests_of_units() -> Vec<Said> {
    use RequestTag::{Begin, Commit, Pull, Reset, Rollback, Run};
    let requests = [Begin, Commit, Pull, Reset, Rollback, Run].into_iter().map(Said::Request);
    requests.chain([Said::RunBegins]).collect()
}

/// One client alone, with everything that it can say.
fn alone(requests: u8) -> Setting {
    Setting {
        clients: 1,
        requests,
        pipelined: usize::from(requests),
        alphabet: all_requests(),
        connections: 1,
        mutant: None,
    }
}

/// Clients that have to take turns.
fn together(clients: usize, requests: u8, pipelined: usize) -> Setting {
    Setting {
        clients,
        requests,
        pipelined,
        alphabet: requests_of_units(),
        connections: 1,
        mutant: None,
    }
}

fn told(name: &str, report: &Report, seconds: f64) -> String {
    let Report { states, transitions, depth, is_complete, .. } = report;
    let all = if *is_complete { "all states" } else { "not all states" };
    format!(
        "{name}: {states} states, {transitions} transitions, depth {depth}, {all}, {seconds:.1} s"
    )
}

/// Explores, says what was seen, and fails with the shortest path to a violation if there is one.
fn expect_none(name: &str, setting: &Setting, states_max: usize) -> Report {
    let began = std::time::Instant::now();
    let report = explore(setting, states_max);
    println!("{}", told(name, &report, began.elapsed().as_secs_f64()));
    if let Some((violation, path)) = &report.found {
        panic!("{}\n{}", violation.0, path.join("\n"));
    }
    report
}

/// Whether to go as far as `scripts/explore` does, which takes minutes and gigabytes.
fn is_deep() -> bool {
    std::env::var_os("BOLTBOUNCER_EXPLORE").is_some_and(|how| how == "deep")
}

#[test]
fn one_client_says_everything() {
    let requests = if is_deep() { 5 } else { 3 };
    let name = format!("one client, {requests} requests of every kind");
    assert!(expect_none(&name, &alone(requests), usize::MAX).is_complete);
}

#[test]
fn two_clients_take_turns() {
    let (requests, states_max) = if is_deep() { (4, 8_000_000) } else { (3, 1_500_000) };
    let name = format!("two clients, {requests} requests each, one connection");
    let report = expect_none(&name, &together(2, requests, 3), states_max);
    assert!(report.states >= 1_000_000, "{} states are too few", report.states);
}

#[test]
fn three_clients_take_turns() {
    let states_max = if is_deep() { 6_000_000 } else { 300_000 };
    let setting = together(3, 2, 2);
    expect_none("three clients, 2 requests each, one connection", &setting, states_max);
    let setting = Setting { connections: 2, ..setting };
    expect_none("three clients, 2 requests each, two connections", &setting, states_max);
}

#[test]
fn every_planted_fault_is_found() {
    for (mutant, expected) in Mutant::ALL {
        let setting = Setting { mutant: Some(mutant), ..together(1, 3, 3) };
        let report = explore(&setting, 1_000_000);
        let (violation, path) = report.found.unwrap_or_else(|| panic!("{mutant:?} was not found"));
        println!("{mutant:?}: {}\n  {}", violation.0, path.join("\n  "));
        assert_eq!(violation.0, expected, "{mutant:?}");
    }
}
