//! Runs that end before their time, or never begin.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bench::results::Results;
use bench::{NamedProcess, Settings, Workload, output};
use bolt::Request;

use crate::test_bed::{Action, OPERATIONS, TICK, TestBed, settings};
use crate::{counted, is_query, is_write, operations, run, targets};

/// A run with two targets and five rounds of twenty operations each, which is ended after so many
/// operations.
async fn stopped_after(limit: u32, workloads: &[Workload]) -> (TestBed, anyhow::Result<Results>) {
    let test_bed = TestBed::start().await;
    let seen = Arc::new(AtomicU32::new(0));
    let count = || {
        let seen = seen.clone();
        move |request: &Request| {
            let is_operation = is_query(request) || is_write(request);
            seen.fetch_add(is_operation.into(), Ordering::SeqCst);
            Action::Pass
        }
    };
    let (a, b) = (test_bed.relay(count()).await, test_bed.relay(count()).await);
    let (workloads, duration) = (workloads.to_vec(), 5 * OPERATIONS * TICK);
    let settings = Settings { workloads, rounds: 5, duration, ..settings(&[&a, &b]) };
    let is_stopped = move || seen.load(Ordering::SeqCst) >= limit;
    let results = bench::run(&settings, Arc::new(is_stopped)).await;
    (test_bed, results)
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
    let (test_bed, results) = stopped_after(5, &[Workload::Write]).await;
    let error = results.unwrap_err().to_string();
    assert!(error.contains("before its first round was over"), "{error}");
    assert_eq!(test_bed.left_behind("").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_ended_keeps_the_workloads_before() {
    let (test_bed, results) = stopped_after(105, &[Workload::Query, Workload::Write]).await;
    let results = results.unwrap();
    assert!(results.interrupted);
    assert!(targets(&results).iter().all(|target| target.rounds.len() == 5));
    assert_eq!(test_bed.left_behind("").await, 0);
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_process_that_ends_during_the_run_is_not_measured_and_does_not_end_the_run() {
    use std::process::{Command, Stdio};

    let test_bed = TestBed::start().await;
    let process = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
    let pid = i32::try_from(process.id()).unwrap();
    let mut process = Some(process);
    let mut count = counted(is_query);
    let end = move |request: &Request| {
        // In the second of two rounds.
        if count(request) == 15
            && let Some(mut process) = process.take()
        {
            process.kill().unwrap();
            process.wait().unwrap();
        }
        Action::Pass
    };
    let (a, b) = (test_bed.open().await, test_bed.relay(end).await);
    let processes = vec![NamedProcess { name: "b".into(), pid }];
    // What it took in the first round is not what all operations took.
    let checks = vec!["query.cpu b <= 1000s".parse().unwrap()];
    let settings = Settings { processes, checks, ..settings(&[&a, &b]) };
    let results = run(&settings).await.unwrap();
    assert!(targets(&results).iter().all(|target| operations(target) == [10, 10]));
    assert_eq!((results.checks[0].value, results.checks[0].holds), (None, false));
}

#[tokio::test(start_paused = true)]
async fn a_process_or_a_password_that_is_wrong_is_known_before_anything_runs() {
    let test_bed = TestBed::start().await;
    let (a, b) = (test_bed.open().await, test_bed.open().await);
    let good = settings(&[&a, &b]);
    let processes = vec![NamedProcess { name: "b".into(), pid: i32::MAX }];
    let error = run(&Settings { processes, ..good.clone() }).await.unwrap_err().to_string();
    assert!(error.contains("--pid calls b"), "{error}");
    assert_eq!(test_bed.sandbox.books().all.opened, 0);

    let wrong = Settings { password: "wrong".into(), ..good };
    let error = format!("{:#}", run(&wrong).await.unwrap_err());
    assert!(error.contains("target a") && error.contains("NEO4J_PASSWORD"), "{error}");
    assert_eq!(test_bed.sandbox.books().all.opened, 1);
}
