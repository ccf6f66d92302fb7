//! What the clients of one target measured: how many operations succeeded and failed, and one histogram
//! of all latencies.

use std::collections::BTreeMap;
use std::time::Duration;

use client::{ClientError, Tally};
use hdrhistogram::Histogram;
use net::DialError;

use crate::sample::{Latency, Sample};

/// What the clients of one target have counted so far.
#[derive(Clone, Debug)]
pub(crate) struct Counts {
    /// The latencies of the operations that succeeded, in nanoseconds.
    latency: Histogram<u64>,
    records: u64,
    bytes: u64,
    /// How many operations failed, by the reason.
    errors: BTreeMap<String, u64>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            latency: Histogram::new(SIGNIFICANT_DIGITS).expect("the digits are valid"),
            records: 0,
            bytes: 0,
            errors: BTreeMap::new(),
        }
    }
}

impl Counts {
    pub fn note(&mut self, took: Duration, outcome: Result<Tally, ClientError>) {
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

    pub fn fail(&mut self, reason: String, count: u64) {
        *self.errors.entry(reason).or_default() += count;
    }

    fn add(&mut self, other: &Self) {
        self.latency.add(&other.latency).expect("a histogram that grows takes any value");
        self.records += other.records;
        self.bytes += other.bytes;
        for (reason, count) in &other.errors {
            self.fail(reason.clone(), *count);
        }
    }
}

/// What a failed operation is counted as: the server's code, or what happened to the connection.
fn reason(error: &ClientError) -> String {
    match error {
        ClientError::Server(failure) => failure.code.clone(),
        ClientError::Dial(DialError::Resolve(_)) => "host not found".into(),
        ClientError::Dial(DialError::Connect(error)) => format!("not connected: {}", error.kind()),
        ClientError::Dial(DialError::Tls(_)) => "TLS failed".into(),
        ClientError::Handshake(_) | ClientError::Protocol(_) => "not Bolt".into(),
        ClientError::TimedOut(_) => "no answer in time".into(),
        ClientError::Closed | ClientError::Io(_) | ClientError::Dial(DialError::Io(_)) => {
            "connection closed".into()
        }
    }
}

/// What was counted, and the time that it took.
#[derive(Clone, Debug)]
pub(crate) struct Measurement {
    counts: Counts,
    elapsed: Duration,
}

impl Measurement {
    /// `rate` is the sum of what each client did per second while it was at work. The time follows from
    /// it: clients that wait in vain for an answer, or for longer than the others, don't make the others
    /// slower.
    pub fn new(counts: Counts, rate: f64) -> Self {
        let operations = counts.latency.len() as f64;
        let seconds = if rate > 0.0 { operations / rate } else { 0.0 };
        Self { counts, elapsed: Duration::from_secs_f64(seconds) }
    }

    /// All of them together.
    pub fn sum<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sum = Self { counts: Counts::default(), elapsed: Duration::ZERO };
        for part in parts {
            sum.counts.add(&part.counts);
            sum.elapsed += part.elapsed;
        }
        sum
    }

    /// The numbers that are shown, together with what the processes used meanwhile.
    pub fn sample(
        &self,
        cpu_s: BTreeMap<String, f64>,
        memory_bytes: BTreeMap<String, u64>,
    ) -> Sample {
        let counts = &self.counts;
        let (seconds, operations) = (self.elapsed.as_secs_f64(), counts.latency.len());
        let per_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        Sample {
            seconds,
            operations,
            throughput: per_second(operations),
            latency_us: (operations > 0).then(|| latency(&counts.latency)),
            records_per_s: per_second(counts.records),
            bytes_per_s: per_second(counts.bytes),
            errors: counts.errors.clone(),
            cpu_s,
            memory_bytes,
        }
    }
}

fn latency(histogram: &Histogram<u64>) -> Latency {
    let us = |quantile| histogram.value_at_quantile(quantile) as f64 / NS_PER_US;
    Latency {
        mean: histogram.mean() / NS_PER_US,
        p50: us(0.5),
        p90: us(0.9),
        p99: us(0.99),
        p999: us(0.999),
        max: histogram.max() as f64 / NS_PER_US,
    }
}

const NS_PER_US: f64 = 1000.0;
/// Latencies are true to a thousandth of themselves.
const SIGNIFICANT_DIGITS: u8 = 3;
/// Bounds the histogram's memory.
const LATENCY_MAX: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    /// What a client measures that runs one operation after the other.
    fn measurement(latencies_us: impl IntoIterator<Item = u64>) -> Measurement {
        let (mut counts, mut elapsed) = (Counts::default(), Duration::ZERO);
        for us in latencies_us {
            let took = Duration::from_micros(us);
            counts.note(took, Ok(Tally { records: 1, bytes: 10 }));
            elapsed += took;
        }
        Measurement { counts, elapsed }
    }

    #[test]
    fn percentiles_are_true_to_a_thousandth() {
        let counts = measurement(1..=10_000).counts;
        for (quantile, us) in [(0.5, 5000.0), (0.9, 9000.0), (0.99, 9900.0), (0.999, 9990.0)] {
            let found = counts.latency.value_at_quantile(quantile) as f64 / 1000.0;
            assert!((found / us - 1.0).abs() < 0.001, "{quantile}: {found} µs instead of {us}");
        }
        assert_eq!((counts.latency.len(), counts.records, counts.bytes), (10_000, 10_000, 100_000));
    }

    #[test]
    fn rounds_add_up() {
        let first = measurement([100, 200]);
        let mut other = measurement([1_000_000_000]);
        assert_eq!(other.elapsed, Duration::from_secs(1000));
        other.counts.note(Duration::from_secs(1), Err(ClientError::Closed));
        let total = Measurement::sum([&first, &other, &other]);
        assert_eq!(total.counts.latency.len(), 4);
        assert_eq!(total.counts.errors["connection closed"], 2);
        assert_eq!(total.elapsed, Duration::from_micros(300) + 2 * Duration::from_secs(1000));
        assert!(total.counts.latency.max() >= 999_000_000_000);
    }
}
