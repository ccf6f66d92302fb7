//! How many refused logins the log is told of. Somebody who tries for hours must not fill a disk.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::info;

/// Counts the refusals of the current second.
#[derive(Debug, Default)]
pub(crate) struct Refusals(AtomicU64);

impl Refusals {
    /// Whether this one is to be logged.
    pub fn is_logged(&self) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed) < LOGGED_MAX
    }

    /// A second is over: what was left out is told in one line.
    pub fn next_second(&self) {
        let left_out = self.0.swap(0, Ordering::Relaxed).saturating_sub(LOGGED_MAX);
        if left_out > 0 {
            info!(count = left_out, "more logins were refused");
        }
    }
}

/// So many in a second.
const LOGGED_MAX: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_of_a_second_are_logged() {
        let refusals = Refusals::default();
        for _ in 0..2 {
            let logged = (0..1_000).filter(|_| refusals.is_logged()).count();
            assert_eq!(logged as u64, LOGGED_MAX);
            refusals.next_second();
        }
    }
}
