//! What is wrong with a configuration, said so that it can be put right.

use std::path::PathBuf;

use thiserror::Error;

/// What is wrong, where, and what to do about it, in one line.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("cannot read {path}: {error}")]
    Read { path: PathBuf, error: std::io::Error },
    #[error("{path}: {message}")]
    Syntax { path: PathBuf, message: String },
    #[error("{key}: {message}")]
    Value { key: &'static str, message: String },
}

impl ConfigError {
    pub(crate) fn value(key: &'static str, message: impl Into<String>) -> Self {
        Self::Value { key, message: message.into() }
    }
}
