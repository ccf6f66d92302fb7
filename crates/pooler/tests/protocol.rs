//! The protocol as conversations between clients, the pooler and an upstream. Each file in
//! `scripts/` holds the cases of one section of the protocol notes.
//!
//! A script begins with `BOLT 5.8`, followed by limits as in the configuration's `[limits]`.
//! `A> BEGIN ; RUN RETURN 1` is sent by client A in one write, `1< BEGIN` must be the next request on
//! the first upstream connection, `1> SUCCESS` is its answer, `A< SUCCESS` must be the next that A
//! hears. `nothing`, `NOOP` and `EOF` may be heard; `EOF` may be said. `LOGIN A` connects A and logs
//! in, with options such as `user=eve`, and `=> FAILURE …` if that must fail.

#![allow(clippy::unwrap_used)]

mod stage;

use conversation::conversations;
use stage::Stage;

async fn check(name: &str, script: Vec<&str>) -> Result<(), String> {
    let mut lines = script.into_iter();
    let mut head = lines.next().unwrap().split(' ').skip(1);
    let version = head.next().unwrap().parse().unwrap();
    let (upstream, limits): (Vec<_>, Vec<_>) = head.partition(|word| word.starts_with("upstream="));
    let upstream = upstream.first().and_then(|word| word.strip_prefix("upstream="));
    let upstream = upstream.unwrap_or("bolt://192.0.2.1:7687");
    let mut stage = Stage::new(version, &limits.join("\n"), upstream).await;
    for line in lines {
        stage.play(line).await.map_err(|problem| format!("{name}\n  {line}\n  {problem}"))?;
    }
    stage.end().await.map_err(|problem| format!("{name}\n  at the end\n  {problem}"))
}

fn run(scripts: &str, at_least: usize) {
    let mut count = 0;
    let mut problems = Vec::new();
    for (name, script) in conversations(scripts) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        problems.extend(runtime.block_on(check(name, script)).err());
        count += 1;
    }
    assert!(problems.is_empty(), "{} of {count}:\n{}", problems.len(), problems.join("\n"));
    assert!(count >= at_least, "only {count} conversations were found");
}

#[test]
fn units_of_work() {
    run(include_str!("scripts/units.txt"), 10);
}

#[test]
fn logins() {
    run(include_str!("scripts/logins.txt"), 20);
}

#[test]
fn losses() {
    run(include_str!("scripts/losses.txt"), 30);
}

#[test]
fn pools() {
    run(include_str!("scripts/pools.txt"), 10);
}
