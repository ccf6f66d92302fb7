//! Counting on the sandbox, which runs in the lab's own process and keeps books of its connections. All
//! numbers are exact, peaks included.

use std::sync::Arc;

use sandbox::{Count, Sandbox};

use super::origin::{Names, Origin};
use super::totals::{Peaks, Totals};
use crate::results::{Logins, Sample};

#[derive(Debug)]
pub struct Books {
    sandbox: Arc<Sandbox>,
    origin: Origin,
    /// The whole server's numbers when the pattern began.
    before: Count,
    refused_before: u64,
}

impl Books {
    pub fn new(sandbox: Arc<Sandbox>) -> Self {
        Self { sandbox, origin: Origin::default(), before: Count::default(), refused_before: 0 }
    }

    pub fn begin(&mut self, origin: Origin) {
        self.sandbox.reset_peaks();
        let books = self.sandbox.books();
        (self.before, self.refused_before) = (books.all, books.refused);
        self.origin = origin;
    }

    pub fn sample(&self, at_ms: u64) -> Sample {
        let (count, others) = self.count();
        Sample {
            at_ms,
            opened: count.opened,
            closed: count.closed,
            open: count.open,
            idle: count.idle(),
            in_use: count.in_use,
            others,
        }
    }

    pub fn totals(&self) -> Totals {
        let (count, _) = self.count();
        let peaks =
            Peaks { open: count.peak_open, idle: count.peak_idle, in_use: count.peak_in_use };
        Totals { opened: count.opened, closed: count.closed, open: count.open, peaks: Some(peaks) }
    }

    /// Connections that were refused since the pattern began.
    pub fn refused(&self) -> u64 {
        self.sandbox.books().refused - self.refused_before
    }

    /// Logins since the pattern began.
    pub fn logins(&self) -> Logins {
        let now = self.sandbox.books().all;
        let cpu = now.authentication_cpu.saturating_sub(self.before.authentication_cpu);
        Logins {
            count: now.authentications - self.before.authentications,
            cpu_s: cpu.as_secs_f64(),
        }
    }

    /// The pattern's connections, and how many others are open. If all tasks have one name, theirs are
    /// counted by that name. If there is a pooler, or each task has a name of its own, every connection
    /// counts as the pattern's. That is true, as nobody else knows this server, and it is the only way: a
    /// pooler opens some connections before it can tell its name, and the peaks of several user agents
    /// can't be added up.
    fn count(&self) -> (Count, u64) {
        let books = self.sandbox.books();
        match &self.origin {
            Origin { tasks: Names::Exactly(name), pooler: None } => {
                let count = books.by_user_agent.get(name).copied().unwrap_or_default();
                (count, books.all.open - count.open)
            }
            _ => (since(self.before, books.all), 0),
        }
    }
}

/// What happened since `before`. Connections that are open now count as open, whenever they were opened.
fn since(before: Count, now: Count) -> Count {
    let opened = now.opened - before.opened;
    Count { opened, closed: opened.saturating_sub(now.open), ..now }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_opened_before_is_no_part_of_opened() {
        let before = Count { opened: 600, closed: 600, ..Count::default() };
        let now = Count { opened: 605, closed: 601, open: 4, peak_open: 5, ..Count::default() };
        let count = since(before, now);
        assert_eq!((count.opened, count.closed, count.open, count.peak_open), (5, 1, 4, 5));
    }

    #[test]
    fn a_straggler_of_the_pattern_before_is_open_but_not_opened() {
        let before = Count { opened: 10, closed: 8, open: 2, ..Count::default() };
        let now = Count { opened: 11, closed: 8, open: 3, ..Count::default() };
        let count = since(before, now);
        assert_eq!((count.opened, count.closed, count.open), (1, 0, 3));
    }
}
