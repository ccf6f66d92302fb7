//! Times in a histogram that many count in without a lock, and that answers with quantiles.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Counts times from a microsecond to over an hour. A quantile is at most a quarter too large.
#[derive(Debug)]
pub(crate) struct Quantiles {
    buckets: [AtomicU32; BUCKETS],
    total: TotalTime,
    max_us: AtomicU64,
}

/// Times added up.
#[derive(Debug, Default)]
pub(crate) struct TotalTime(AtomicU64);

impl Default for Quantiles {
    fn default() -> Self {
        let buckets = [const { AtomicU32::new(0) }; BUCKETS];
        Self { buckets, total: TotalTime::default(), max_us: AtomicU64::new(0) }
    }
}

impl Quantiles {
    pub fn count(&self, time: Duration) {
        let us = microseconds(time);
        self.buckets[bucket(us)].fetch_add(1, Ordering::Relaxed);
        self.max_us.fetch_max(us, Ordering::Relaxed);
        self.total.add(time);
    }

    /// Adds what another one has counted.
    pub fn add(&self, other: &Self) {
        for (own, others) in self.buckets.iter().zip(&other.buckets) {
            own.fetch_add(others.load(Ordering::Relaxed), Ordering::Relaxed);
        }
        self.max_us.fetch_max(other.max_us.load(Ordering::Relaxed), Ordering::Relaxed);
        self.total.add(other.total());
    }

    /// The time that this share of all times was not above, for example 0.99; nothing was counted: 0.
    pub fn at(&self, share: f64) -> Duration {
        let counts = self.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed));
        let total: u64 = counts.iter().copied().map(u64::from).sum();
        let wanted = (total as f64 * share).ceil().max(1.0) as u64;
        let mut below = 0;
        let found = counts.iter().position(|count| {
            below += u64::from(*count);
            below >= wanted
        });
        let max = self.max();
        found.map_or(max, |bucket| Duration::from_micros(most(bucket)).min(max))
    }

    pub fn max(&self) -> Duration {
        Duration::from_micros(self.max_us.load(Ordering::Relaxed))
    }

    /// All times together.
    pub fn total(&self) -> Duration {
        self.total.get()
    }
}

impl TotalTime {
    /// Most times are nothing, and cost nothing.
    pub fn add(&self, time: Duration) {
        if !time.is_zero() {
            self.0.fetch_add(microseconds(time), Ordering::Relaxed);
        }
    }

    pub fn get(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Four for each power of two, and one for each number below four.
fn bucket(us: u64) -> usize {
    if us < 4 {
        return us as usize;
    }
    let power = us.ilog2() as usize;
    let quarter = (us >> (power - 2) & 3) as usize;
    ((power - 1) * 4 + quarter).min(BUCKETS - 1)
}

/// The largest number of a bucket.
fn most(bucket: usize) -> u64 {
    if bucket < 4 {
        return bucket as u64;
    }
    let (power, quarter) = (bucket / 4 + 1, bucket as u64 % 4);
    ((5 + quarter) << (power - 2)) - 1
}

/// The last one has what took longer than an hour.
const BUCKETS: usize = 124;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_is_in_the_bucket_that_holds_it() {
        for us in (0..10_000).chain([1 << 20, (1 << 31) - 1, 3_600_000_000]) {
            let bucket = bucket(us);
            assert!(us <= most(bucket), "{us} in {bucket}");
            assert!(bucket == 0 || us > most(bucket - 1), "{us} in {bucket}");
            assert!(most(bucket) <= us + us / 4, "{us} in {bucket}, up to {}", most(bucket));
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_are_of_all_that_was_counted_here_or_elsewhere() {
        let (quantiles, other) = (Quantiles::default(), Quantiles::default());
        assert_eq!(quantiles.at(0.5), Duration::ZERO);
        (1..=99).for_each(|ms| quantiles.count(Duration::from_millis(ms)));
        other.count(Duration::from_secs(2));
        quantiles.add(&other);
        let (median, p99) = (quantiles.at(0.5).as_millis(), quantiles.at(0.99).as_millis());
        assert!((50..=62).contains(&median) && (99..=123).contains(&p99), "{median} {p99}");
        assert_eq!(quantiles.total(), Duration::from_millis(99 * 100 / 2 + 2_000));
        assert_eq!((quantiles.at(1.0), quantiles.max()), (Duration::from_secs(2), other.max()));
    }
}
