//! What runs a pattern's tasks: the lab itself, or Airflow. Either says how its tasks call themselves at
//! the server, starts them, and tells what became of each.

pub(crate) mod dags;
mod local;

use std::fmt;
use std::sync::Arc;

use anyhow::Result;
use tokio::task::JoinHandle;

use crate::counter::Names;
use crate::output::RunFolder;
use crate::processes::TaskRecord;
use crate::results::{AirflowInfo, AirflowRun};
use crate::run::Stop;
use crate::server::Server;
use crate::settings::{Engine, Pattern, Settings};

use dags::Dags;
use local::Local;

#[derive(Debug)]
pub(crate) enum TaskEngine {
    Local(Local),
    Airflow(Box<Dags>),
}

/// A pattern to run.
pub(crate) struct Load<'a> {
    pub settings: &'a Settings,
    pub pattern: Pattern,
    pub folder: &'a RunFolder,
}

/// Tasks under way.
#[derive(Debug)]
pub(crate) struct Running {
    pub done: JoinHandle<Result<Done>>,
    pub control: Arc<dyn Control>,
}

pub(crate) trait Control: fmt::Debug + Send + Sync {
    /// Ends every task and keeps others from starting.
    fn cut(&self);
    /// How many tasks have ended.
    fn ended(&self) -> usize;
    /// Process ids of the tasks that run, as far as they are known.
    fn processes(&self) -> Vec<u32>;
}

/// Ends the tasks when whoever started them is gone, for whatever reason.
#[derive(Debug)]
pub(crate) struct CutOnDrop(pub Arc<dyn Control>);

impl Drop for CutOnDrop {
    fn drop(&mut self) {
        self.0.cut();
    }
}

/// What became of a pattern's tasks.
#[derive(Debug)]
pub(crate) struct Done {
    pub records: Vec<TaskRecord>,
    /// From the first task's start to the last one's end.
    pub wall_s: f64,
    pub airflow: Option<AirflowRun>,
}

impl TaskEngine {
    /// Gets ready to run the patterns of `settings`, which may take a minute.
    ///
    /// # Errors
    /// Something is missing; the error names the fix.
    pub async fn start(
        settings: &Settings,
        server: &Server,
        folder: &RunFolder,
        stop: &Stop,
    ) -> Result<Self> {
        match &settings.engine {
            Engine::Local(worker) => Ok(Self::Local(Local(worker.clone()))),
            Engine::NativeAirflow(native) => {
                let dags = Dags::native(native, settings, server, folder, stop).await?;
                Ok(Self::Airflow(Box::new(dags)))
            }
            Engine::ExistingAirflow { url, user, password, .. } => {
                let dags = Dags::existing(url, user, password, settings, server).await?;
                Ok(Self::Airflow(Box::new(dags)))
            }
        }
    }

    /// What a driver calls itself in the tasks of this pattern.
    pub fn names(&self, load: &Load<'_>) -> Names {
        match self {
            Self::Local(_) => Names::Exactly(local::user_agent(load)),
            Self::Airflow(_) => dags::names(load),
        }
    }

    /// Starts the tasks.
    ///
    /// # Errors
    /// Their logs can't be written, or Airflow does not take the run.
    pub async fn begin(&self, load: &Load<'_>, server: &Server) -> Result<Running> {
        match self {
            Self::Local(local) => local.begin(load, server),
            Self::Airflow(dags) => dags.begin(load).await,
        }
    }

    /// `None` if the lab itself runs the tasks.
    pub fn airflow(&self) -> Option<AirflowInfo> {
        match self {
            Self::Local(_) => None,
            Self::Airflow(dags) => Some(dags.info()),
        }
    }

    /// The driver in the tasks and its version.
    pub fn driver(&self) -> String {
        match self {
            Self::Local(Local(worker)) => worker.driver(),
            Self::Airflow(dags) => dags.driver(),
        }
    }

    /// Ends what was started for the run.
    pub async fn end(self) {
        // Services take a moment to end, in which this thread has nothing else to do for anybody.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }
}
