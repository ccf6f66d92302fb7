//! The whole run: finds the server, then runs pattern after pattern, each from an idle server, and
//! writes down what happened. Whatever ends the run, its tasks end first and what was measured is kept.

mod pattern;
mod sampler;
mod summary;

use std::time::Instant;

use anyhow::{Context, Result};

use self::pattern::PatternRun;
use crate::engine::{Load, TaskEngine};
use crate::output::RunFolder;
use crate::results::{Machine, PatternResult, Results, SCHEMA, SettingsInfo};
use crate::server::Server;
use crate::settings::{Engine, ServerChoice, Settings};
use crate::stop::Stop;

/// Runs everything and returns the folder and the results, which have been written.
///
/// # Errors
/// Nothing could be measured: the server is unreachable, the password wrong, the output folder
/// can't be written. Failed tasks are results.
pub async fn run(settings: &Settings, stop: &Stop) -> Result<(RunFolder, Results)> {
    let mut server = Server::start(&settings.server, settings.engine.pooler_listen()).await?;
    let folder = RunFolder::create(&settings.out)?;
    let started = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let engine = TaskEngine::start(settings, &server, &folder, stop).await;
    let mut results = Results {
        schema: SCHEMA,
        boltbouncer: env!("CARGO_PKG_VERSION").into(),
        started,
        interrupted: false,
        failed: None,
        machine: machine(),
        target: server.info(),
        airflow: engine.as_ref().ok().and_then(TaskEngine::airflow),
        settings: settings_info(
            settings,
            engine.as_ref().map(TaskEngine::driver).unwrap_or_default(),
        ),
        patterns: Vec::new(),
    };
    let outcome = match engine {
        Ok(engine) => {
            let ran = run_patterns(settings, &engine, &mut server, &folder, stop).await;
            engine.end().await;
            results.patterns = ran.0;
            ran.1
        }
        // Nothing was started, so nobody needs a page.
        Err(error) if folder.remove_if_empty() => {
            server.counter.close().await;
            return Err(error);
        }
        Err(error) => Err(error),
    };
    server.counter.close().await;
    results.interrupted = stop.is_stopped();
    results.failed = outcome.as_ref().err().map(|error| format!("{error:#}"));
    folder.write(&results)?;
    outcome.with_context(|| {
        format!("the run ended early; what is known of it is in {}", folder.path().display())
    })?;
    Ok((folder, results))
}

/// The results of the patterns that ran, and why the others could not.
async fn run_patterns(
    settings: &Settings,
    engine: &TaskEngine,
    server: &mut Server,
    folder: &RunFolder,
    stop: &Stop,
) -> (Vec<PatternResult>, Result<()>) {
    let clock = Instant::now();
    let mut patterns = Vec::new();
    for pattern in &settings.patterns {
        if stop.is_stopped() {
            break;
        }
        let run = PatternRun { load: Load::new(settings, *pattern, folder), clock, stop };
        match run.run(engine, server).await {
            Ok(result) => patterns.push(result),
            Err(error) => return (patterns, Err(error)),
        }
    }
    (patterns, Ok(()))
}

fn machine() -> Machine {
    Machine {
        os: std::env::consts::OS.into(),
        arch: std::env::consts::ARCH.into(),
        cpus: std::thread::available_parallelism().map_or(1, usize::from),
    }
}

fn settings_info(settings: &Settings, driver: String) -> SettingsInfo {
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
        driver,
        database: match &settings.server {
            ServerChoice::Embedded => None,
            ServerChoice::Neo4j { database, .. } => database.clone(),
        },
    }
}
