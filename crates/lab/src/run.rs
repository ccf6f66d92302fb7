//! The whole run: find the server, then pattern after pattern, each from an idle server, and write
//! down what happened. Whatever ends the run, its tasks end first and what was measured is kept.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;

use crate::counter::{Counter, Totals};
use crate::output::RunFolder;
use crate::processes::{CutOnDrop, Lifelines, PYTHON_WORKER_FILE, TaskRecord, run_all};
use crate::results::{
    Connections, FirstAnswer, Machine, PatternResult, Results, SCHEMA, Sample, SettingsInfo,
    Spread, Tasks,
};
use crate::server::{Server, ServerUse};
use crate::settings::{Pattern, Settings, Worker};
use crate::task::{Job, PYTHON_WORKER};

/// Tells a run to stop; the receiver's half goes into [`run`].
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<bool>);

impl Default for Stop {
    fn default() -> Self {
        Self(watch::channel(false).0)
    }
}

impl Stop {
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    async fn stopped(&self) {
        // The sender is `self`, so waiting can't fail.
        let _ = self.0.subscribe().wait_for(|stopped| *stopped).await;
    }
}

/// Runs everything and returns the folder and the results, which have been written.
///
/// # Errors
/// Nothing could be measured: the server is unreachable, the password wrong, the output folder
/// can't be written. Failed tasks are results.
pub async fn run(settings: &Settings, stop: &Stop) -> Result<(RunFolder, Results)> {
    let mut server = Server::start(&settings.engine).await?;
    let folder = RunFolder::create(&settings.out)?;
    let mut results = Results {
        schema: SCHEMA,
        boltbouncer: env!("CARGO_PKG_VERSION").into(),
        started: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        interrupted: false,
        machine: Machine {
            os: std::env::consts::OS.into(),
            arch: std::env::consts::ARCH.into(),
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
        },
        target: server.info(),
        settings: settings_info(settings),
        patterns: Vec::new(),
    };
    let clock = Instant::now();
    let mut outcome = Ok(());
    for pattern in &settings.patterns {
        if stop.is_stopped() {
            break;
        }
        let run = PatternRun { settings, pattern: *pattern, clock, stop, folder: &folder };
        match run.run(&mut server).await {
            Ok(result) => results.patterns.push(result),
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
    }
    results.interrupted = stop.is_stopped();
    server.counter.close().await;
    folder.write(&results)?;
    outcome.with_context(|| {
        format!("the run ended early; what was measured is in {}", folder.path().display())
    })?;
    Ok((folder, results))
}

fn settings_info(settings: &Settings) -> SettingsInfo {
    SettingsInfo {
        tasks: settings.tasks,
        parallelism: settings.parallelism,
        calls: settings.calls,
        hold_ms: settings.hold.as_millis() as u64,
        query: settings.query.clone(),
        worker: settings.worker.name().into(),
        driver: settings.worker.driver(),
        database: match &settings.engine {
            crate::Engine::Embedded => None,
            crate::Engine::Neo4j { database, .. } => database.clone(),
        },
    }
}

struct PatternRun<'a> {
    settings: &'a Settings,
    pattern: Pattern,
    clock: Instant,
    stop: &'a Stop,
    folder: &'a RunFolder,
}

