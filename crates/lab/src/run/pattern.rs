//! One pattern: starts its tasks, samples the server until they are done and their connections gone,
//! and puts together what happened.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Stop;
use super::summary::{connections, summed_up};
use crate::counter::{CountedBy, Counter, Totals};
use crate::engine::{Control, CutOnDrop, Done, Load, Running, TaskEngine};
use crate::output::RunFolder;
use crate::results::{Connections, PatternResult, Sample};
use crate::server::{Server, ServerUse};
use crate::settings::{Pattern, Settings};

pub(super) struct PatternRun<'a> {
    pub settings: &'a Settings,
    pub pattern: Pattern,
    pub clock: Instant,
    pub stop: &'a Stop,
    pub folder: &'a RunFolder,
}

impl PatternRun<'_> {
    pub async fn run(&self, engine: &TaskEngine, server: &mut Server) -> Result<PatternResult> {
        let (tasks, calls) = self.pattern.load(self.settings);
        let load = Load { settings: self.settings, pattern: self.pattern, folder: self.folder };
        let names = engine.names(&load);
        let bar = self.progress_bar(tasks);

        let from_ms = self.now_ms();
        server.begin(self.pattern, self.settings.pool_size, names.clone()).await?;
        let used_before = server.used();
        let running = engine.begin(&load, server).await?;
        let mut tally = Tally::default();
        let Done { records, wall_s, airflow } =
            self.watch(running, server, &mut tally, &bar).await?;
        let pooler = server.end_pooler().await;
        self.until_all_closed(server, &mut tally).await;
        bar.finish_and_clear();
        let connections = self.totals(&mut server.counter, &mut tally).await;
        let used = server.used().zip(used_before).map(|(after, before)| after.since(before));
        Ok(PatternResult {
            from_ms,
            to_ms: self.now_ms(),
            calls_per_task: calls,
            user_agent: names.to_string(),
            airflow,
            connections,
            pooler,
            wall_s,
            samples: tally.samples,
            missed_samples: tally.missed,
            counting_error: tally.error,
            server_cpu_s: used.map(|used| used.cpu_s),
            server_memory_bytes: used.map(|used| used.memory_bytes),
            ..summed_up(self.pattern, tasks, records)
        })
    }

    /// Samples until the tasks are done. A sample that fails is missed; the tasks go on.
    async fn watch(
        &self,
        mut running: Running,
        server: &mut Server,
        tally: &mut Tally,
        bar: &ProgressBar,
    ) -> Result<Done> {
        let _cut = CutOnDrop(running.control.clone());
        // Cuts at once when the run is stopped, even while a sample waits for the server.
        let _stopping = AbortOnDrop(tokio::spawn({
            let (stop, control) = (self.stop.clone(), running.control.clone());
            async move {
                stop.stopped().await;
                control.cut();
            }
        }));
        let mut tick = tokio::time::interval(SAMPLE_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                done = &mut running.done => return done.context("the lab's own task failed")?,
                _ = tick.tick() => {
                    self.sample(server, Some(&*running.control), tally).await;
                    bar.set_position(running.control.ended() as u64);
                    if let Some(last) = tally.samples.last() {
                        bar.set_message(format!("{} open, {} idle, {} in use", last.open, last.idle, last.in_use));
                    }
                },
            }
        }
    }

    async fn sample(&self, server: &mut Server, control: Option<&dyn Control>, tally: &mut Tally) {
        // Looking for processes costs something, and only one way of counting wants them.
        let control = control.filter(|_| server.counter.counted_by() == CountedBy::Sockets);
        let pids = control.map(Control::processes).unwrap_or_default();
        if let Err(error) = server.counter.mend().await {
            tally.miss(&error);
            return;
        }
        match tokio::time::timeout(SAMPLE_TIME_MAX, server.sample(self.now_ms(), &pids)).await {
            Ok(Ok(sample)) => tally.samples.push(sample),
            Ok(Err(error)) => tally.miss(&error),
            Err(_) => {
                tally.miss(&anyhow::anyhow!("the server did not answer within {SAMPLE_TIME_MAX:?}"))
            }
        }
    }

    /// The server notices a closed socket a moment later; the next pattern begins from zero.
    async fn until_all_closed(&self, server: &mut Server, tally: &mut Tally) {
        let end = Instant::now() + CLOSING_TIME_MAX;
        loop {
            let known = tally.samples.len();
            self.sample(server, None, tally).await;
            let is_idle = tally.samples.len() > known && tally.samples[known].open == 0;
            if is_idle || Instant::now() > end {
                return;
            }
            tokio::time::sleep(SAMPLE_INTERVAL).await;
        }
    }

    /// The pattern's totals; if the server can't be asked any more, what the last sample said.
    async fn totals(&self, counter: &mut Counter, tally: &mut Tally) -> Connections {
        let last = tally.samples.last().copied().unwrap_or_default();
        let totals = counter.finish().await.unwrap_or_else(|error| {
            tally.error = Some(format!("{error:#}"));
            Totals { opened: last.opened, closed: last.closed, open: last.open, peaks: None }
        });
        // The last sample is the truth of the end, not of a tenth of a second before it.
        let open = totals.open;
        let in_use = last.in_use.min(open);
        let (opened, closed) = (totals.opened, totals.closed);
        tally.samples.push(Sample {
            at_ms: self.now_ms(),
            opened,
            closed,
            open,
            idle: open - in_use,
            in_use,
            ..last
        });
        Connections { others: counter.others_seen(), ..connections(totals, &tally.samples) }
    }

    fn now_ms(&self) -> u64 {
        self.clock.elapsed().as_millis() as u64
    }

    fn progress_bar(&self, tasks: usize) -> ProgressBar {
        let target = if self.settings.shows_progress {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(tasks as u64), target);
        let style =
            ProgressStyle::with_template("{prefix:12} {bar:30} {pos:>4}/{len} tasks  {wide_msg}");
        bar.set_style(style.expect("the template is valid"));
        bar.set_prefix(self.pattern.name());
        bar
    }
}

/// What sampling a pattern brought.
#[derive(Debug, Default)]
struct Tally {
    samples: Vec<Sample>,
    missed: u64,
    error: Option<String>,
}

impl Tally {
    fn miss(&mut self, error: &anyhow::Error) {
        tracing::warn!("a sample was missed: {error:#}");
        self.missed += 1;
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl ServerUse {
    fn since(self, before: Self) -> Self {
        Self { cpu_s: self.cpu_s - before.cpu_s, ..self }
    }
}

const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);
/// A server that takes longer to list its connections is past being measured just then.
const SAMPLE_TIME_MAX: Duration = Duration::from_secs(5);
const CLOSING_TIME_MAX: Duration = Duration::from_secs(5);
