//! One target for a moment: all its clients work at once, and what they see goes into one histogram.

use std::collections::BTreeMap;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use client::{ClientError, Tally};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::pace::Pace;
use crate::performer::{Performer, reason};
use crate::process::Usage;
use crate::settings::NamedProcess;

/// What the clients of one target saw.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Successful ones.
    pub operations: u64,
    /// Of those that began within the time that counts, in nanoseconds.
    pub latency: Histogram<u64>,
    pub records: u64,
    pub bytes: u64,
    /// From the beginning of what counts to the end of the last successful operation: clients that wait in
    /// vain for an answer do not make those slower that have theirs.
    pub elapsed: Duration,
    pub errors: BTreeMap<String, u64>,
}

impl Default for Seen {
    fn default() -> Self {
        Self {
            operations: 0,
            latency: Histogram::new(SIGNIFICANT_DIGITS).expect("the digits are valid"),
            records: 0,
            bytes: 0,
            elapsed: Duration::ZERO,
            errors: BTreeMap::new(),
        }
    }
}

impl Seen {
    pub fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.latency.add(&other.latency).expect("a histogram that grows takes any value");
        self.records += other.records;
        self.bytes += other.bytes;
        self.elapsed += other.elapsed;
        for (reason, count) in &other.errors {
            *self.errors.entry(reason.clone()).or_default() += count;
        }
    }

    /// `at`: when it was done, since the beginning of what counts.
    fn note(&mut self, took: Duration, at: Duration, outcome: Result<Tally, ClientError>) {
        match outcome {
            Ok(tally) => {
                self.operations += 1;
                self.elapsed = self.elapsed.max(at);
                if took <= at {
                    let took = u64::try_from(took.min(LATENCY_MAX).as_nanos()).unwrap_or(u64::MAX);
                    self.latency.record(took).expect("a histogram that grows takes any value");
                }
                self.records += tally.records;
                self.bytes += tally.bytes;
            }
            Err(error) => self.fail(reason(&error), 1),
        }
    }

    /// What was done so far does not count. Errors do, whenever they happened.
    fn forget_done(&mut self) {
        *self = Self { errors: mem::take(&mut self.errors), ..Self::default() };
    }

    fn fail(&mut self, reason: String, count: u64) {
        *self.errors.entry(reason).or_default() += count;
    }
}

/// Says whether the run is to end before its time.
pub type IsStopped = Arc<dyn Fn() -> bool + Send + Sync>;

pub(crate) struct Visit<'a> {
    /// At the beginning, while all clients start at once; nothing of it counts.
    pub settle: Duration,
    pub duration: Duration,
    pub rate: Option<f64>,
    pub is_stopped: IsStopped,
    pub processes: &'a [NamedProcess],
}

/// What was seen, and what the processes had used by the beginning and the end of that.
pub(crate) struct Visited {
    pub seen: Seen,
    pub before: Usage,
    pub after: Usage,
}

impl Visit<'_> {
    /// Has all clients work until the time is over, and every answer is there.
    pub async fn run(&self, performers: &mut Vec<Performer>) -> Visited {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let count = performers.len();
        let (start, whole) = (Instant::now(), self.settle + self.duration);
        let mut before = Usage::read(self.processes);
        let mut working = JoinSet::new();
        for (number, performer) in mem::take(performers).into_iter().enumerate() {
            let pace = match self.rate {
                Some(rate) => Pace::open(start, whole, rate, count, number),
                None => Pace::closed(start, whole),
            };
            let is_stopped = self.is_stopped.clone();
            let counted_from = start + self.settle;
            working.spawn(work(performer, pace, counted_from, seen.clone(), is_stopped));
        }
        if !self.settle.is_zero() {
            sleep_until(start + self.settle).await;
            locked(&seen).forget_done();
            before = Usage::read(self.processes);
        }
        *performers = working.join_all().await;
        Visited { seen: mem::take(&mut *locked(&seen)), before, after: Usage::read(self.processes) }
    }
}

async fn work(
    mut performer: Performer,
    mut pace: Pace,
    counted_from: Instant,
    seen: Arc<Mutex<Seen>>,
    is_stopped: IsStopped,
) -> Performer {
    while let Some(from) = pace.next().await {
        let outcome = performer.perform().await;
        let failed_to_connect = matches!(outcome, Err(ClientError::Connect(_)));
        locked(&seen).note(from.elapsed(), counted_from.elapsed(), outcome);
        if is_stopped() {
            return performer;
        }
        if failed_to_connect {
            // A target that is gone would be asked as often as the processor allows.
            tokio::time::sleep(BREATH).await;
        }
    }
    if pace.missed > 0 {
        locked(&seen).fail("not begun in time".into(), pace.missed);
    }
    performer
}

fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Latencies are true to a thousandth of themselves.
const SIGNIFICANT_DIGITS: u8 = 3;
/// Bounds the histogram's memory.
const LATENCY_MAX: Duration = Duration::from_secs(3600);
const BREATH: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(latencies_us: impl IntoIterator<Item = u64>) -> Seen {
        let mut seen = Seen::default();
        for us in latencies_us {
            let took = Duration::from_micros(us);
            seen.note(took, took, Ok(Tally { records: 1, bytes: 10 }));
        }
        seen
    }

    #[test]
    fn percentiles_are_true_to_a_thousandth() {
        let seen = seen(1..=10_000);
        for (quantile, us) in [(0.5, 5000.0), (0.9, 9000.0), (0.99, 9900.0), (0.999, 9990.0)] {
            let found = seen.latency.value_at_quantile(quantile) as f64 / 1000.0;
            assert!((found / us - 1.0).abs() < 0.001, "{quantile}: {found} µs instead of {us}");
        }
        assert_eq!((seen.latency.len(), seen.records, seen.bytes), (10_000, 10_000, 100_000));
    }

    #[test]
    fn rounds_add_up() {
        let mut total = seen([100, 200]);
        let mut other = seen([1_000_000_000]);
        assert_eq!(other.elapsed, Duration::from_secs(1000));
        other.note(Duration::from_secs(1), Duration::from_secs(9), Err(ClientError::Closed));
        total.add(&other);
        total.add(&other);
        assert_eq!(total.latency.len(), 4);
        assert_eq!(total.errors["connection closed"], 2);
        assert_eq!(total.elapsed, Duration::from_micros(200) + 2 * Duration::from_secs(1000));
        assert!(total.latency.max() >= 999_000_000_000);
    }
}
