//! An Airflow that is set up and started for a run or for a playground, and whose tasks use its server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use airflow::native::{Login, Options};
use airflow::{Api, Native};
use anyhow::{Context, Result};

use crate::output::RunFolder;
use crate::server::Server;
use crate::settings::{NativeAirflow, Pattern};
use crate::stop::Stop;

/// Clones are one and the same Airflow. It ends when the last of them is dropped, which blocks for a
/// moment.
#[derive(Clone, Debug)]
pub(crate) struct SharedNative(Arc<Mutex<Native>>);

impl SharedNative {
    /// Starts an Airflow whose tasks use `server`; its logs go into `folder`.
    ///
    /// # Errors
    /// Something is not installed or does not start, or `stop` was told.
    pub async fn start(
        choice: &NativeAirflow,
        parallelism: usize,
        server: &Server,
        folder: &RunFolder,
        stop: &Stop,
    ) -> Result<Self> {
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
        let native =
            tokio::task::spawn_blocking(start).await.context("the lab's own task failed")?;
        let native = native.with_context(|| format!("cannot start Airflow {}", choice.version))?;
        Ok(Self(Arc::new(Mutex::new(native))))
    }

    /// # Errors
    /// A part of this Airflow has ended by itself.
    pub fn check(&self) -> Result<()> {
        self.lock().check()
    }

    /// What the scheduler's log tells about what went wrong, and where it is.
    pub fn told_by_scheduler(&self) -> String {
        self.lock().told("scheduler")
    }

    /// Process ids of everything that runs, the tasks among them.
    pub fn processes(&self) -> Vec<u32> {
        self.lock().processes()
    }

    pub fn api(&self) -> Api {
        self.lock().api().clone()
    }

    pub fn login(&self) -> Login {
        self.lock().login().clone()
    }

    /// The database that Airflow keeps its own state in.
    pub fn database(&self) -> &'static str {
        self.lock().database()
    }

    /// The version of the Python that runs it.
    pub fn python(&self) -> String {
        self.lock().installation().python.clone()
    }

    /// The version of the driver that its tasks use.
    pub fn driver_version(&self) -> &'static str {
        self.lock().installation().driver_version()
    }

    fn lock(&self) -> MutexGuard<'_, Native> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
