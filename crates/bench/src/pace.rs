//! When a client's next operation is due.

use tokio::time::{Duration, Instant, sleep_until};

/// When the operations of one client are due within one turn.
#[derive(Debug)]
pub(crate) struct Pace {
    until: Instant,
    schedule: Option<Schedule>,
    /// How many operations were due but could not begin in time.
    pub missed: u64,
}

/// The schedule of an open loop: operations are due whether or not the last one has been answered.
#[derive(Debug)]
struct Schedule {
    due: Instant,
    interval: Duration,
    /// When the client's timer last woke it from waiting. A timer wakes a little late. An operation that
    /// was due meanwhile could not begin earlier, and the server must not be blamed for that.
    woken: Instant,
    give_up: Instant,
}

impl Pace {
    /// Each operation follows the answer to the last one.
    pub fn closed(start: Instant, duration: Duration) -> Self {
        Self { until: start + duration, schedule: None, missed: 0 }
    }

    /// `rate` operations per second among `clients`, of which this is the one with `number`.
    pub fn open(
        start: Instant,
        duration: Duration,
        rate: f64,
        clients: usize,
        number: usize,
    ) -> Self {
        let interval = Duration::from_secs_f64(clients as f64 / rate);
        let due = start + Duration::from_secs_f64(number as f64 / rate);
        let until = start + duration;
        let give_up = until + duration;
        Self { until, schedule: Some(Schedule { due, interval, woken: start, give_up }), missed: 0 }
    }

    /// Waits until the next operation is due, and returns the time from which its latency is measured.
    /// `None` when the turn is over.
    ///
    /// If the last answer was late, the next operation is measured from when it was due. Otherwise a
    /// stall would hide the operations that it delayed, an error known as coordinated omission. After
    /// twice the turn's time, the operations that are left are given up.
    pub async fn next(&mut self) -> Option<Instant> {
        let now = Instant::now();
        let Some(schedule) = &mut self.schedule else { return (now < self.until).then_some(now) };
        if schedule.due >= self.until {
            return None;
        }
        if now >= schedule.give_up {
            let left = (self.until - schedule.due).as_secs_f64() / schedule.interval.as_secs_f64();
            self.missed = left.ceil() as u64;
            return None;
        }
        let due = schedule.due;
        schedule.due += schedule.interval;
        if due > now {
            sleep_until(due).await;
            schedule.woken = Instant::now();
        }
        Some(due.max(schedule.woken))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[tokio::test(start_paused = true)]
    async fn a_closed_loop_goes_on_until_its_time_is_over() {
        let start = Instant::now();
        let mut pace = Pace::closed(start, 10 * MS);
        assert_eq!(pace.next().await, Some(start));
        advance(9 * MS).await;
        assert_eq!(pace.next().await, Some(start + 9 * MS));
        advance(MS).await;
        assert_eq!(pace.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn clients_of_an_open_loop_take_turns() {
        let start = Instant::now();
        let mut due = Vec::new();
        for number in 0..2 {
            let mut pace = Pace::open(start, 40 * MS, 100.0, 2, number);
            while let Some(from) = pace.next().await {
                due.push((from - start).as_millis());
            }
        }
        // The second client's clock is past its first turns: time does not go back.
        assert_eq!(due[..2], [0, 20]);
        assert_eq!(due.len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_stall_delayed_counts_from_when_it_was_due() {
        let start = Instant::now();
        let mut pace = Pace::open(start, 100 * MS, 100.0, 1, 0);
        assert_eq!(pace.next().await, Some(start));
        advance(35 * MS).await;
        let latencies: Vec<u128> = {
            let mut from = Vec::new();
            for _ in 0..4 {
                let next = pace.next().await.unwrap();
                from.push((Instant::now() - next).as_millis());
            }
            from
        };
        // Three were due during the stall; the fourth is on time.
        assert_eq!(latencies, [25, 15, 5, 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_can_not_be_caught_up_with_is_given_up_and_counted() {
        let start = Instant::now();
        let mut pace = Pace::open(start, 100 * MS, 100.0, 1, 0);
        pace.next().await.unwrap();
        advance(200 * MS).await;
        assert_eq!(pace.next().await, None);
        assert_eq!(pace.missed, 9);
    }
}
