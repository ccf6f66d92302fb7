//! A run's folder: results, report, charts and the tasks' logs. A file appears whole or not at all.

mod charts;
mod comparison;
mod page;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use comparison::comparison;

use crate::results::Results;
use crate::settings::Pattern;

#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes a folder inside `out` that is named by the time. A second run within the same second gets a
    /// number.
    pub fn create(out: &Path) -> Result<Self> {
        let unwritable = || {
            format!(
                "cannot write to the output folder {}; choose another one with --out",
                out.display()
            )
        };
        fs::create_dir_all(out).with_context(unwritable)?;
        let name = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string();
        for attempt in 0..ATTEMPTS_MAX {
            let path =
                if attempt == 0 { out.join(&name) } else { out.join(format!("{name}-{attempt}")) };
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(unwritable),
            }
        }
        anyhow::bail!("{}: too many runs in one second", unwritable())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder of a run that came to nothing, unless something is in it. Says whether it is gone.
    pub fn remove_if_empty(&self) -> bool {
        fs::remove_dir(&self.path).is_ok()
    }

    /// The folder's name, which names the run.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Where the logs of a pattern's tasks go.
    pub fn logs(&self, pattern: Pattern) -> Result<PathBuf> {
        let logs = self.path.join("logs").join(pattern.name());
        fs::create_dir_all(&logs)
            .with_context(|| format!("cannot make the folder {}", logs.display()))?;
        Ok(logs)
    }

    /// Writes everything that a run leaves behind. The logs are there already.
    pub fn write(&self, results: &Results) -> Result<()> {
        let json = serde_json::to_string_pretty(results)?;
        self.file("results.json", harmless::json(&json).as_bytes())?;
        let charts = [
            ("idle-connections", charts::idle(results)),
            ("opened-closed", charts::opened_closed(results)),
        ];
        for (name, chart) in &charts {
            self.file(&format!("{name}.svg"), chart.svg().as_bytes())?;
            self.file(&format!("{name}.png"), &report::png(chart)?)?;
        }
        self.file("comparison.md", comparison(results).markdown().as_bytes())?;
        self.file("report.html", page::page(results).as_bytes())
    }

    fn file(&self, name: &str, content: &[u8]) -> Result<()> {
        let (partial, path) = (self.path.join(format!(".{name}.partial")), self.path.join(name));
        fs::write(&partial, content)
            .and_then(|()| fs::rename(&partial, &path))
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

const ATTEMPTS_MAX: u32 = 100;
