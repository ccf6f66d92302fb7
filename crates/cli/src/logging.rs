//! Logs to stderr, as text or JSON. `RUST_LOG` says what is logged, then the configuration.

use anyhow::{Context, Result};
use pooler::Log;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

pub struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
}

impl Logging {
    /// For a process that runs for long; it says what it does.
    pub fn start(log: &Log) -> Result<Self> {
        let (filter, handle) = reload::Layer::new(filter(log, "info")?);
        let lines = fmt::layer().with_writer(std::io::stderr);
        let lines = if log.json { lines.json().boxed() } else { lines.boxed() };
        tracing_subscriber::registry().with(filter).with(lines).init();
        Ok(Self { filter: handle })
    }

    pub fn reload(&self, log: &Log) {
        let changed = filter(log, "info").map(|filter| self.filter.reload(filter));
        if let Err(problem) = changed {
            tracing::error!("the log level was not changed: {problem:#}");
        }
    }
}

/// For commands that a person runs: only what is wrong.
pub fn start_quiet() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

fn filter(log: &Log, default: &str) -> Result<EnvFilter> {
    if let Ok(filter) = EnvFilter::try_from_default_env() {
        return Ok(filter);
    }
    let level = log.level.as_deref().unwrap_or(default);
    EnvFilter::try_new(level)
        .with_context(|| format!("log.level: `{level}` is no level; write for example info"))
}
