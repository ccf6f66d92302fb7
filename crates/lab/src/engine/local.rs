//! The lab as its own task engine: it starts the tasks' processes itself, so many at once.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};

use super::load::Load;
use super::running::{Control, Done, Running};
use crate::processes::{Lifelines, PYTHON_WORKER_FILE, Tasks, run_all};
use crate::server::Server;
use crate::settings::Worker;
use crate::task::{PYTHON_WORKER, TaskSettings};

#[derive(Debug)]
pub(crate) struct Local(pub Worker);

impl Local {
    pub fn begin(&self, load: &Load<'_>, server: &Server) -> Result<Running> {
        let logs = load.folder.logs(&load.name())?;
        if let Worker::Python { .. } = self.0 {
            write_python_worker(&logs)?;
        }
        let settings = task_settings(load, server)?;
        let lifelines = Arc::new(Lifelines::default());
        let control: Arc<dyn Control> = lifelines.clone();
        let (count, parallelism) = (load.tasks, load.settings.parallelism);
        let (worker, retry) = (self.0.clone(), load.settings.retry);
        let done = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            let (settings, worker, folder) = (&settings, &worker, &*logs);
            let tasks = Tasks { count, parallelism, retry, settings, worker, folder };
            let records = run_all(&tasks, &lifelines)?;
            Ok(Done { records, wall_s: began.elapsed().as_secs_f64(), airflow: None })
        });
        Ok(Running { done, control })
    }
}

/// Puts the worker beside the module that it imports. That module is the one of the DAG files, so that
/// what is measured is what users get.
fn write_python_worker(folder: &Path) -> Result<()> {
    for (name, content) in [(PYTHON_WORKER_FILE, PYTHON_WORKER), airflow::kit::CONNECTIONS] {
        let path = folder.join(name);
        std::fs::write(&path, content)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

impl Control for Lifelines {
    fn cut(&self) {
        Lifelines::cut(self);
    }

    fn ended(&self) -> usize {
        self.done()
    }

    fn processes(&self) -> Vec<u32> {
        self.running()
    }
}

pub(super) fn user_agent(load: &Load<'_>) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("boltbouncer-lab/{version} ({}; {})", load.name(), load.folder.name())
}

fn task_settings(load: &Load<'_>, server: &Server) -> Result<TaskSettings> {
    Ok(TaskSettings {
        pattern: load.pattern,
        calls: load.calls,
        hold_ms: load.settings.hold.as_millis() as u64,
        query: load.settings.query.clone(),
        uri: server.uri(load.pattern)?,
        user: server.user.clone(),
        password: server.password.expose().to_owned(),
        database: server.database.clone(),
        user_agent: user_agent(load),
    })
}
