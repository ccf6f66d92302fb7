//! Airflow as task engine: each pattern is a DAG, and running the pattern means one run of that DAG.

mod run;

use std::sync::Arc;
use std::time::Duration;

use airflow::{Api, ApiError};
use anyhow::{Context, Result, bail};
use bolt::message::Secret;

use super::load::Load;
use super::native::SharedNative;
use super::running::Running;
use crate::counter::Names;
use crate::output::RunFolder;
use crate::results::{AirflowInfo, CountedBy};
use crate::server::Server;
use crate::settings::{NativeAirflow, Pattern, Settings};
use crate::stop::Stop;
use run::{DagControl, DagJob, watch};

#[derive(Debug)]
pub(crate) struct Dags {
    api: Api,
    url: String,
    /// The Airflow, if it was started for the run; `None` if it was there already.
    native: Option<SharedNative>,
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
        let native =
            SharedNative::start(choice, settings.parallelism, server, folder, stop).await?;
        Ok(Self {
            api: native.api(),
            url: native.login().url,
            executor: Some(choice.executor.to_string()),
            native: Some(native),
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
        let Load { tasks, calls, .. } = *load;
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
        let native = self.native.as_ref();
        AirflowInfo {
            version: self.api.version().to_owned(),
            url: self.url.clone(),
            native: native.is_some(),
            executor: self.executor.clone(),
            database: native.map(|native| native.database().to_owned()),
            python: native.map(SharedNative::python),
        }
    }

    pub fn driver(&self) -> String {
        let version = self.native.as_ref().map(SharedNative::driver_version);
        format!("neo4j (Python) {}", version.unwrap_or_default()).trim_end().to_owned()
    }
}

/// The words that the user agents of this run's tasks share and that no other user agent has. The
/// provider's hook lets nobody choose its user agent.
pub(super) fn names(load: &Load<'_>) -> Names {
    match load.pattern {
        Pattern::Hook => Names::NewFrom("neo4j-python/"),
        pattern => Names::Containing(format!("(dag={}; run={};", pattern.dag(), run_id(load))),
    }
}

fn run_id(load: &Load<'_>) -> String {
    format!("boltbouncer-{}-{}", load.folder.name(), load.name())
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

/// A busy Airflow is slow, but the state of some task changes every few seconds.
const STANDSTILL_MAX: Duration = Duration::from_secs(10 * 60);

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
