//! What was asked and what came of it. Counters only grow; what must not happen is kept in words, a
//! few of each.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use client::ClientError;
use serde::Serialize;

/// What became of a node that a client wanted to create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The server said so.
    Done,
    /// The server, or the pooler, refused.
    NotDone,
    /// The connection ended before the answer.
    Unknown,
}

#[derive(Debug, Default)]
pub struct Ledger {
    asked: AtomicU64,
    answered: AtomicU64,
    pub vanished: AtomicU64,
    pub kills: AtomicU64,
    pub logins: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    fates: Vec<(String, Fate)>,
    /// By the code of the failure, or what ended the connection.
    told: BTreeMap<String, u64>,
    no_login: BTreeMap<String, u64>,
    violations: BTreeMap<Violation, Seen>,
}

/// What must never happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Violation {
    /// The answer to another query.
    Mismatch,
    /// No answer within the client's patience.
    Unanswered,
    /// IGNORED, and no failure before it: some drivers take that for success.
    IgnoredWithoutCause,
    /// What is not Bolt, or out of turn.
    Protocol,
}

#[derive(Debug, Default, Clone, Serialize)]
pub struct Seen {
    count: u64,
    examples: Vec<String>,
}

/// All of it, for the report.
#[derive(Debug, Serialize)]
pub struct Sums {
    pub asked: u64,
    pub answered: u64,
    pub vanished: u64,
    pub kills: u64,
    pub logins: u64,
    pub told: BTreeMap<String, u64>,
    pub no_login: BTreeMap<String, u64>,
    pub violations: BTreeMap<Violation, Seen>,
}

impl Ledger {
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    pub fn ask(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
    }

    pub fn answer(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    pub fn decide(&self, token: String, fate: Fate) {
        self.state().fates.push((token, fate));
    }

    pub fn fates(&self) -> Vec<(String, Fate)> {
        std::mem::take(&mut self.state().fates)
    }

    pub fn violate(&self, violation: Violation, words: String) {
        let mut state = self.state();
        let seen = state.violations.entry(violation).or_default();
        seen.count += 1;
        if seen.examples.len() < EXAMPLES_MAX {
            seen.examples.push(words);
        }
    }

    /// What a query was told instead of an answer.
    pub fn tell(&self, token: &str, error: &ClientError) {
        match violation(error) {
            Some(violation) => self.violate(violation, format!("{token}: {error}")),
            None => *self.state().told.entry(name(error)).or_default() += 1,
        }
    }

    /// Why a client could not log in.
    pub fn refuse(&self, error: &ClientError) {
        match violation(error) {
            Some(violation) => self.violate(violation, format!("login: {error}")),
            None => *self.state().no_login.entry(name(error)).or_default() += 1,
        }
    }

    pub fn sums(&self) -> Sums {
        let state = self.state();
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Sums {
            asked: read(&self.asked),
            answered: read(&self.answered),
            vanished: read(&self.vanished),
            kills: read(&self.kills),
            logins: read(&self.logins),
            told: state.told.clone(),
            no_login: state.no_login.clone(),
            violations: state.violations.clone(),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("nothing panics while it holds the ledger")
    }
}

fn violation(error: &ClientError) -> Option<Violation> {
    match error {
        ClientError::TimedOut(_) => Some(Violation::Unanswered),
        ClientError::Protocol(words) if words.starts_with("IGNORED") => {
            Some(Violation::IgnoredWithoutCause)
        }
        ClientError::Protocol(_) => Some(Violation::Protocol),
        _ => None,
    }
}

fn name(error: &ClientError) -> String {
    match error {
        ClientError::Server(failure) => failure.code.clone(),
        ClientError::Closed | ClientError::Io(_) => "closed".into(),
        ClientError::Handshake(error) => format!("handshake: {error}"),
        ClientError::Dial(_) => "not connected".into(),
        other => other.to_string(),
    }
}

const EXAMPLES_MAX: usize = 5;
