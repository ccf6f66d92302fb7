//! The lab as its own task engine: it starts the tasks' processes itself, so many at once.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result};

use super::load::Load;
use super::running::{Control, Done, Running};
use crate::processes::{Lifelines, PYTHON_WORKER_FILE, run_all};
use crate::server::Server;
use crate::settings::Worker;
use crate::task::{PYTHON_WORKER, TaskSettings};

#[derive(Debug)]
pub(crate) struct Local(pub Worker);

impl Local {
    pub fn begin(&self, load: &Load<'_>, server: &Server) -> Result<Running> {
        let logs = load.folder.logs(load.pattern)?;
        if let Worker::Python { .. } = self.0 {
            let path = logs.join(PYTHON_WORKER_FILE);
            std::fs::write(&path, PYTHON_WORKER)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        let settings = task_settings(load, server)?;
        let lifelines = Arc::new(Lifelines::default());
        let control: Arc<dyn Control> = lifelines.clone();
        let (tasks, parallelism) = (load.tasks, load.settings.parallelism);
        let worker = self.0.clone();
        let done = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            let records = run_all(tasks, &settings, &worker, parallelism, &logs, &lifelines)?;
            Ok(Done { records, wall_s: began.elapsed().as_secs_f64(), airflow: None })
        });
        Ok(Running { done, control })
    }
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
    format!("boltbouncer-lab/{version} ({}; {})", load.pattern, load.folder.name())
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
