//! Airflow as task engine: a pattern is a DAG, a run of the pattern a run of that DAG.

mod run;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use airflow::native::Options;
use airflow::{Api, ApiError, Native};
use anyhow::{Context, Result, bail};
use bolt::message::Secret;

use super::{Load, Running};
use crate::counter::{CountedBy, Names};
use crate::output::RunFolder;
use crate::results::AirflowInfo;
use crate::run::Stop;
use crate::server::Server;
use crate::settings::{NativeAirflow, Pattern, Settings};
use run::{DagControl, DagJob, watch};

#[derive(Debug)]
pub(crate) struct Dags {
    api: Api,
    url: String,
    /// The Airflow that was started for the run.
    native: Option<Arc<Mutex<Native>>>,
    executor: Option<String>,
}

impl Dags {
    pub async fn native(
        choice: &NativeAirflow,
        settings: &Settings,
        server: &Server,
        folder: &RunFolder,
        stop: &Stop,
    ) -> Result<Self> {
        let native = start_native(choice, settings.parallelism, server, folder, stop).await?;
        Ok(Self {
            api: native.api().clone(),
            url: native.login().url.clone(),
            executor: Some(choice.executor.to_string()),
            native: Some(Arc::new(Mutex::new(native))),
        })
    }

    /// Checks that everything is there before anything runs.
    pub async fn existing(
        url: &str,
        user: &str,
        password: &Secret,
        settings: &Settings,
        server: &Server,
    ) -> Result<Self> {
        if server.counter.counted_by() == CountedBy::Sockets {
            bail!(
                "this server does not let its connections be listed, and the sockets of tasks somewhere else can't be counted; use a user who may call dbms.listConnections, or --airflow-version"
            );
        }
        let (patterns, address) = (settings.patterns.clone(), url.to_owned());
        let (user, password) = (user.to_owned(), password.clone());
        let api = tokio::task::spawn_blocking(move || -> Result<Api> {
            let api = Api::connect(&address, &user, password.expose())?;
            if let Some(part) = api.unhealthy()? {
                bail!("Airflow's {part} does not run, so that no task would; start it first");
            }
            patterns.iter().try_for_each(|pattern| check_dag(&api, *pattern))?;
            Ok(api)
        });
        let api = api.await.context("the lab's own task failed")??;
        Ok(Self { api, url: url.to_owned(), native: None, executor: None })
    }

    pub async fn begin(&self, load: &Load<'_>) -> Result<Running> {
        let (tasks, calls) = load.pattern.load(load.settings);
        let job = DagJob {
            dag: load.pattern.dag(),
            run: run_id(load),
            conf: serde_json::json!({
                "tasks": tasks,
                "calls": calls,
                "hold_ms": load.settings.hold.as_millis() as u64,
                "query": load.settings.query,
            }),
            tasks,
            standstill_max: STANDSTILL_MAX + load.settings.hold.saturating_mul(calls as u32),
            unpause: self.native.is_some(),
        };
        let control = Arc::new(DagControl::new(self.native.clone()));
        let done = tokio::task::spawn_blocking({
            let (api, control) = (self.api.clone(), control.clone());
            move || watch(&api, &job, &control)
        });
        Ok(Running { done, control })
    }

    pub fn info(&self) -> AirflowInfo {
        let native = self.native.as_ref().map(|native| locked(native));
        AirflowInfo {
            version: self.api.version().to_owned(),
            url: self.url.clone(),
            native: native.is_some(),
            executor: self.executor.clone(),
            database: native.as_ref().map(|native| native.database().to_owned()),
            python: native.as_ref().map(|native| native.installation().python.clone()),
        }
    }

    pub fn driver(&self) -> String {
        let native = self.native.as_ref();
        let version = native.map(|native| locked(native).installation().driver_version());
        format!("neo4j (Python) {}", version.unwrap_or_default()).trim_end().to_owned()
    }
}

/// Starts an Airflow whose tasks use `server`; its logs go into `folder`.
pub(crate) async fn start_native(
    choice: &NativeAirflow,
    parallelism: usize,
    server: &Server,
    folder: &RunFolder,
    stop: &Stop,
) -> Result<Native> {
    let options = Options {
        version: choice.version,
        executor: choice.executor,
        python: choice.python.clone(),
        port: choice.port,
        parallelism,
        folder: std::path::absolute(folder.path())?.join("airflow"),
        variables: variables(server)?,
        keeper: choice.keeper.clone(),
    };
    let stop = stop.clone();
    let start = move || Native::start(&options, &|| stop.is_stopped());
    let native = tokio::task::spawn_blocking(start).await.context("the lab's own task failed")?;
    native.with_context(|| format!("cannot start Airflow {}", choice.version))
}

/// The words that the user agents of a run's tasks share, and no other's have. A hook can't name
/// itself.
pub(super) fn names(load: &Load<'_>) -> Names {
    match load.pattern {
        Pattern::Hook => Names::NewFrom("neo4j-python/"),
        pattern => Names::Containing(format!("(dag={}; run={};", pattern.dag(), run_id(load))),
    }
}

fn run_id(load: &Load<'_>) -> String {
    format!("boltbouncer-{}-{}", load.folder.name(), load.pattern)
}

fn check_dag(api: &Api, pattern: Pattern) -> Result<()> {
    let dag = pattern.dag();
    match api.dag(dag) {
        Ok(found) if found.is_paused => {
            bail!("the DAG {dag} is paused; unpause it with `airflow dags unpause {dag}`")
        }
        Ok(_) => Ok(()),
        Err(ApiError::NotFound(_)) => bail!(
            "this Airflow has no DAG {dag}; put the files of airflow/dags into its DAG folder, and look for import errors with `airflow dags list-import-errors`"
        ),
        Err(error) => bail!(error),
    }
}

/// What the DAG files ask the environment for.
fn variables(server: &Server) -> Result<Vec<(String, String)>> {
    let mut variables = vec![
        ("NEO4J_URI", server.uri(Pattern::Problematic)?),
        ("NEO4J_POOLED_URI", server.uri(Pattern::Pooled)?),
        ("NEO4J_USERNAME", server.user.clone()),
        ("NEO4J_PASSWORD", server.password.expose().to_owned()),
    ];
    variables.extend(server.database.clone().map(|database| ("NEO4J_DATABASE", database)));
    let admin =
        server.pooler_admin().map(|admin| ("BOLTBOUNCER_ADMIN_URL", format!("http://{admin}")));
    variables.extend(admin);
    Ok(variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// A busy Airflow takes its time, but something moves every few seconds.
const STANDSTILL_MAX: Duration = Duration::from_secs(10 * 60);

fn locked(native: &Mutex<Native>) -> MutexGuard<'_, Native> {
    native.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pattern_has_its_dag() {
        for pattern in Pattern::ALL {
            assert!(airflow::native::DAGS.contains(&pattern.dag()), "{}", pattern.dag());
        }
    }
}
