//! One target for a moment: all its clients work at once, and what they see goes into one histogram.

use std::collections::BTreeMap;
use std::mem;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use client::{ClientError, Tally};
use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::client::{Client, reason};
use crate::pace::Pace;
use crate::process::Usage;
use crate::settings::NamedProcess;

/// What the clients of one target saw.
#[derive(Clone, Debug)]
pub(crate) struct Measurement {
    /// Of successful operations, in nanoseconds.
    pub latency: Histogram<u64>,
    pub records: u64,
    pub bytes: u64,
    /// In which the clients did that, each for as long as it was at work: those that wait in vain for an
    /// answer, or for longer than the others, do not make these slower.
    pub elapsed: Duration,
    pub errors: BTreeMap<String, u64>,
}

impl Default for Measurement {
    fn default() -> Self {
        Self {
            latency: Histogram::new(SIGNIFICANT_DIGITS).expect("the digits are valid"),
            records: 0,
            bytes: 0,
            elapsed: Duration::ZERO,
            errors: BTreeMap::new(),
        }
    }
}

impl Measurement {
    pub fn add(&mut self, other: &Self) {
        self.latency.add(&other.latency).expect("a histogram that grows takes any value");
        self.records += other.records;
        self.bytes += other.bytes;
        self.elapsed += other.elapsed;
        for (reason, count) in &other.errors {
            *self.errors.entry(reason.clone()).or_default() += count;
        }
    }

    fn note(&mut self, took: Duration, outcome: Result<Tally, ClientError>) {
        match outcome {
            Ok(tally) => {
                let took = u64::try_from(took.min(LATENCY_MAX).as_nanos()).unwrap_or(u64::MAX);
                self.latency.record(took).expect("a histogram that grows takes any value");
                self.records += tally.records;
                self.bytes += tally.bytes;
            }
            Err(error) => self.fail(reason(&error), 1),
        }
    }

    fn fail(&mut self, reason: String, count: u64) {
        *self.errors.entry(reason).or_default() += count;
    }
}

/// Says whether the run is to end before its time.
pub type IsStopped = Arc<dyn Fn() -> bool + Send + Sync>;

pub(crate) struct Turn<'a> {
    /// At the beginning, while all clients start at once; nothing of it counts.
    pub settle: Duration,
    pub duration: Duration,
    pub rate: Option<f64>,
    pub is_stopped: IsStopped,
    pub processes: &'a [NamedProcess],
}

/// What was seen, and what the processes had used by the beginning and the end of that.
pub(crate) struct TurnResult {
    pub measurement: Measurement,
    pub before: Usage,
    pub after: Usage,
}

impl Turn<'_> {
    /// Has all clients work until the time is over, and every answer is there. `None` if that was ended
    /// before anything counted.
    pub async fn run(&self, clients: &mut Vec<Client>) -> Option<TurnResult> {
        let seen = Arc::new(Mutex::new(Measurement::default()));
        let count = clients.len();
        let mut before = Usage::read(self.processes);
        let (start, whole) = (Instant::now(), self.settle + self.duration);
        let window = Window { from: start + self.settle, until: start + whole };
        let mut working = JoinSet::new();
        for (number, client) in mem::take(clients).into_iter().enumerate() {
            let pace = match self.rate {
                Some(rate) => Pace::open(start, whole, rate, count, number),
                None => Pace::closed(start, whole),
            };
            let is_stopped = self.is_stopped.clone();
            working.spawn(work(client, pace, window, seen.clone(), is_stopped));
        }
        let mut working = pin!(working.join_all());
        if !self.settle.is_zero() {
            tokio::select! {
                ended = &mut working => {
                    clients.extend(ended.into_iter().map(|(client, _)| client));
                    return None;
                }
                () = sleep_until(window.from) => before = Usage::read(self.processes),
            }
        }
        let mut rate = 0.0;
        for (client, own_rate) in working.await {
            clients.push(client);
            rate += own_rate;
        }
        let after = Usage::read(self.processes);
        let mut seen = mem::take(&mut *locked(&seen));
        if rate > 0.0 {
            seen.elapsed = Duration::from_secs_f64(seen.latency.len() as f64 / rate);
        }
        Some(TurnResult { measurement: seen, before, after })
    }
}