impl PatternRun<'_> {
    async fn run(&self, server: &mut Server) -> Result<PatternResult> {
        let (tasks, calls) = self.pattern.load(self.settings);
        let user_agent = format!(
            "boltbouncer-lab/{} ({}; {})",
            env!("CARGO_PKG_VERSION"),
            self.pattern,
            self.folder.name(),
        );
        let logs = self.folder.logs(self.pattern)?;
        if let Worker::Python { .. } = self.settings.worker {
            let path = logs.join(PYTHON_WORKER_FILE);
            std::fs::write(&path, PYTHON_WORKER)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        let jobs: Vec<Job> =
            (0..tasks).map(|task| self.job(server, task, calls, &user_agent)).collect();
        let bar = self.progress_bar(tasks);

        server.counter.begin(&user_agent).await?;
        let used_before = server.used();
        let from_ms = self.now_ms();
        let began = Instant::now();
        let lifelines = Arc::new(Lifelines::default());
        let _cut = CutOnDrop(lifelines.clone());
        let processes = {
            let (worker, parallelism, lifelines) =
                (self.settings.worker.clone(), self.settings.parallelism, lifelines.clone());
            tokio::task::spawn_blocking(move || {
                run_all(&jobs, &worker, parallelism, &logs, &lifelines)
            })
        };
        let mut tally = Tally::default();
        let records =
            self.watch(processes, &lifelines, &mut server.counter, &mut tally, &bar).await?;
        let wall_s = began.elapsed().as_secs_f64();
        self.until_all_closed(&mut server.counter, &mut tally).await;
        bar.finish_and_clear();
        let connections = self.totals(&mut server.counter, &mut tally).await;
        let used = server.used().zip(used_before).map(|(after, before)| after.since(before));
        Ok(PatternResult {
            from_ms,
            to_ms: self.now_ms(),
            calls_per_task: calls,
            user_agent,
            connections,
            wall_s,
            samples: tally.samples,
            missed_samples: tally.missed,
            counting_error: tally.error,
            server_cpu_s: used.map(|used| used.cpu_s),
            server_memory_bytes: used.map(|used| used.memory_bytes),
            ..summed_up(self.pattern, tasks, records)
        })
    }

    fn job(&self, server: &Server, task: usize, calls: usize, user_agent: &str) -> Job {
        Job {
            pattern: self.pattern,
            task,
            calls,
            hold_ms: self.settings.hold.as_millis() as u64,
            query: self.settings.query.clone(),
            uri: server.uri.clone(),
            user: server.user.clone(),
            password: server.password.expose().to_owned(),
            database: server.database.clone(),
            user_agent: user_agent.to_owned(),
            started_ns: 0,
        }
    }

    /// Samples until the tasks are done. A sample that fails is missed; the tasks go on.
    async fn watch(
        &self,
        mut processes: tokio::task::JoinHandle<Result<Vec<TaskRecord>>>,
        lifelines: &Arc<Lifelines>,
        counter: &mut Counter,
        tally: &mut Tally,
        bar: &ProgressBar,
    ) -> Result<Vec<TaskRecord>> {
        // Cuts at once when the run is stopped, even while a sample waits for the server.
        let _stopping = AbortOnDrop(tokio::spawn({
            let (stop, lifelines) = (self.stop.clone(), lifelines.clone());
            async move {
                stop.stopped().await;
                lifelines.cut();
            }
        }));
        let mut tick = tokio::time::interval(SAMPLE_INTERVAL);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                records = &mut processes => return records.context("the lab's own task failed")?,
                _ = tick.tick() => {
                    self.sample(counter, &lifelines.running(), tally).await;
                    bar.set_position(lifelines.done() as u64);
                    if let Some(last) = tally.samples.last() {
                        bar.set_message(format!("{} open, {} idle, {} in use", last.open, last.idle, last.in_use));
                    }
                },
            }
        }
    }

    async fn sample(&self, counter: &mut Counter, pids: &[u32], tally: &mut Tally) {
        match tokio::time::timeout(SAMPLE_TIME_MAX, counter.sample(self.now_ms(), pids)).await {
            Ok(Ok(sample)) => tally.samples.push(sample),
            Ok(Err(error)) => tally.miss(&error),
            Err(_) => {
                tally.miss(&anyhow::anyhow!("the server did not answer within {SAMPLE_TIME_MAX:?}"))
            }
        }
    }

    /// The server notices a closed socket a moment later; the next pattern begins from zero.
    async fn until_all_closed(&self, counter: &mut Counter, tally: &mut Tally) {
        let end = Instant::now() + CLOSING_TIME_MAX;
        loop {
            let known = tally.samples.len();
            self.sample(counter, &[], tally).await;
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
            Totals { opened: last.opened, closed: last.closed, peaks: None }
        });
        // The last sample is the truth of the end, not of a tenth of a second before it.
        let open = totals.opened - totals.closed;
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

fn connections(totals: Totals, samples: &[Sample]) -> Connections {
    let peak = |part: fn(&Sample) -> u64| samples.iter().map(part).max().unwrap_or(0);
    let sampled = (peak(|s| s.open), peak(|s| s.idle), peak(|s| s.in_use));
    let (peak_open, peak_idle, peak_in_use) = totals.peaks.unwrap_or(sampled);
    Connections {
        opened: totals.opened,
        closed: totals.closed,
        peak_open,
        peak_idle,
        peak_in_use,
        others: 0,
    }
}

/// What the tasks themselves and the kernel say of them.
fn summed_up(pattern: Pattern, tasks: usize, records: Vec<TaskRecord>) -> PatternResult {
    let mut failures = std::collections::BTreeMap::new();
    for (code, count) in records.iter().flat_map(|record| &record.outcome.failures) {
        *failures.entry(code.clone()).or_default() += count;
    }
    let failed = records.iter().filter(|record| !record.outcome.failures.is_empty()).count() as u64;
    let (total, finished) = (tasks as u64, records.len() as u64);
    let answered: Vec<_> = records
        .iter()
        .filter_map(|r| Some((r.outcome.first_answer_ms?, r.outcome.connecting_ms)))
        .collect();
    let spent: f64 = answered.iter().map(|(first, _)| first).sum();
    let connecting: f64 = answered.iter().map(|(_, connecting)| connecting).sum();
    let first = Spread::of(answered.iter().map(|(first, _)| *first).collect());
    PatternResult {
        name: pattern,
        tasks: Tasks {
            total,
            succeeded: finished - failed,
            failed,
            unfinished: total - finished,
            failures,
        },
        drivers_created: records.iter().map(|record| record.outcome.drivers_created).sum(),
        first_answer: first.map(|ms| FirstAnswer { ms, connecting_share: connecting / spent }),
        query_ms: Spread::of(
            records.iter().flat_map(|record| record.outcome.query_ms.clone()).collect(),
        ),
        task_cpu_s: records.iter().map(|record| record.cpu_s).sum(),
        task_memory_bytes: records.iter().map(|record| record.memory_bytes).max().unwrap_or(0),
        user_agent: String::new(),
        calls_per_task: 0,
        connections: Connections::default(),
        from_ms: 0,
        to_ms: 0,
        wall_s: 0.0,
        server_cpu_s: None,
        server_memory_bytes: None,
        missed_samples: 0,
        counting_error: None,
        samples: Vec::new(),
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
