//! What a client does, and since when.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ClientState {
    /// Not logged in yet.
    Login,
    /// Logged in, nothing to do.
    Idle,
    /// In the queue for an upstream connection.
    Waiting,
    /// Holds an upstream connection.
    Active,
}

impl ClientState {
    pub const ALL: [Self; 4] = [Self::Login, Self::Idle, Self::Waiting, Self::Active];

    /// In PgBouncer's words.
    pub fn label(self) -> &'static str {
        match self {
            Self::Login => "cl_login",
            Self::Idle => "cl_idle",
            Self::Waiting => "cl_waiting",
            Self::Active => "cl_active",
        }
    }
}

/// A state, with the time at which it began, counted from when the client came. One number, so that it is
/// changed with every unit of work without a lock: milliseconds, and below them the state.
#[derive(Debug)]
pub(super) struct Activity(AtomicU64);

impl Default for Activity {
    fn default() -> Self {
        Self(AtomicU64::new(number(ClientState::Login, Duration::ZERO)))
    }
}

impl Activity {
    pub fn set(&self, state: ClientState, at: Duration) {
        self.0.store(number(state, at), Ordering::Relaxed);
    }

    pub fn get(&self) -> (ClientState, Duration) {
        let number = self.0.load(Ordering::Relaxed);
        let state = ClientState::ALL[(number % STATES) as usize];
        (state, Duration::from_millis(number / STATES))
    }
}

fn number(state: ClientState, at: Duration) -> u64 {
    let milliseconds = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
    milliseconds.saturating_mul(STATES).saturating_add(state as u64)
}

const STATES: u64 = ClientState::ALL.len() as u64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_and_time_are_kept_together() {
        let activity = Activity::default();
        assert_eq!(activity.get(), (ClientState::Login, Duration::ZERO));
        for (state, ms) in ClientState::ALL.into_iter().zip([0, 1, 999, 86_400_000_000]) {
            activity.set(state, Duration::from_millis(ms));
            assert_eq!(activity.get(), (state, Duration::from_millis(ms)));
        }
    }
}
