//! Tasks that an engine has started, the means to end them, and what became of them.

use std::fmt;
use std::sync::Arc;

use anyhow::Result;
use tokio::task::JoinHandle;

use crate::processes::TaskRecord;
use crate::results::AirflowRun;

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
    /// `None` if the lab itself ran the tasks.
    pub airflow: Option<AirflowRun>,
}