/// The time that counts.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: Instant,
    until: Instant,
}

impl Window {
    /// Whether an operation is part of what is measured. What began before counts only if nothing came of
    /// it in all that time.
    fn counts(&self, began: Instant, done: Instant) -> bool {
        began >= self.from || done >= self.until
    }
}

/// Returns the client, and how many operations it did in a second.
async fn work(
    mut client: Client,
    mut pace: Pace,
    window: Window,
    seen: Arc<Mutex<Measurement>>,
    is_stopped: IsStopped,
) -> (Client, f64) {
    let mut progress = Progress { since: window.from, last: window.from, done: 0 };
    while let Some(from) = pace.next().await {
        let outcome = client.run_next().await;
        let now = Instant::now();
        let failed_to_connect = matches!(outcome, Err(ClientError::Connect(_)));
        if window.counts(from, now) {
            progress.note(now, outcome.is_ok());
            locked(&seen).note(now - from, outcome);
        } else {
            progress.since = progress.since.max(now);
        }
        if is_stopped() {
            return (client, progress.rate(window.until.min(now)));
        }
        if failed_to_connect {
            // A target that is gone would be asked as often as the processor allows.
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
    if pace.missed > 0 {
        locked(&seen).fail("not begun in time".into(), pace.missed);
    }
    (client, progress.rate(window.until))
}

/// Of one client.
#[derive(Debug)]
struct Progress {
    /// The end of the operation that began too early to count, or the beginning of what counts.
    since: Instant,
    /// When an operation last succeeded.
    last: Instant,
    done: u64,
}

impl Progress {
    fn note(&mut self, now: Instant, is_done: bool) {
        if is_done {
            self.last = now;
            self.done += 1;
        }
    }

    /// Per second. The client was at work at least until `until`.
    fn rate(&self, until: Instant) -> f64 {
        let seconds = (self.last.max(until) - self.since).as_secs_f64();
        if self.done > 0 { self.done as f64 / seconds } else { 0.0 }
    }
}

fn locked(seen: &Mutex<Measurement>) -> MutexGuard<'_, Measurement> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Latencies are true to a thousandth of themselves.
const SIGNIFICANT_DIGITS: u8 = 3;
/// Bounds the histogram's memory.
const LATENCY_MAX: Duration = Duration::from_secs(3600);
const RETRY_PAUSE: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(latencies_us: impl IntoIterator<Item = u64>) -> Measurement {
        let mut seen = Measurement::default();
        for us in latencies_us {
            let took = Duration::from_micros(us);
            seen.note(took, Ok(Tally { records: 1, bytes: 10 }));
            seen.elapsed += took;
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
        other.note(Duration::from_secs(1), Err(ClientError::Closed));
        total.add(&other);
        total.add(&other);
        assert_eq!(total.latency.len(), 4);
        assert_eq!(total.errors["connection closed"], 2);
        assert_eq!(total.elapsed, Duration::from_micros(300) + 2 * Duration::from_secs(1000));
        assert!(total.latency.max() >= 999_000_000_000);
    }

    #[test]
    fn a_client_is_as_fast_as_it_was_while_it_worked() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let rate = |since, done: &[u64]| {
            let mut progress = Progress { since: at(since), last: at(since), done: 0 };
            done.iter().for_each(|ms| progress.note(at(*ms), true));
            progress.note(at(3000), false);
            progress.rate(at(1000))
        };
        assert_eq!(rate(0, &[250, 500, 750, 1000]), 4.0);
        // The last one was still under way when the time was over, and was waited for.
        assert_eq!(rate(0, &[500, 1000, 2000]), 1.5);
        // It had nothing to show for the second half.
        assert_eq!(rate(0, &[250, 500]), 2.0);
        assert_eq!(rate(500, &[750, 1000]), 4.0);
        assert_eq!(rate(0, &[]), 0.0);
    }

    #[test]
    fn what_began_too_early_counts_only_if_it_took_all_the_time() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let window = Window { from: at(500), until: at(1000) };
        let cases = [(0, 400), (400, 600), (400, 1000), (500, 600), (999, 1500)];
        let counted = cases.map(|(began, done)| window.counts(at(began), at(done)));
        assert_eq!(counted, [false, false, true, true, true]);
    }
}
