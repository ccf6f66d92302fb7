//! One turn of a target: for a moment all its clients work at once, and no other target is loaded.

use std::collections::BTreeMap;
use std::mem;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use client::ClientError;
use net::DialError;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::client::Client;
use crate::measurement::{Counts, Measurement};
use crate::pace::Pace;
use crate::process::Usage;
use crate::sample::Sample;
use crate::settings::NamedProcess;

/// Says whether the run is to end before its time.
pub type IsStopped = Arc<dyn Fn() -> bool + Send + Sync>;

pub(crate) struct Turn<'a> {
    /// The first part of the turn, in which all clients start at once. Nothing of it counts.
    pub settle: Duration,
    /// The part of the turn that counts.
    pub duration: Duration,
    pub rate: Option<f64>,
    pub is_stopped: IsStopped,
    pub processes: &'a [NamedProcess],
}

impl Turn<'_> {
    /// Has all clients work until the time is over and every answer has come. `None` if the run was
    /// ended before anything counted.
    pub async fn run(&self, clients: &mut Vec<Client>) -> Option<TurnResult> {
        let counts = Arc::new(Mutex::new(Counts::default()));
        let at_start = Usage::read(self.processes);
        let start = Instant::now();
        let window = Window { from: start + self.settle, until: start + self.length() };
        let mut working =
            pin!(self.start_clients(mem::take(clients), start, window, &counts).join_all());
        let mut before = at_start;
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
        let counts = mem::take(&mut *locked(&counts));
        Some(TurnResult { measurement: Measurement::new(counts, rate), before, after })
    }

    fn start_clients(
        &self,
        clients: Vec<Client>,
        start: Instant,
        window: Window,
        counts: &Arc<Mutex<Counts>>,
    ) -> JoinSet<(Client, f64)> {
        let (number_of_clients, length) = (clients.len(), self.length());
        let mut working = JoinSet::new();
        for (number, client) in clients.into_iter().enumerate() {
            let pace = match self.rate {
                Some(rate) => Pace::open(start, length, rate, number_of_clients, number),
                None => Pace::closed(start, length),
            };
            let is_stopped = self.is_stopped.clone();
            working.spawn(work(client, pace, window, counts.clone(), is_stopped));
        }
        working
    }

    fn length(&self) -> Duration {
        self.settle + self.duration
    }
}

/// What the clients measured, and what the processes had used at the beginning and at the end of that.
pub(crate) struct TurnResult {
    measurement: Measurement,
    before: Usage,
    after: Usage,
}

impl TurnResult {
    pub fn sample(&self) -> Sample {
        self.measurement.sample(self.after.cpu_since(&self.before), self.after.memory())
    }

    /// All turns of one target together.
    pub fn total(turns: &[Self]) -> Sample {
        let cpu_of_turns: Vec<_> =
            turns.iter().map(|turn| turn.after.cpu_since(&turn.before)).collect();
        let mut cpu_s = BTreeMap::new();
        for (process, seconds) in cpu_of_turns.iter().flatten() {
            *cpu_s.entry(process.clone()).or_default() += seconds;
        }
        // A process that has ended during the run has no processor time for the whole run.
        cpu_s.retain(|process, _| cpu_of_turns.iter().all(|cpu| cpu.contains_key(process)));
        let memory = turns.last().map(|turn| turn.after.memory()).unwrap_or_default();
        Measurement::sum(turns.iter().map(|turn| &turn.measurement)).sample(cpu_s, memory)
    }
}

/// The part of a turn that counts.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: Instant,
    until: Instant,
}

impl Window {
    /// Whether an operation is part of what is measured. One that began too early counts only if it took
    /// until the end of the turn: otherwise a server that never answers would look idle.
    fn counts(&self, began: Instant, done: Instant) -> bool {
        began >= self.from || done >= self.until
    }
}

/// Returns the client, and how many operations it did per second.
async fn work(
    mut client: Client,
    mut pace: Pace,
    window: Window,
    counts: Arc<Mutex<Counts>>,
    is_stopped: IsStopped,
) -> (Client, f64) {
    let mut progress = Progress { since: window.from, last: window.from, done: 0 };
    while let Some(from) = pace.next().await {
        let outcome = client.run_next().await;
        let now = Instant::now();
        let failed_to_connect = matches!(outcome, Err(ClientError::Dial(DialError::Connect(_))));
        if window.counts(from, now) {
            progress.note(now, outcome.is_ok());
            locked(&counts).note(now - from, outcome);
        } else {
            progress.since = progress.since.max(now);
        }
        if is_stopped() {
            return (client, progress.rate(window.until.min(now)));
        }
        if failed_to_connect {
            // Without a pause, a target that is gone would be dialled as often as the processor allows.
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }
    if pace.missed > 0 {
        locked(&counts).fail("not begun in time".into(), pace.missed);
    }
    (client, progress.rate(window.until))
}

/// How far one client has come in its turn.
#[derive(Debug)]
struct Progress {
    /// When the client's counted time began: with the window, or with the end of an operation that had
    /// begun before the window.
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

    /// Operations per second. The client was at work at least until `until`.
    fn rate(&self, until: Instant) -> f64 {
        let seconds = (self.last.max(until) - self.since).as_secs_f64();
        if self.done > 0 { self.done as f64 / seconds } else { 0.0 }
    }
}

fn locked(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

const RETRY_PAUSE: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;

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
        // The last operation was still under way when the time was over, and was waited for.
        assert_eq!(rate(0, &[500, 1000, 2000]), 1.5);
        // It did nothing in the second half.
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
