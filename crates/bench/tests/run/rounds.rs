//! What is measured when all is well.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use bench::results::TargetResult;
use bench::{Settings, Workload, output};
use bolt::Request;

use crate::test_bed::{Action, OPERATIONS, TICK, TestBed, settings};
use crate::{counted, errors, is_query, operations, run, targets};

#[tokio::test(start_paused = true)]
async fn every_workload_runs_and_leaves_nothing_behind() {
    let test_bed = TestBed::start().await;
    let (a, b) = (test_bed.open().await, test_bed.open().await);
    let rounds = 4;
    let workloads = Workload::ALL.to_vec();
    let settings = Settings { workloads, clients: 3, rounds, ..settings(&[&a, &b]) };
    let results = run(&settings).await.unwrap();
    assert!(!results.interrupted);
    let ran: Vec<Workload> = results.workloads.iter().map(|result| result.workload).collect();
    assert_eq!(ran, Workload::ALL);
    for result in &results.workloads {
        assert_eq!(result.miscounted, [""; 0]);
        for target in &result.targets {
            let operations = operations(target);
            assert_eq!(operations.len(), rounds);
            // Each client begins before the clock goes on.
            assert!(operations.iter().all(|count| *count >= 3), "{result:?}");
            assert_eq!(target.total.operations, operations.iter().sum::<u64>());
            assert_eq!(target.total.errors, BTreeMap::new());
            assert_eq!(target.ratios.contains_key("p50"), target.name == "b");
        }
        assert_eq!(result.targets[1].ratios["p50"].rounds.len(), rounds);
        assert!(output::table(&results, result).text().contains("÷ a"));
    }
    let page = output::page(&results);
    for workload in Workload::ALL {
        assert!(page.contains(&format!("Latency of {workload}")), "{workload}");
    }
    assert_eq!(test_bed.left_behind("").await, 0);
}

#[tokio::test(start_paused = true)]
async fn streams_have_as_many_records_as_asked_for() {
    let test_bed = TestBed::start().await;
    let (a, b) = (test_bed.open().await, test_bed.open().await);
    let (records, record_bytes) = (123, 200);
    let workloads = vec![Workload::Stream];
    let settings = Settings { workloads, records, record_bytes, ..settings(&[&a, &b]) };
    let results = run(&settings).await.unwrap();
    for target in targets(&results) {
        let total = &target.total;
        let per_operation = |per_s: f64| per_s * total.seconds / total.operations as f64;
        assert!((per_operation(total.records_per_s) - 123.0).abs() < 1e-6, "{total:?}");
        // Beside the records there are two summaries.
        let bytes = per_operation(total.bytes_per_s) - 123.0 * 200.0;
        assert!((14.0..1000.0).contains(&bytes), "{bytes}");
    }
}

