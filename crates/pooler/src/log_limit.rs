//! How often the log is told of what strangers can bring about. Somebody who tries for hours must not
//! fill a disk.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::info;

/// Counts what has happened in the current second.
#[derive(Debug)]
pub(crate) struct LogLimit {
    /// For people, in the plural.
    what: &'static str,
    count: AtomicU64,
}

impl LogLimit {
    pub fn new(what: &'static str) -> Self {
        Self { what, count: AtomicU64::new(0) }
    }

    /// Whether this time it is to be logged.
    pub fn allows(&self) -> bool {
        self.count.fetch_add(1, Ordering::Relaxed) < LOGGED_MAX
    }

    /// A second is over: what was left out is told in one line.
    pub fn next_second(&self) {
        let left_out = self.count.swap(0, Ordering::Relaxed).saturating_sub(LOGGED_MAX);
        if left_out > 0 {
            info!(count = left_out, what = self.what, "more of the same was not logged");
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
        let limit = LogLimit::new("trials");
        for _ in 0..2 {
            let logged = (0..1_000).filter(|_| limit.allows()).count();
            assert_eq!(logged as u64, LOGGED_MAX);
            limit.next_second();
        }
    }
}
