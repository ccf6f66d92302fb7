//! The protocol as conversations between clients, the pooler and an upstream. Each file in
//! `scripts/` holds the cases of one section of the protocol notes; `crates/conversation/README.md`
//! explains every word in them.

#![allow(clippy::unwrap_used)]

mod setup;
mod upstream;

use conversation::run;
use setup::InMemory;

#[test]
fn units_of_work() {
    run::<InMemory>(include_str!("../scripts/units.txt"), 10);
}

#[test]
fn logins() {
    run::<InMemory>(include_str!("../scripts/logins.txt"), 20);
}

#[test]
fn strangers() {
    run::<InMemory>(include_str!("../scripts/strangers.txt"), 10);
}

#[test]
fn losses() {
    run::<InMemory>(include_str!("../scripts/losses.txt"), 30);
}

#[test]
fn pools() {
    run::<InMemory>(include_str!("../scripts/pools.txt"), 10);
}

#[test]
fn contention() {
    run::<InMemory>(include_str!("../scripts/contention.txt"), 10);
}

/// What a newcomer reads first must hold.
#[test]
fn the_example_that_explains_conversations() {
    let readme = include_str!("../../../conversation/README.md");
    let example = readme.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
    run::<InMemory>(example.unwrap(), 1);
}