#[tokio::test(start_paused = true)]
async fn targets_take_turns_and_nothing_overlaps() {
    let test_bed = TestBed::start().await;
    let log = Arc::new(Mutex::new(Vec::new()));
    let mut relays = Vec::new();
    for index in 0..3 {
        let log = log.clone();
        let note = move |request: &Request| {
            if is_query(request) {
                log.lock().unwrap().push(index);
            }
            Action::Pass
        };
        relays.push(test_bed.relay(note).await);
    }
    let rounds = 4;
    let settings = Settings {
        rounds,
        duration: rounds as u32 * OPERATIONS * TICK,
        warm_up: 5 * TICK,
        ..settings(&[&relays[0], &relays[1], &relays[2]])
    };
    let results = run(&settings).await.unwrap();
    let warm_up = [0, 1, 2].map(|index| vec![index; 5]);
    let turns = [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]];
    let turns = turns.as_flattened().iter().map(|index| vec![*index; OPERATIONS as usize]);
    let wanted: Vec<usize> = warm_up.into_iter().chain(turns).flatten().collect();
    assert_eq!(*log.lock().unwrap(), wanted);
    for target in targets(&results) {
        assert_eq!(operations(target), [u64::from(OPERATIONS); 4], "the warm-up does not count");
        assert_eq!(target.total.throughput.round(), 1000.0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_happens_before_a_turn_has_settled_does_not_count() {
    let test_bed = TestBed::start().await;
    let queries = Arc::new(Mutex::new(0));
    let note = move |request: &Request| {
        let mut queries = queries.lock().unwrap();
        *queries += u32::from(is_query(request));
        // Each turn has so many queries, as it takes twelve ticks and the first query four.
        let is_first = is_query(request) && *queries % 9 == 1;
        if is_first { Action::Delay(3 * TICK) } else { Action::Pass }
    };
    let slow_at_first = test_bed.relay(note).await;
    let steady = test_bed.relay(|_| Action::Pass).await;
    // Both times lie between two ticks, so that nothing happens at the same moment.
    let settle = 5 * TICK / 2;
    let counted = OPERATIONS * TICK - TICK / 2;
    let settings =
        Settings { settle, duration: 2 * counted, ..settings(&[&slow_at_first, &steady]) };
    let results = run(&settings).await.unwrap();
    let [slow, steady] = targets(&results) else { panic!("two targets: {results:?}") };
    let latency = |target: &TargetResult| target.total.latency_us.unwrap();
    // Neither is what was under way when the counting began, nor the time until that was done.
    assert_eq!((operations(slow), operations(steady)), (vec![8; 2], vec![9; 2]));
    assert!(latency(slow).max < 1500.0 && latency(steady).max < 1500.0, "{results:?}");
    assert_eq!((slow.total.throughput.round(), steady.total.throughput.round()), (1000.0, 1000.0));
}

#[tokio::test(start_paused = true)]
async fn in_an_open_loop_a_stall_counts_for_all_that_it_delayed() {
    let test_bed = TestBed::start().await;
    let rate = 100.0;
    // A client of a never waits and is never late. On b the first answer comes 40 ms late, and every
    // later operation is late by that much.
    let take = |ticks: u32| Action::Delay((ticks - 1) * TICK);
    let a = test_bed.relay(move |request| if is_query(request) { take(10) } else { Action::Pass });
    let mut count = counted(is_query);
    let stall = move |request: &Request| match count(request) {
        0 => Action::Pass,
        1 => take(50),
        _ => take(10),
    };
    let (a, b) = (a.await, test_bed.relay(stall).await);
    let once = Settings { rounds: 1, duration: 100 * TICK, ..settings(&[&a, &b]) };
    let results = run(&Settings { rate: Some(rate), ..once.clone() }).await.unwrap();
    for (target, ms) in targets(&results).iter().zip([10.0, 50.0]) {
        let latency = target.total.latency_us.unwrap();
        assert_eq!((target.total.operations, &target.total.errors), (10, &BTreeMap::new()));
        for us in [latency.p50, latency.max] {
            assert!((us / 1000.0 / ms - 1.0).abs() < 0.002, "{latency:?} instead of {ms} ms");
        }
    }
    let median = targets(&results)[1].ratios["p50"].median;
    assert!((median / 5.0 - 1.0).abs() < 0.004, "{median}");
}

#[tokio::test(start_paused = true)]
async fn in_an_open_loop_what_a_stall_left_no_time_for_is_an_error() {
    let test_bed = TestBed::start().await;
    let a = test_bed.relay(|_| Action::Delay(9 * TICK)).await;
    let mut count = counted(is_query);
    let stall = move |request: &Request| match count(request) {
        1 => Action::Delay(199 * TICK),
        _ => Action::Pass,
    };
    let b = test_bed.relay(stall).await;
    let settings = Settings { rounds: 1, duration: 100 * TICK, ..settings(&[&a, &b]) };
    let results = run(&Settings { rate: Some(100.0), ..settings }).await.unwrap();
    let b = &targets(&results)[1].total;
    assert_eq!((b.operations, &b.errors), (1, &errors("not begun in time", 9)));
}

#[tokio::test(start_paused = true)]
async fn users_take_turns_and_idle_clients_are_connected() {
    let users = ["user1", "user2"].map(|name| (name.to_owned(), "boltbouncer".into()));
    let two = sandbox::Settings { users: users.into(), ..Default::default() };
    let test_bed = TestBed::with(two).await;
    let names = Arc::new(Mutex::new(Vec::new()));
    let log = names.clone();
    let note = move |request: &Request| {
        match request {
            Request::Logon(auth) => log.lock().unwrap().push(auth.principal().to_owned()),
            Request::Run { .. } => log.lock().unwrap().push("query".into()),
            _ => {}
        }
        Action::Pass
    };
    let (a, b) = (test_bed.open().await, test_bed.relay(note).await);
    let settings = Settings {
        user: "user".into(),
        users: Some(2),
        clients: 3,
        idle_clients: 4,
        ..settings(&[&a, &b])
    };
    run(&settings).await.unwrap();
    let names = names.lock().unwrap();
    let is_name = |name: &&String| *name != "query";
    let mut connected: Vec<&String> = names.iter().take_while(is_name).collect();
    connected.sort();
    // One that checks the login, three that work, four that don't.
    assert_eq!(connected, [&["user1"; 5][..], &["user2"; 3]].concat());
    assert_eq!(names.iter().filter(is_name).count(), 8, "every client keeps the connection");
}
