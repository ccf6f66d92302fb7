//! One pool against an upstream that never answers, so that nothing happens but what a test does.

mod contention;

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bolt::message::Auth;
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio::task::JoinHandle;

use super::*;
use crate::config::Limits;
use crate::credential::DIGEST_BYTES;
use crate::server::{Dial, Dialling, Resolving};

struct Nowhere;

impl Dial for Nowhere {
    fn resolve(&self) -> Resolving<'_> {
        Box::pin(std::future::pending())
    }

    fn connect(&self, _: SocketAddr) -> Dialling<'_> {
        Box::pin(std::future::pending())
    }
}

/// What pools share, around an upstream that never answers.
pub(crate) fn surroundings(limits: Limits) -> Arc<Surroundings> {
    let limits = CurrentLimits::new(limits);
    let (metrics, _) = Metrics::new();
    let server = Server::new(Arc::new(Nowhere), false, limits.clone(), metrics.clone());
    Surroundings::new(Arc::new(server), limits, metrics)
}

/// Clients of this minor version share connections with nobody else.
pub(crate) fn class(minor: u8) -> Arc<Class> {
    Class::for_test(minor)
}

pub(crate) fn credential(id: u64) -> Arc<Credential> {
    let digest = Digest([0; DIGEST_BYTES]);
    Arc::new(Credential::new(id, Auth::basic("eve", "secret"), digest))
}

/// Somebody of his own for each pool.
fn owner(id: u64) -> Owner {
    Owner { name: "eve".to_owned(), user: UserId::Alone(PoolId(id)) }
}

fn claim(id: u64) -> Claim {
    Claim { pool: PoolId(id), user: owner(id).user, allowed: 20 }
}

/// A pool with an idle connection of `class`, and the server's end of it.
fn pool_with_one(
    id: u64,
    class: &Arc<Class>,
    around: &Arc<Surroundings>,
) -> (Arc<Pool>, DuplexStream) {
    let pool = Pool::shared(PoolId(id), owner(id), around.clone());
    let (upstream, server) = Upstream::for_test(class, &around.metrics);
    pool.adopt(upstream, credential(1));
    (pool, server)
}

fn ready(acquired: Acquired) -> Lease {
    match acquired {
        Acquired::Ready(lease) => lease,
        other => panic!("no connection is free: {other:?}"),
    }
}

fn waiting(acquired: Acquired) -> Ticket {
    match acquired {
        Acquired::Waiting(ticket) => ticket,
        other => panic!("nobody has to wait: {other:?}"),
    }
}

/// Clients, waiting, active, idle, being opened, while nothing rests.
fn numbers(pool: &Pool) -> [usize; 5] {
    let [joined, waiting, active, parked, idle, login] =
        pool.numbers().by_state().map(|(_, count)| count);
    assert_eq!(parked, 0);
    [joined, waiting, active, idle, login]
}

#[tokio::test]
async fn numbers_follow_a_connection_wherever_it_goes() {
    let class = class(8);
    let (pool, _server) = pool_with_one(1, &class, &surroundings(Limits::default()));
    assert_eq!(numbers(&pool), [0, 0, 0, 1, 0]);
    let member = pool.join(&class, &credential(2), None).unwrap();
    let lease = ready(pool.acquire(&class));
    assert_eq!(numbers(&pool), [1, 0, 1, 0, 0]);
    // Another one is being opened for whoever waits, and goes on being so.
    let ticket = waiting(pool.acquire(&class));
    assert_eq!(numbers(&pool), [1, 1, 1, 0, 1]);
    drop(lease);
    assert_eq!(numbers(&pool), [1, 0, 1, 0, 1]);
    let Reply::Ready(lease) = ticket.await else { panic!("it was handed over") };
    drop(lease);
    assert_eq!(numbers(&pool), [1, 0, 0, 1, 1]);
    ready(pool.acquire(&class)).discard();
    pool.left(member);
    assert_eq!(numbers(&pool), [0, 0, 0, 0, 1]);
}

#[tokio::test]
async fn a_waiter_who_leaves_after_the_hand_off_returns_the_connection() {
    let class = class(8);
    let (pool, _server) = pool_with_one(1, &class, &surroundings(Limits::default()));
    let lease = ready(pool.acquire(&class));
    let (first, second) = (waiting(pool.acquire(&class)), waiting(pool.acquire(&class)));
    drop(lease);
    assert_eq!(pool.numbers().cl_waiting, 1);
    drop(first);
    assert_eq!(pool.numbers().cl_waiting, 0);
    drop(second);
    // The two that were begun for those who waited go on being opened.
    assert_eq!(numbers(&pool), [0, 0, 0, 1, 2]);
}

