//! Samples the server while a pattern runs, and counts together what the samples show.

use std::time::{Duration, Instant};

use crate::counter::{Counter, Peaks, Totals};
use crate::engine::Control;
use crate::results::{Connections, CountedBy, Sample};
use crate::server::Server;

#[derive(Debug)]
pub(super) struct Sampler {
    /// The run's clock: samples are dated from its start.
    clock: Instant,
    samples: Vec<Sample>,
    /// So many samples were taken while the tasks ran.
    under_load: Option<usize>,
    missed: u64,
}

/// What sampling a pattern brought.
#[derive(Debug)]
pub(super) struct Sampled {
    pub connections: Connections,
    pub samples: Vec<Sample>,
    /// Moments at which the server could not be asked.
    pub missed: u64,
    /// Why the totals could not be counted; they are then what the last sample said.
    pub error: Option<String>,
}

impl Sampler {
    pub fn new(clock: Instant) -> Self {
        Self { clock, samples: Vec::new(), under_load: None, missed: 0 }
    }

    /// Counts now. A sample that fails is missed, and nothing else.
    pub async fn sample(&mut self, server: &mut Server, control: Option<&dyn Control>) {
        // Looking for processes costs something, and only one way of counting wants them.
        let control = control.filter(|_| server.counter.counted_by() == CountedBy::Sockets);
        let pids = control.map(Control::processes).unwrap_or_default();
        if let Err(error) = server.counter.mend().await {
            self.miss(&error);
            return;
        }
        let sample = server.sample(now_ms(self.clock), &pids);
        match tokio::time::timeout(SAMPLE_TIME_MAX, sample).await {
            Ok(Ok(sample)) => self.samples.push(sample),
            Ok(Err(error)) => self.miss(&error),
            Err(_) => {
                self.miss(&anyhow::anyhow!("the server did not answer within {SAMPLE_TIME_MAX:?}"))
            }
        }
    }

    /// Waits until the pattern's connections are gone: the server notices a closed socket a moment
    /// later, and the next pattern begins from zero.
    pub async fn until_all_closed(&mut self, server: &mut Server) {
        self.under_load = Some(self.samples.len());
        let end = Instant::now() + CLOSING_TIME_MAX;
        loop {
            let known = self.samples.len();
            self.sample(server, None).await;
            let is_idle = self.samples.len() > known && self.samples[known].open == 0;
            if is_idle || Instant::now() > end {
                return;
            }
            tokio::time::sleep(SAMPLE_INTERVAL).await;
        }
    }

    pub fn last(&self) -> Option<&Sample> {
        self.samples.last()
    }

    /// The pattern's totals. If the server can't be asked any more, they are what the last sample said.
    pub async fn finish(self, counter: &mut Counter) -> Sampled {
        let last = self.samples.last().copied().unwrap_or_default();
        let (totals, error) = match counter.finish().await {
            Ok(totals) => (totals, None),
            Err(error) => (last_known(&last), Some(format!("{error:#}"))),
        };
        let under_load = self.under_load.unwrap_or(self.samples.len());
        let mut samples = self.samples;
        samples.push(at_the_end(now_ms(self.clock), totals, &last));
        let mut connections = connections(totals, &samples, counter.others_seen());
        connections.deviation =
            deviation(samples[..under_load].iter().map(|sample| sample.open as f64));
        Sampled { connections, samples, missed: self.missed, error }
    }

    fn miss(&mut self, error: &anyhow::Error) {
        tracing::warn!("a sample was missed: {error:#}");
        self.missed += 1;
    }
}

fn last_known(last: &Sample) -> Totals {
    Totals { opened: last.opened, closed: last.closed, open: last.open, peaks: None }
}

/// The state at the end, which the last sample would show as it was a tenth of a second earlier.
fn at_the_end(at_ms: u64, totals: Totals, last: &Sample) -> Sample {
    let Totals { opened, closed, open, .. } = totals;
    let in_use = last.in_use.min(open);
    Sample { at_ms, opened, closed, open, idle: open - in_use, in_use, others: last.others }
}

fn connections(totals: Totals, samples: &[Sample], others: u64) -> Connections {
    let peak = |part: fn(&Sample) -> u64| samples.iter().map(part).max().unwrap_or(0);
    let sampled =
        || Peaks { open: peak(|s| s.open), idle: peak(|s| s.idle), in_use: peak(|s| s.in_use) };
    let peaks = totals.peaks.unwrap_or_else(sampled);
    Connections {
        opened: totals.opened,
        closed: totals.closed,
        peak_open: peaks.open,
        peak_idle: peaks.idle,
        peak_in_use: peaks.in_use,
        others,
        deviation: 0.0,
    }
}

/// The standard deviation; zero of nothing.
fn deviation(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    (values.map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
}

/// Milliseconds since the run's start.
pub(super) fn now_ms(clock: Instant) -> u64 {
    clock.elapsed().as_millis() as u64
}

pub(super) const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);
/// A server that takes longer to list its connections is too busy to be measured just then.
const SAMPLE_TIME_MAX: Duration = Duration::from_secs(5);
const CLOSING_TIME_MAX: Duration = Duration::from_secs(5);
