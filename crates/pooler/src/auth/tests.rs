//! Decisions about logins, with an upstream that never answers.

use super::*;
use crate::config::Limits;
use crate::pool::tests::{class, surroundings};

struct Scene {
    directory: Arc<Directory>,
}

impl Scene {
    fn new() -> Self {
        Self { directory: Directory::new(surroundings(Limits::default())) }
    }

    fn login(&self, password: &str) -> Login {
        self.directory.identified(Auth::basic("eve", password), &class(8), Source::Unknown)
    }

    fn decide(&self, password: &str) -> Decision {
        self.directory.decide(&self.login(password), false)
    }
}

#[tokio::test]
async fn the_same_login_is_checked_once_and_a_third_one_waits() {
    let scene = Scene::new();
    let Decision::Check(_one, _) = scene.decide("one") else { panic!("it is new") };
    let Decision::Wait(_) = scene.decide("one") else { panic!("it is being checked") };
    let Decision::Check(_two, _) = scene.decide("two") else { panic!("it is new") };
    let Decision::WaitForOther(_) = scene.decide("three") else { panic!("it may lock the name") };
    assert_eq!(scene.directory.change(|state| state.checks.len()), 2);
}

#[tokio::test]
async fn a_check_goes_on_while_anybody_waits_for_it() {
    let scene = Scene::new();
    let Decision::Check(one, first) = scene.decide("one") else { panic!("it is new") };
    let Decision::Check(_two, _second) = scene.decide("two") else { panic!("it is new") };
    // Whoever has another password waits for the oldest check, which is the first.
    let Decision::WaitForOther(other) = scene.decide("three") else { panic!("not yet") };
    drop(first);
    assert!(!scene.directory.end_check_if_unwanted(&one.login, one.id));
    drop(other);
    assert!(scene.directory.end_check_if_unwanted(&one.login, one.id));
    assert_eq!(scene.directory.change(|state| state.checks.len()), 1);
    // The next check of the same login is another one: the end of the first does not end it.
    let Decision::Check(again, _asking) = scene.decide("one") else { panic!("it was given up") };
    drop(one);
    assert_eq!(scene.directory.change(|state| state.checks.len()), 2);
    drop(again);
    assert_eq!(scene.directory.change(|state| state.checks.len()), 1);
}

#[tokio::test]
async fn clients_count_by_name_whatever_else_is_in_their_tokens() {
    let limits = Limits { max_user_client_connections: 2, ..Limits::default() };
    let directory = Directory::new(surroundings(limits));
    let enter = |auth: Auth| {
        let login = directory.identified(auth, &class(8), Source::Unknown);
        match directory.admit(&login, LoginOutcome::Verified) {
            Step::Done(entered) => {
                entered.map(|(member, _)| member).map_err(|failure| failure.code)
            }
            _ => panic!("there is nothing to check"),
        }
    };
    let eve = |more: i64| {
        let mut token = Auth::basic("eve", "secret");
        token.0.push("foo", more);
        token
    };
    let (one, two) = (enter(eve(1)).unwrap(), enter(eve(2)).unwrap());
    assert_ne!(one.pool.id, two.pool.id);
    assert_eq!(enter(eve(3)).unwrap_err(), code::RESOURCE_EXHAUSTION);
    enter(Auth::basic("neo4j", "secret")).unwrap();
    drop(one);
    enter(eve(3)).unwrap();
}

#[tokio::test]
async fn nothing_comes_of_a_check_that_breaks_off() {
    let scene = Scene::new();
    let Decision::Check(job, asking) = scene.decide("one") else { panic!("it is new") };
    drop(job);
    assert!(asking.outcome().await.is_none());
}

#[tokio::test]
async fn who_comes_as_a_pool_is_given_up_gets_another_one() {
    let scene = Scene::new();
    let login = scene.login("one");
    let old = scene.directory.pool_of(&login.key);
    assert!(old.close_if_unused());
    let Step::Done(Ok((member, _))) = scene.directory.admit(&login, LoginOutcome::Cached) else {
        panic!("nothing is wrong with it");
    };
    assert_ne!(member.pool.id, old.id);
    // Now it is in use, and stays.
    scene.directory.tidy();
    assert_eq!(scene.directory.pool_of(&login.key).id, member.pool.id);
    drop(member);
    scene.directory.tidy();
    assert!(scene.directory.pools().is_empty());
}