#[tokio::test]
async fn connections_that_ended_are_closed_even_if_the_queue_is_full() {
    let limits = Limits { max_waiting_clients: 1, ..Limits::default() };
    let around = surroundings(limits);
    let pool = Pool::shared(PoolId(1), owner(1), around.clone());
    let (mut upstream, mut server) = Upstream::for_test(&class(8), &around.metrics);
    upstream.expires = Instant::now() + Duration::from_millis(1);
    pool.adopt(upstream, credential(1));
    let _ticket = waiting(pool.acquire(&class(7)));
    std::thread::sleep(Duration::from_millis(2));
    assert!(matches!(pool.acquire(&class(8)), Acquired::QueueFull { waiting: 1 }));
    // The server is told goodbye.
    let mut said = Vec::new();
    server.read_to_end(&mut said).await.unwrap();
    assert_eq!(said, [0, 2, 0xb0, bolt::message::tag::GOODBYE, 0, 0]);
}

#[tokio::test]
async fn a_panic_under_the_lock_ends_the_connections_of_that_pool_only() {
    let class = class(8);
    let around = surroundings(Limits::default());
    let (broken, _server) = pool_with_one(1, &class, &around);
    let (upstream, _other_server) = Upstream::for_test(&class, &around.metrics);
    broken.adopt(upstream, credential(1));
    let (whole, _third_server) = pool_with_one(2, &class, &around);
    let lease = ready(broken.acquire(&class));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        broken.change(|_, _| panic!("on purpose"));
    }));
    assert!(panicked.is_err());
    // The one that was idle is closed with the next change, the other one when it is given back.
    let _ticket = waiting(broken.acquire(&class));
    assert_eq!(around.metrics.upstream_counts(), (3, 1));
    drop(lease);
    assert_eq!(around.metrics.upstream_counts(), (3, 2));
    assert_eq!(numbers(&whole), [0, 0, 0, 1, 0]);
    drop(ready(whole.acquire(&class)));
}

#[tokio::test]
async fn only_an_unused_pool_can_be_closed_and_nobody_joins_it_then() {
    let class = class(8);
    let pool = Pool::shared(PoolId(1), owner(1), surroundings(Limits::default()));
    let member = pool.join(&class, &credential(1), Some(1)).unwrap();
    assert_eq!(pool.join(&class, &credential(2), Some(1)), Err(JoinError::Full));
    assert!(!pool.close_if_unused());
    pool.left(member);
    assert!(pool.close_if_unused());
    assert_eq!(pool.join(&class, &credential(3), None), Err(JoinError::Closed));
}

#[tokio::test]
async fn a_refusal_counts_against_the_credential_that_was_sent() {
    let mut state = State::default();
    state.prove(credential(1));
    state.refuse_if_current(&credential(2), crate::failures::rate_limited());
    assert!(!state.is_refused());
    state.refuse_if_current(&credential(1), crate::failures::rate_limited());
    assert!(state.is_refused() && state.credential().is_none());
    assert_eq!(state.join(&class(8), &credential(3)), Err(JoinError::Refused));
}

#[tokio::test]
async fn there_are_as_many_permits_as_the_limit_says() {
    let limits = Limits { max_upstream_connections: 2, ..Limits::default() };
    let budget = surroundings(limits).budget.clone();
    let take = || budget.take(&claim(1));
    let (first, second) = (take().unwrap(), take().unwrap());
    assert!(take().is_none());
    drop(first);
    let third = take().unwrap();
    assert!(take().is_none());
    drop((second, third));
    assert!(take().is_some());
}

/// Pools of the same name, as when a token has something in it besides name and password.
#[tokio::test(start_paused = true)]
async fn a_limit_is_that_of_the_name_whatever_pool_its_connections_are_in() {
    let limits = Limits { max_connection_pool_size: 2, ..Limits::default() };
    let around = surroundings(limits);
    let pools = [1, 2].map(|id| Pool::shared(PoolId(id), owner(1), around.clone()));
    let _servers = [fill(&pools[0], 1, &around), fill(&pools[1], 3, &around)];
    assert_eq!([numbers(&pools[0])[3], numbers(&pools[1])[3]], [1, 1]);
    let leases = [&pools[0], &pools[1]].map(|pool| ready(pool.acquire(&class(8))));
    let ticket = waiting(pools[0].acquire(&class(8)));
    assert_eq!(numbers(&pools[0]), [0, 1, 1, 0, 0]);
    // It has to wait for its own, and nobody else has to wait because of that.
    assert!(around.budget.take(&claim(3)).is_some());
    let serving = serve_budget(&around, &[&pools[0], &pools[1]]).await;
    let [_first, second] = leases;
    drop(second);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!((numbers(&pools[0]), numbers(&pools[1])), ([0, 1, 1, 0, 1], [0, 0, 0, 0, 0]));
    drop(ticket);
    serving.abort();
}

#[tokio::test]
async fn a_user_has_so_many_kinds_of_clients_and_no_more() {
    let pool = Pool::shared(PoolId(1), owner(1), surroundings(Limits::default()));
    let classes: Vec<_> = (0..=KINDS_MAX as u8).map(class).collect();
    let join = |class: &Arc<Class>| pool.join(class, &credential(1), None);
    let members: Vec<_> = classes[..KINDS_MAX].iter().map(|class| join(class).unwrap()).collect();
    assert_eq!(join(&classes[KINDS_MAX]), Err(JoinError::TooManyKinds));
    join(&classes[0]).unwrap();
    pool.left(members[1]);
    join(&classes[KINDS_MAX]).unwrap();
}

