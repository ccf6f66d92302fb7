//! Clients that let their connections rest while others wait.

use std::task::{Context, Waker};

use bolt::Version;

use super::*;
use crate::clients::{Clients, Entry};
use crate::unit::{Doing, Kind, Rest};

/// Somebody holds this connection.
fn hold(lease: &Lease, entry: &Entry) {
    let (client, kind) = (entry.listed().clone(), Kind::Transaction);
    lease.begin(Holder { client, kind, since: Instant::now() });
}

/// Somebody holds this connection and lets it rest.
fn rest(lease: &Lease, entry: &Entry) {
    hold(lease, entry);
    lease.does(Doing::Resting(Rest::InTransaction), Instant::now());
}

fn entry(user_agent: &str) -> Entry {
    let entry = Arc::new(Clients::default()).open(None);
    entry.introduce(user_agent, Version::V4_4);
    entry.logged_in(Some("neo4j"));
    entry
}

fn is_contended(lease: &Lease) -> bool {
    lease.hold().poll_contended(&Context::from_waker(Waker::noop())).is_ready()
}

#[tokio::test(start_paused = true)]
async fn another_connection_is_opened_in_the_stead_of_one_that_rests() {
    let limits = Limits { max_connection_pool_size: 1, ..Limits::default() };
    let around = surroundings(limits);
    let (pool, _server) = pool_with_one(1, &class(8), &around);
    let lease = ready(pool.acquire(&class(8)));
    rest(&lease, &entry("load.py"));
    let _ticket = waiting(pool.acquire(&class(8)));
    assert_eq!(numbers(&pool), [0, 1, 1, 0, 0]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let PoolNumbers { sv_active, sv_parked, sv_login, .. } = pool.numbers();
    assert_eq!((sv_active, sv_parked, sv_login), (0, 1, 1));
    lease.does(Doing::Running, Instant::now());
    assert_eq!(numbers(&pool), [0, 1, 1, 0, 1]);
    // There is one too many now, and it is the first to come back that goes.
    drop(lease);
    assert_eq!(numbers(&pool), [0, 1, 0, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn only_somebody_who_keeps_others_waiting_has_to_give_a_connection_back() {
    let limits = Limits { max_connection_pool_size: 1, ..Limits::default() };
    let around = surroundings(limits);
    let (pool, _server) = pool_with_one(1, &class(8), &around);
    let (first, entry) = (ready(pool.acquire(&class(8))), entry("load.py"));
    rest(&first, &entry);
    tokio::time::sleep(Duration::from_secs(2)).await;
    pool.park();
    let _other = fill(&pool, 1, &around);
    let second = ready(pool.acquire(&class(8)));
    let _ticket = waiting(pool.acquire(&class(8)));
    tokio::time::sleep(Duration::from_secs(40)).await;
    // The second one is at work in its stead, and there would be room for no third without it.
    assert!(!is_contended(&first) && !is_contended(&second));
    rest(&second, &entry);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(is_contended(&first) && !is_contended(&second));
    // One is enough for one who waits.
    first.hold().leaves();
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert!(!is_contended(&second));
    drop(first);
    assert_eq!(pool.numbers().cl_waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn who_holds_the_connections_is_told() {
    let around = surroundings(Limits::default());
    let (pool, _server) = pool_with_one(1, &class(8), &around);
    let _others = fill(&pool, 3, &around);
    let leases: Vec<_> = (0..4).map(|_| ready(pool.acquire(&class(8)))).collect();
    let task = |name| entry(&format!("airflow/3 (dag=load; task={name}; try=1)"));
    rest(&leases[0], &task("a"));
    tokio::time::sleep(Duration::from_secs(310)).await;
    hold(&leases[1], &task("b"));
    hold(&leases[2], &entry("\u{1b}[2J"));
    tokio::time::sleep(Duration::from_secs(2)).await;
    let held = "3 held by this user: 2 by airflow dag=load (longest for 312 s, idle in transaction), \
                1 by \\u{1b}[2J (longest for 2 s, at work)";
    assert_eq!(pool.witness().to_string(), held);
}
