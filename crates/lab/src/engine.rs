//! What runs a pattern's tasks: the lab itself, or Airflow. Both say which user agent their tasks tell
//! the server, start the tasks, and say what became of each.

mod dags;
mod load;
mod local;
mod native;
mod running;

use anyhow::Result;

pub(crate) use load::Load;
pub(crate) use native::SharedNative;
pub(crate) use running::{Control, CutOnDrop, Done, Running};

use crate::counter::Names;
use crate::output::RunFolder;
use crate::results::AirflowInfo;
use crate::server::Server;
use crate::settings::{Engine, Settings};
use crate::stop::Stop;
use dags::Dags;
use local::Local;

#[derive(Debug)]
pub(crate) enum TaskEngine {
    Local(Local),
    Airflow(Box<Dags>),
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

    /// The user agents that drivers in the tasks of this pattern tell the server.
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
        // Services take a moment to end, and dropping waits for them. That must not block this thread.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }
}
