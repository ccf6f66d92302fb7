//! One pattern: starts its tasks, samples the server until they are done and their connections are
//! gone, and puts together what happened.

use std::time::Instant;

use anyhow::{Context, Result};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::sampler::{SAMPLE_INTERVAL, Sampler, now_ms};
use super::summary::TaskSummary;
use crate::engine::{CutOnDrop, Done, Load, Running, TaskEngine};
use crate::results::PatternResult;
use crate::server::Server;
use crate::stop::Stop;

pub(super) struct PatternRun<'a> {
    pub load: Load<'a>,
    /// The how manieth pattern of the run this is, and how many there are, rounds counted.
    pub place: (usize, usize),
    /// Runs since the start of the whole run.
    pub clock: Instant,
    pub stop: &'a Stop,
}

impl PatternRun<'_> {
    pub async fn run(&self, engine: &TaskEngine, server: &mut Server) -> Result<PatternResult> {
        let Load { settings, pattern, tasks, calls, .. } = self.load;
        let names = engine.names(&self.load);
        let bar = self.progress_bar();

        let from_ms = now_ms(self.clock);
        server.begin(pattern, settings.pool_size, names.clone()).await?;
        let used_before = server.used();
        let running = engine.begin(&self.load, server).await?;
        let mut sampler = Sampler::new(self.clock);
        let done = self.watch(running, server, &mut sampler, &bar).await?;
        let pooler = server.end_pooler().await;
        sampler.until_all_closed(server).await;
        bar.finish_and_clear();
        let sampled = sampler.finish(&mut server.counter).await;
        let used = server.used().zip(used_before);
        let tasks = TaskSummary::new(tasks, &done.records);
        Ok(PatternResult {
            name: pattern,
            round: self.load.round,
            user_agent: names.to_string(),
            tasks: tasks.tasks,
            calls_per_task: calls,
            drivers_created: tasks.drivers_created,
            connections: sampled.connections,
            refused: server.counter.refused(),
            logins: server.counter.logins(),
            pooler,
            airflow: done.airflow,
            first_answer: tasks.first_answer,
            connecting: tasks.connecting,
            query_ms: tasks.query_ms,
            call_ms: tasks.call_ms,
            task_s: tasks.task_s,
            from_ms,
            to_ms: now_ms(self.clock),
            wall_s: done.wall_s,
            task_cpu_s: tasks.cpu_s,
            task_memory_bytes: tasks.memory_bytes,
            server_cpu_s: used.map(|(after, before)| after.cpu_s - before.cpu_s),
            server_memory_bytes: used.map(|(after, _)| after.memory_bytes),
            missed_samples: sampled.missed,
            counting_error: sampled.error,
            samples: sampled.samples,
        })
    }

    /// Samples until the tasks are done.
    async fn watch(
        &self,
        mut running: Running,
        server: &mut Server,
        sampler: &mut Sampler,
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
                    sampler.sample(server, Some(&*running.control)).await;
                    bar.set_position(running.control.ended() as u64);
                    if let Some(last) = sampler.last() {
                        bar.set_message(format!("{} open, {} idle, {} in use", last.open, last.idle, last.in_use));
                    }
                },
            }
        }
    }

    fn progress_bar(&self) -> ProgressBar {
        let target = if self.load.settings.shows_progress {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(Some(self.load.tasks as u64), target);
        let style =
            ProgressStyle::with_template("{prefix} {bar:20} {pos:>4}/{len} tasks  {wide_msg}");
        bar.set_style(style.expect("the template is valid"));
        let (index, count) = self.place;
        bar.set_prefix(format!("{index}/{count} {:11}", self.load.pattern.name()));
        bar
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
