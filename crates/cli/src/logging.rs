//! Logs to stderr, as text or JSON. What is logged is said by `RUST_LOG`, or else by the configuration.

mod lines;

use std::io::IsTerminal;

use anyhow::{Result, bail};
use harmless::Colours;
use lines::{Format, Lines, fields};
use pooler::Log;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

pub struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
}

impl Logging {
    /// Starts the log of a process that runs for long, such as the pooler.
    pub fn start(log: &Log) -> Result<Self> {
        let (filter, handle) = reload::Layer::new(filter(log, "info")?);
        let colours = colours();
        let format = if log.json { Format::Json } else { Format::Text(colours) };
        let lines = fmt::layer().with_ansi(colours == Colours::Own).with_writer(Lines::new(format));
        let lines =
            if log.json { lines.json().boxed() } else { lines.fmt_fields(fields()).boxed() };
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

/// Starts the log of a command that a person runs: it shows warnings and errors only.
pub fn start_quiet() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let colours = colours();
    let lines = Lines::new(Format::Text(colours));
    let is_coloured = colours == Colours::Own;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .fmt_fields(fields())
        .with_ansi(is_coloured)
        .with_writer(lines)
        .init();
}

fn colours() -> Colours {
    if std::io::stderr().is_terminal() { Colours::Own } else { Colours::None }
}

/// Checks the settings of a log without starting it.
pub fn check(log: &Log) -> Result<()> {
    filter(log, "info").map(drop)
}

fn filter(log: &Log, default: &str) -> Result<EnvFilter> {
    if let Ok(filter) = EnvFilter::try_from_default_env() {
        return Ok(filter);
    }
    let level = log.level.as_deref().unwrap_or(default);
    // `EnvFilter` would take a single word that is no level for the name of a module.
    let is_word = level.chars().all(|c| c.is_ascii_alphanumeric());
    let is_level = LEVELS.contains(&level.to_ascii_lowercase().as_str());
    match EnvFilter::try_new(level) {
        Ok(filter) if is_level || !is_word => Ok(filter),
        _ => bail!("log.level: `{level}` is no level; write for example info, or pooler=debug"),
    }
}

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
