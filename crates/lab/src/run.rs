//! The whole run: find the server, then pattern after pattern, each from an idle server, and write
//! down what happened. Whatever ends the run, its tasks end first and what was measured is kept.

mod pattern;
mod summary;

use std::time::Instant;

use anyhow::{Context, Result};
use tokio::sync::watch;

use crate::engine::TaskEngine;
use crate::output::RunFolder;
use crate::results::{Machine, Results, SCHEMA, SettingsInfo};
use crate::server::Server;
use crate::settings::{Engine, ServerChoice, Settings};

use pattern::PatternRun;
#[cfg(test)]
pub(crate) use summary::summed_up;

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

    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    pub(crate) async fn stopped(&self) {
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
    let mut server = Server::start(&settings.server, settings.engine.pooler_listen()).await?;
    let folder = RunFolder::create(&settings.out)?;
    let engine = match TaskEngine::start(settings, &server, &folder, stop).await {
        Ok(engine) => engine,
        Err(error) => {
            folder.remove_if_empty();
            server.counter.close().await;
            return Err(error);
        }
    };
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
        airflow: engine.airflow(),
        settings: settings_info(settings, &engine),
        patterns: Vec::new(),
    };
    let clock = Instant::now();
    let mut outcome = Ok(());
    for pattern in &settings.patterns {
        if stop.is_stopped() {
            break;
        }
        let run = PatternRun { settings, pattern: *pattern, clock, stop, folder: &folder };
        match run.run(&engine, &mut server).await {
            Ok(result) => results.patterns.push(result),
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
    }
    results.interrupted = stop.is_stopped();
    engine.end().await;
    server.counter.close().await;
    folder.write(&results)?;
    outcome.with_context(|| {
        format!("the run ended early; what was measured is in {}", folder.path().display())
    })?;
    Ok((folder, results))
}

fn settings_info(settings: &Settings, engine: &TaskEngine) -> SettingsInfo {
    let worker = match &settings.engine {
        Engine::Local(worker) => worker.name(),
        Engine::NativeAirflow(_) | Engine::ExistingAirflow { .. } => "airflow",
    };
    let is_ours = !matches!(settings.engine, Engine::ExistingAirflow { .. });
    SettingsInfo {
        tasks: settings.tasks,
        parallelism: is_ours.then_some(settings.parallelism),
        calls: settings.calls,
        hold_ms: settings.hold.as_millis() as u64,
        query: settings.query.clone(),
        pool_size: settings.pool_size,
        worker: worker.into(),
        driver: engine.driver(),
        database: match &settings.server {
            ServerChoice::Embedded => None,
            ServerChoice::Neo4j { database, .. } => database.clone(),
        },
    }
}
