//! What a run makes of targets that fail: it has numbers all the same, and removes its nodes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bench::{Settings, Workload, output};
use bolt::Request;

use crate::test_bed::{Action, TICK, TestBed, settings};
use crate::{counted, errors, is_query, is_write, operations, run, targets};

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_dropped_is_an_error_and_the_client_opens_another() {
    let test_bed = TestBed::start().await;
    let a = test_bed.open().await;
    let mut count = counted(is_query);
    let drop = move |request: &Request| match count(request) {
        0 => Action::Pass,
        nth if nth % 4 == 0 => Action::HangUp,
        _ => Action::Pass,
    };
    let b = test_bed.relay(drop).await;
    let results = run(&settings(&[&a, &b])).await.unwrap();
    let [a, b] = targets(&results) else { panic!("{results:?}") };
    assert_eq!((operations(a), &a.total.errors), (vec![10, 10], &BTreeMap::new()));
    assert_eq!(operations(b), [8, 7]);
    assert_eq!(b.total.errors, errors("connection closed", 5));
    assert_eq!(b.rounds[0].errors, errors("connection closed", 2));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_vanishes_is_an_error_and_the_others_are_measured() {
    let test_bed = TestBed::start().await;
    let a = test_bed.open().await;
    let is_gone = Arc::new(AtomicBool::new(false));
    let (mut count, gone) = (counted(is_query), is_gone.clone());
    let vanish = move |request: &Request| match count(request) {
        3 => {
            gone.store(true, Ordering::SeqCst);
            Action::Vanish
        }
        _ => Action::Pass,
    };
    let b = test_bed.relay(vanish).await;
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
    let rounds = &b.ratios["p50"].rounds;
    assert!(rounds.len() == 2 && rounds[0].is_some() && rounds[1].is_none(), "{rounds:?}");
}

#[tokio::test(start_paused = true)]
async fn a_run_in_which_nothing_succeeds_has_a_table_and_a_page() {
    let test_bed = TestBed::start().await;
    let rule = |request: &Request| if is_query(request) { Action::HangUp } else { Action::Pass };
    let (a, b) = (test_bed.relay(rule).await, test_bed.relay(rule).await);
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
async fn miscounted(
    mut spoil: impl FnMut(u32, &Request) -> Action + Send + 'static,
) -> Vec<String> {
    let test_bed = TestBed::start().await;
    let a = test_bed.open().await;
    let mut count = counted(is_write);
    let b = test_bed.relay(move |request| spoil(count(request), request)).await;
    let settings = Settings { workloads: vec![Workload::Write], ..settings(&[&a, &b]) };
    let results = run(&settings).await.unwrap();
    assert_eq!(test_bed.left_behind("").await, 0);
    results.workloads[0].miscounted.clone()
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_acknowledged_and_not_done_is_reported() {
    let mut swallows = false;
    let swallow = move |nth, request: &Request| {
        swallows = nth == 7 || (swallows && matches!(request, Request::Pull(_)));
        if swallows { Action::Swallow } else { Action::Pass }
    };
    let miscounted = miscounted(swallow).await;
    assert_eq!(miscounted, ["b: 20 writes were acknowledged, 0 failed, and 19 were done"]);
}

#[tokio::test(start_paused = true)]
async fn it_is_also_reported_of_a_run_that_ended_before_its_first_round_was_over() {
    let test_bed = TestBed::start().await;
    let is_stopped = Arc::new(AtomicBool::new(false));
    let (stop, mut count, mut swallows) = (is_stopped.clone(), counted(is_write), false);
    let swallow = move |request: &Request| {
        let nth = count(request);
        swallows = nth == 7 || (swallows && matches!(request, Request::Pull(_)));
        stop.fetch_or(nth == 8, Ordering::Relaxed);
        if swallows { Action::Swallow } else { Action::Pass }
    };
    let (a, b) = (test_bed.relay(swallow).await, test_bed.open().await);
    let settings = Settings { workloads: vec![Workload::Write], ..settings(&[&a, &b]) };
    let is_stopped = Arc::new(move || is_stopped.load(Ordering::Relaxed));
    let error = format!("{:#}", bench::run(&settings, is_stopped).await.unwrap_err());
    assert!(error.contains("a: 8 writes were acknowledged, 0 failed, and 7 were done"), "{error}");
    assert!(error.contains("ended before the first round was over"), "{error}");
    assert_eq!(test_bed.left_behind("").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_done_twice_is_reported() {
    let double = |nth, request: &Request| match request {
        Request::Run { query, parameters, extra } if nth == 7 => Action::Replace(Request::Run {
            query: query.replace("+ 1", "+ 2"),
            parameters: parameters.clone(),
            extra: extra.clone(),
        }),
        _ => Action::Pass,
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
        if hangs_up { Action::HangUp } else { Action::Pass }
    };
    assert_eq!(miscounted(hang_up).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn nodes_are_removed_when_another_target_refuses_them() {
    let test_bed = TestBed::start().await;
    let a = test_bed.open().await;
    let mut clients = 0;
    let refuse = move |request: &Request| match request {
        Request::Run { query, .. } if query.starts_with("CREATE") => {
            clients += 1;
            if clients == 2 { Action::HangUp } else { Action::Pass }
        }
        _ => Action::Pass,
    };
    let b = test_bed.relay(refuse).await;
    let workloads = vec![Workload::Write];
    let settings = Settings { workloads, clients: 2, ..settings(&[&a, &b]) };
    let error = format!("{:#}", run(&settings).await.unwrap_err());
    assert!(error.contains("target b") && error.contains("cannot create a node"), "{error}");
    assert_eq!(test_bed.left_behind("").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_target_whose_writes_can_not_be_counted_is_named_and_the_others_are_kept() {
    let test_bed = TestBed::start().await;
    let hang_up = |request: &Request| match request {
        Request::Run { query, .. } if query.contains("DETACH DELETE") => Action::HangUp,
        _ => Action::Pass,
    };
    let (a, b) = (test_bed.relay(hang_up).await, test_bed.open().await);
    let settings = Settings { workloads: vec![Workload::Write], ..settings(&[&a, &b]) };
    let results = run(&settings).await.unwrap();
    assert!(targets(&results).iter().all(|target| operations(target) == [10, 10]));
    let miscounted = &results.workloads[0].miscounted;
    assert!(miscounted.len() == 1 && miscounted[0].starts_with("a: "), "{miscounted:?}");
    assert_eq!((test_bed.left_behind("a").await, test_bed.left_behind("b").await), (1, 0));
}
