//! A pattern that is to be run now.

use crate::output::RunFolder;
use crate::settings::{Pattern, Settings};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Load<'a> {
    pub settings: &'a Settings,
    pub pattern: Pattern,
    pub folder: &'a RunFolder,
    pub tasks: usize,
    /// Database calls of each task.
    pub calls: usize,
}

impl<'a> Load<'a> {
    pub fn new(settings: &'a Settings, pattern: Pattern, folder: &'a RunFolder) -> Self {
        let (tasks, calls) = pattern.load(settings);
        Self { settings, pattern, folder, tasks, calls }
    }
}