/// So many connections more for a pool, all idle. The other ends are kept by the caller.
fn fill(pool: &Arc<Pool>, count: usize, around: &Arc<Surroundings>) -> Vec<DuplexStream> {
    let adopt = |_| {
        let (upstream, server) = Upstream::for_test(&class(8), &around.metrics);
        pool.adopt(upstream, credential(1));
        server
    };
    (0..count).map(adopt).collect()
}

/// Lets the budget serve these pools until nothing changes any more.
async fn serve_budget(around: &Arc<Surroundings>, pools: &[&Arc<Pool>]) -> JoinHandle<()> {
    let pools: Vec<_> = pools.iter().map(|pool| (*pool).clone()).collect();
    let budget = around.budget.clone();
    let serving = tokio::spawn(async move { budget.serve(|| pools.clone()).await });
    settle().await;
    serving
}

async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_pool_gives_up_what_it_is_given_back_to_one_that_has_less() {
    let limits = Limits { max_upstream_connections: 4, ..Limits::default() };
    let around = surroundings(limits);
    let (rich, _server) = pool_with_one(1, &class(8), &around);
    let (poor, _other_server) = pool_with_one(2, &class(8), &around);
    let _more = fill(&rich, 1, &around);
    let leases = [ready(rich.acquire(&class(8))), ready(rich.acquire(&class(8)))];
    let _lease = ready(poor.acquire(&class(8)));
    let _other = around.budget.take(&claim(3)).unwrap();
    let _tickets = [waiting(poor.acquire(&class(8))), waiting(poor.acquire(&class(8)))];
    // Two and one: the exchange would only turn the tables.
    let [first, second] = leases;
    drop(first);
    assert_eq!((numbers(&rich), numbers(&poor)), ([0, 0, 1, 1, 0], [0, 2, 1, 0, 0]));
    drop(second);
    assert_eq!(numbers(&rich), [0, 0, 0, 2, 0]);
}

#[tokio::test]
async fn a_user_who_has_none_goes_first_and_is_not_stopped_by_whoever_asked_before() {
    let limits = Limits { max_upstream_connections: 3, ..Limits::default() };
    let around = surroundings(limits);
    let (idle, _server) = pool_with_one(1, &class(8), &around);
    let _more = fill(&idle, 1, &around);
    let (busy, _other_server) = pool_with_one(2, &class(8), &around);
    let _lease = ready(busy.acquire(&class(8)));
    // It asks first, and has no right to more yet.
    let _second = waiting(busy.acquire(&class(8)));
    let new = Pool::shared(PoolId(3), owner(3), around.clone());
    new.join(&class(8), &credential(7), None).unwrap();
    let _ticket = waiting(new.acquire(&class(8)));
    let serving = serve_budget(&around, &[&idle, &busy, &new]).await;
    assert_eq!(numbers(&new), [1, 1, 0, 0, 1]);
    assert_eq!((numbers(&idle), numbers(&busy)), ([0, 0, 0, 1, 0], [0, 1, 1, 0, 0]));
    serving.abort();
}

#[tokio::test(start_paused = true)]
async fn what_rests_for_long_goes_to_whoever_waits() {
    let limits = Limits { max_upstream_connections: 2, ..Limits::default() };
    let around = surroundings(limits);
    let (idle, _server) = pool_with_one(1, &class(8), &around);
    let (busy, _other_server) = pool_with_one(2, &class(8), &around);
    let _lease = ready(busy.acquire(&class(8)));
    let _second = waiting(busy.acquire(&class(8)));
    let serving = serve_budget(&around, &[&idle, &busy]).await;
    assert_eq!((numbers(&idle), numbers(&busy)), ([0, 0, 0, 1, 0], [0, 1, 1, 0, 0]));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((numbers(&idle), numbers(&busy)), ([0, 0, 0, 0, 0], [0, 1, 1, 0, 1]));
    serving.abort();
}

#[tokio::test]
async fn a_need_that_has_gone_stops_nobody() {
    let limits = Limits { max_upstream_connections: 1, ..Limits::default() };
    let around = surroundings(limits);
    let (pool, _server) = pool_with_one(1, &class(8), &around);
    let lease = ready(pool.acquire(&class(8)));
    // It asks for a second one, and is served with the first instead.
    let ticket = waiting(pool.acquire(&class(8)));
    drop(lease);
    let Reply::Ready(lease) = ticket.await else { panic!("it was handed over") };
    lease.discard();
    assert!(around.budget.take(&claim(2)).is_some());
}

#[tokio::test]
async fn a_limit_that_is_raised_serves_who_waits_already() {
    let limits = Limits { max_connection_pool_size: 1, ..Limits::default() };
    let around = surroundings(limits);
    let (pool, _server) = pool_with_one(1, &class(8), &around);
    let _lease = ready(pool.acquire(&class(8)));
    let _ticket = waiting(pool.acquire(&class(8)));
    assert_eq!(numbers(&pool), [0, 1, 1, 0, 0]);
    around.limits.replace(Limits { max_connection_pool_size: 2, ..Limits::default() });
    pool.limits_changed();
    assert_eq!(numbers(&pool), [0, 1, 1, 0, 1]);
}
