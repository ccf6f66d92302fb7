//! A pattern that is to be run now.

use crate::output::RunFolder;
use crate::settings::{Pattern, Settings};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Load<'a> {
    pub settings: &'a Settings,
    pub pattern: Pattern,
    /// From 1.
    pub round: usize,
    pub folder: &'a RunFolder,
    pub tasks: usize,
    /// Database calls of each task.
    pub calls: usize,
}

impl<'a> Load<'a> {
    pub fn new(
        settings: &'a Settings,
        pattern: Pattern,
        round: usize,
        folder: &'a RunFolder,
    ) -> Self {
        let (tasks, calls) = pattern.load(settings);
        Self { settings, pattern, round, folder, tasks, calls }
    }

    /// Names the pattern and, past the first, the round.
    pub fn name(&self) -> String {
        match self.round {
            1 => self.pattern.to_string(),
            round => format!("{}-round-{round}", self.pattern),
        }
    }
}
