//! Which variables are in sight, and in which slot of the row each of them is.

use std::sync::Arc;

use crate::error::{Error, Result};

/// The names of the variables, by slot. A name that is hidden is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Scope {
    names: Vec<Arc<str>>,
}

impl Scope {
    /// The number of slots.
    pub fn width(&self) -> usize {
        self.names.len()
    }

    pub fn names(&self) -> &[Arc<str>] {
        &self.names
    }

    /// Where a variable is, if it is in sight. The youngest one of its name counts.
    pub fn slot(&self, name: &str) -> Option<usize> {
        self.names.iter().rposition(|known| &**known == name && !name.is_empty())
    }

    pub fn resolve(&self, name: &str) -> Result<usize> {
        self.slot(name).ok_or_else(|| Error::Semantic(format!("Variable `{name}` not defined")))
    }

    /// Takes the next slot for a variable, which hides another of its name.
    pub fn add(&mut self, name: &Arc<str>) -> usize {
        self.names.push(name.clone());
        self.names.len() - 1
    }

    /// The slot of a variable, which is a new one if its name is not in sight.
    pub fn introduce(&mut self, name: &Arc<str>) -> usize {
        self.slot(name).unwrap_or_else(|| self.add(name))
    }

    pub fn introduce_new(&mut self, name: &Arc<str>) -> Result<usize> {
        if self.slot(name).is_some() {
            return Err(Error::Semantic(format!("Variable `{name}` already declared")));
        }
        Ok(self.add(name))
    }

    /// This scope with one more variable, which hides another of its name, and the slot of that.
    pub fn with(&self, name: &Arc<str>) -> (Self, usize) {
        let mut inner = self.clone();
        let slot = inner.add(name);
        (inner, slot)
    }

    /// The same slots, and `count` more that have no name.
    pub fn with_nameless(&self, count: usize) -> Self {
        let mut wide = self.clone();
        wide.names.extend((0..count).map(|_| Arc::from("")));
        wide
    }

    /// The same slots with nothing in sight.
    pub fn hidden(&self) -> Self {
        self.showing(&[])
    }

    /// The same slots, but only `names` in sight.
    pub fn showing(&self, names: &[Arc<str>]) -> Self {
        let show = |name: &Arc<str>| if names.contains(name) { name.clone() } else { "".into() };
        Self { names: self.names.iter().map(show).collect() }
    }
}
