//! Whole runs against a sandbox behind relays. An operation takes a tick of a clock that nothing else
//! drives, so that the numbers of a run are known beforehand.

#![allow(clippy::unwrap_used)]

mod scene;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use bench::results::{Results, TargetResult};
use bench::{Settings, Workload, output};
use bolt::Request;
use scene::{Deed, OPERATIONS, Scene, TICK, settings};

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

#[tokio::test(start_paused = true)]
async fn every_workload_runs_and_leaves_nothing_behind() {
    let scene = Scene::start().await;
    let (a, b) = (scene.open().await, scene.open().await);
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
    assert_eq!(scene.left_behind("").await, 0);
}

#[tokio::test(start_paused = true)]
async fn streams_have_as_many_records_as_asked_for() {
    let scene = Scene::start().await;
    let (a, b) = (scene.open().await, scene.open().await);
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
    let scene = Scene::start().await;
    let log = Arc::new(Mutex::new(Vec::new()));
    let mut relays = Vec::new();
    for index in 0..3 {
        let log = log.clone();
        let note = move |request: &Request| {
            if is_query(request) {
                log.lock().unwrap().push(index);
            }
            Deed::Pass
        };
        relays.push(scene.relay(note).await);
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
    let visits = [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 1, 2]];
    let visits = visits.as_flattened().iter().map(|index| vec![*index; OPERATIONS as usize]);
    let wanted: Vec<usize> = warm_up.into_iter().chain(visits).flatten().collect();
    assert_eq!(*log.lock().unwrap(), wanted);
    for target in targets(&results) {
        assert_eq!(operations(target), [u64::from(OPERATIONS); 4], "the warm-up does not count");
        assert_eq!(target.total.throughput.round(), 1000.0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_dropped_is_an_error_and_the_client_opens_another() {
    let scene = Scene::start().await;
    let a = scene.open().await;
    let mut count = counted(is_query);
    let drop = move |request: &Request| match count(request) {
        0 => Deed::Pass,
        nth if nth % 4 == 0 => Deed::HangUp,
        _ => Deed::Pass,
    };
    let b = scene.relay(drop).await;
    let results = run(&settings(&[&a, &b])).await.unwrap();
    let [a, b] = targets(&results) else { panic!("{results:?}") };
    assert_eq!((operations(a), &a.total.errors), (vec![10, 10], &BTreeMap::new()));
    assert_eq!(operations(b), [8, 7]);
    assert_eq!(b.total.errors, errors("connection closed", 5));
    assert_eq!(b.rounds[0].errors, errors("connection closed", 2));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_vanishes_is_an_error_and_the_others_are_measured() {
    let scene = Scene::start().await;
    let a = scene.open().await;
    let is_gone = Arc::new(AtomicBool::new(false));
    let (mut count, gone) = (counted(is_query), is_gone.clone());
    let vanish = move |request: &Request| match count(request) {
        3 => {
            gone.store(true, Ordering::SeqCst);
            Deed::Vanish
        }
        _ => Deed::Pass,
    };
    let b = scene.relay(vanish).await;
    // Asked after each operation: without b's traffic something else must have its time pass.
    let go_on = move || {
        if is_gone.load(Ordering::SeqCst) {
            tokio::spawn(tokio::time::advance(20 * TICK));
        }
        false
    };
    let settings = Settings { duration: 200 * TICK, ..settings(&[&a, &b]) };
    let results = bench::run(&settings, Arc::new(go_on)).await.unwrap();
    let [a, b] = targets(&results) else { panic!("{results:?}") };
    assert_eq!(a.total.errors, BTreeMap::new());
    assert!(operations(a).iter().all(|count| *count > 0), "{a:?}");
    assert_eq!(operations(b), [2, 0]);
    assert_eq!(b.total.errors["connection closed"], 1);
    assert!(b.rounds[1].errors["not connected: connection refused"] > 0, "{b:?}");
    assert_eq!(b.ratios["p50"].rounds.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_run_in_which_nothing_succeeds_has_a_table_and_a_page() {
    let scene = Scene::start().await;
    let rule = |request: &Request| if is_query(request) { Deed::HangUp } else { Deed::Pass };
    let (a, b) = (scene.relay(rule).await, scene.relay(rule).await);
    let checks = ["query.p50 b/a <= 9", "query.errors b <= 20", "query.errors b < 20"];
    let checks = checks.map(|check| check.parse().unwrap()).into();
    let results = run(&Settings { checks, ..settings(&[&a, &b]) }).await.unwrap();
    for target in targets(&results) {
        assert_eq!(operations(target), [0, 0]);
        assert_eq!(target.total.errors, errors("connection closed", 20));
        assert!(target.total.latency_us.is_none() && target.ratios.is_empty(), "{target:?}");
    }
    let holds: Vec<bool> = results.checks.iter().map(|check| check.holds).collect();
    assert_eq!(holds, [false, true, false], "{:?}", results.checks);
    assert!(output::table(&results, &results.workloads[0]).text().contains("connection closed"));
    assert!(output::page(&results).contains("connection closed"));
}

/// What is said of the counts of twenty writes on b, of which `spoil` has spoilt one.
async fn miscounted(mut spoil: impl FnMut(u32, &Request) -> Deed + Send + 'static) -> Vec<String> {
    let scene = Scene::start().await;
    let a = scene.open().await;
    let mut count = counted(is_write);
    let b = scene.relay(move |request| spoil(count(request), request)).await;
    let settings = Settings { workloads: vec![Workload::Write], ..settings(&[&a, &b]) };
    let results = run(&settings).await.unwrap();
    assert_eq!(scene.left_behind("").await, 0);
    results.workloads[0].miscounted.clone()
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_acknowledged_and_not_done_is_reported() {
    let mut swallows = false;
    let swallow = move |nth, request: &Request| {
        swallows = nth == 7 || (swallows && matches!(request, Request::Pull(_)));
        if swallows { Deed::Swallow } else { Deed::Pass }
    };
    let miscounted = miscounted(swallow).await;
    assert_eq!(miscounted, ["b: 20 writes were acknowledged, 0 failed, and 19 were done"]);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_done_twice_is_reported() {
    let double = |nth, request: &Request| match request {
        Request::Run { query, parameters, extra } if nth == 7 => Deed::Replace(Request::Run {
            query: query.replace("+ 1", "+ 2"),
            parameters: parameters.clone(),
            extra: extra.clone(),
        }),
        _ => Deed::Pass,
    };
    let miscounted = miscounted(double).await;
    assert_eq!(miscounted, ["b: 20 writes were acknowledged, 0 failed, and 21 were done"]);
}

#[tokio::test(start_paused = true)]
async fn a_write_of_which_nobody_knows_whether_it_was_done_is_not_reported() {
    // Done and not acknowledged, or neither, as it happens.
    let mut is_written = false;
    let hang_up = move |nth, _: &Request| {
        let hangs_up = std::mem::replace(&mut is_written, nth == 7);
        if hangs_up { Deed::HangUp } else { Deed::Pass }
    };
    assert_eq!(miscounted(hang_up).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn in_an_open_loop_a_stall_counts_for_all_that_it_delayed() {
    let scene = Scene::start().await;
    let rate = 100.0;
    // A client of a never waits and is never late. On b the first answer comes 40 ms late, and every
    // later operation is that much behind its time.
    let take = |ticks: u32| Deed::Delay((ticks - 1) * TICK);
    let a = scene.relay(move |request| if is_query(request) { take(10) } else { Deed::Pass });
    let mut count = counted(is_query);
    let stall = move |request: &Request| match count(request) {
        0 => Deed::Pass,
        1 => take(50),
        _ => take(10),
    };
    let (a, b) = (a.await, scene.relay(stall).await);
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
    let scene = Scene::start().await;
    let a = scene.relay(|_| Deed::Delay(9 * TICK)).await;
    let mut count = counted(is_query);
    let stall = move |request: &Request| match count(request) {
        1 => Deed::Delay(199 * TICK),
        _ => Deed::Pass,
    };
    let b = scene.relay(stall).await;
    let settings = Settings { rounds: 1, duration: 100 * TICK, ..settings(&[&a, &b]) };
    let results = run(&Settings { rate: Some(100.0), ..settings }).await.unwrap();
    let b = &targets(&results)[1].total;
    assert_eq!((b.operations, &b.errors), (1, &errors("not begun in time", 9)));
}

#[tokio::test(start_paused = true)]
async fn users_take_turns_and_idle_clients_are_connected() {
    let users = ["user1", "user2"].map(|name| (name.to_owned(), "boltbouncer".into()));
    let settings = sandbox::Settings { users: users.into(), ..Default::default() };
    let scene = Scene::with(settings).await;
    let names = Arc::new(Mutex::new(Vec::new()));
    let log = names.clone();
    let note = move |request: &Request| {
        match request {
            Request::Logon(auth) => log.lock().unwrap().push(auth.principal().to_owned()),
            Request::Run { .. } => log.lock().unwrap().push("query".into()),
            _ => {}
        }
        Deed::Pass
    };
    let (a, b) = (scene.open().await, scene.relay(note).await);
    let settings = Settings {
        user: "user".into(),
        users: Some(2),
        clients: 3,
        idle_clients: 4,
        ..scene::settings(&[&a, &b])
    };
    run(&settings).await.unwrap();
    let names = names.lock().unwrap();
    let is_name = |name: &&String| *name != "query";
    let mut connected: Vec<&String> = names.iter().take_while(is_name).collect();
    connected.sort();
    // One to be introduced, three that work, four that don't.
    assert_eq!(connected, [&["user1"; 5][..], &["user2"; 3]].concat());
    assert_eq!(names.iter().filter(is_name).count(), 8, "everybody keeps the connection");
}

/// Two targets and five rounds of twenty operations each; it is ended behind so many operations.
async fn stopped_after(limit: u32, workloads: &[Workload]) -> (Scene, anyhow::Result<Results>) {
    let scene = Scene::start().await;
    let seen = Arc::new(AtomicU32::new(0));
    let count = || {
        let seen = seen.clone();
        move |request: &Request| {
            let is_operation = is_query(request) || is_write(request);
            seen.fetch_add(is_operation.into(), Ordering::SeqCst);
            Deed::Pass
        }
    };
    let (a, b) = (scene.relay(count()).await, scene.relay(count()).await);
    let (workloads, duration) = (workloads.to_vec(), 5 * OPERATIONS * TICK);
    let settings = Settings { workloads, rounds: 5, duration, ..settings(&[&a, &b]) };
    let is_stopped = move || seen.load(Ordering::SeqCst) >= limit;
    let results = bench::run(&settings, Arc::new(is_stopped)).await;
    (scene, results)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_ended_keeps_as_many_rounds_of_each_target() {
    // In the third round while the first target works, between the two, and while the second does.
    for (limit, rounds) in [(45, 2), (50, 2), (55, 3)] {
        let (_scene, results) = stopped_after(limit, &[Workload::Query]).await;
        let results = results.unwrap();
        assert!(results.interrupted);
        for target in targets(&results) {
            assert_eq!(target.rounds.len(), rounds, "{limit}");
            assert_eq!(target.total.operations, operations(target).iter().sum::<u64>());
        }
        assert_eq!(targets(&results)[1].ratios["p50"].rounds.len(), rounds, "{limit}");
        assert!(output::page(&results).contains("ended before its time"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_ended_before_its_first_round_is_over_leaves_nothing_behind() {
    let (scene, results) = stopped_after(5, &[Workload::Write]).await;
    let error = results.unwrap_err().to_string();
    assert!(error.contains("before its first round was over"), "{error}");
    assert_eq!(scene.left_behind("").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_ended_keeps_the_workloads_before() {
    let (scene, results) = stopped_after(105, &[Workload::Query, Workload::Write]).await;
    let results = results.unwrap();
    assert!(results.interrupted);
    assert!(targets(&results).iter().all(|target| target.rounds.len() == 5));
    assert_eq!(scene.left_behind("").await, 0);
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_process_that_ends_during_the_run_does_not_end_the_run() {
    use std::process::{Command, Stdio};

    let scene = Scene::start().await;
    let mut process = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let pid = i32::try_from(process.id()).unwrap();
    let mut count = counted(is_query);
    let end = move |request: &Request| {
        if count(request) == 5 {
            process.kill().unwrap();
            process.wait().unwrap();
        }
        Deed::Pass
    };
    let (a, b) = (scene.open().await, scene.relay(end).await);
    let processes = vec![bench::NamedProcess { name: "b".into(), pid }];
    let results = run(&Settings { processes, ..settings(&[&a, &b]) }).await.unwrap();
    assert!(targets(&results).iter().all(|target| operations(target) == [10, 10]));
}

#[tokio::test(start_paused = true)]
async fn nodes_are_removed_when_another_target_refuses_them() {
    let scene = Scene::start().await;
    let a = scene.open().await;
    let mut clients = 0;
    let refuse = move |request: &Request| match request {
        Request::Run { query, .. } if query.starts_with("CREATE") => {
            clients += 1;
            if clients == 2 { Deed::HangUp } else { Deed::Pass }
        }
        _ => Deed::Pass,
    };
    let b = scene.relay(refuse).await;
    let workloads = vec![Workload::Write];
    let settings = Settings { workloads, clients: 2, ..settings(&[&a, &b]) };
    let error = format!("{:#}", run(&settings).await.unwrap_err());
    assert!(error.contains("target b") && error.contains("cannot create a node"), "{error}");
    assert_eq!(scene.left_behind("").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_target_whose_writes_can_not_be_counted_is_named_and_the_others_are_kept() {
    let scene = Scene::start().await;
    let hang_up = |request: &Request| match request {
        Request::Run { query, .. } if query.contains("DETACH DELETE") => Deed::HangUp,
        _ => Deed::Pass,
    };
    let (a, b) = (scene.relay(hang_up).await, scene.open().await);
    let settings = Settings { workloads: vec![Workload::Write], ..settings(&[&a, &b]) };
    let results = run(&settings).await.unwrap();
    assert!(targets(&results).iter().all(|target| operations(target) == [10, 10]));
    let miscounted = &results.workloads[0].miscounted;
    assert!(miscounted.len() == 1 && miscounted[0].starts_with("a: "), "{miscounted:?}");
    assert_eq!((scene.left_behind("a").await, scene.left_behind("b").await), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_process_or_a_password_that_is_wrong_is_known_before_anything_runs() {
    let scene = Scene::start().await;
    let (a, b) = (scene.open().await, scene.open().await);
    let good = settings(&[&a, &b]);
    let processes = vec![bench::NamedProcess { name: "b".into(), pid: i32::MAX }];
    let error = run(&Settings { processes, ..good.clone() }).await.unwrap_err().to_string();
    assert!(error.contains("--pid calls b"), "{error}");
    assert_eq!(scene.sandbox.books().all.opened, 0);

    let wrong = Settings { password: "wrong".into(), ..good };
    let error = format!("{:#}", run(&wrong).await.unwrap_err());
    assert!(error.contains("target a") && error.contains("NEO4J_PASSWORD"), "{error}");
    assert_eq!(scene.sandbox.books().all.opened, 1);
}
