//! Finds a Python that a version of Airflow runs on and that can make virtual environments.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::version::Version;

/// A Python that a version of Airflow runs on.
#[derive(Debug)]
pub(super) struct Python {
    pub program: PathBuf,
    /// Such as `3.11`.
    pub version: String,
}

impl Python {
    /// The Python that is named, or else the first that fits.
    pub fn find(version: Version, named: Option<&Path>) -> Result<Self> {
        let fitting: Vec<_> = version.pythons().iter().map(|minor| format!("3.{minor}")).collect();
        if let Some(program) = named {
            let found = Self::ask(program).with_context(|| {
                format!("cannot run {}; name a Python 3 with --airflow-python", program.display())
            })?;
            if !fitting.contains(&found.version) {
                bail!(
                    "{} is Python {}, and Airflow {version} runs on {}; name another one with --airflow-python",
                    program.display(),
                    found.version,
                    fitting.join(", ")
                );
            }
            return Ok(found);
        }
        let mut candidates: Vec<_> =
            fitting.iter().map(|version| format!("python{version}")).collect();
        candidates.push("python3".into());
        let found = candidates.iter().filter_map(|name| Self::ask(Path::new(name)).ok());
        found.into_iter().find(|python| fitting.contains(&python.version)).with_context(|| {
            format!(
                "Airflow {version} needs Python {} with its venv module (Debian: apt-get install python3-venv); name one with --airflow-python",
                fitting.join(", ")
            )
        })
    }

    /// The version of a Python, if it can make virtual environments.
    fn ask(program: &Path) -> Result<Self> {
        let script = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])";
        let output = Command::new(program).args(["-c", script]).output()?;
        if !output.status.success() {
            bail!("it has no venv module; install python3-venv");
        }
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(Self { program: program.to_owned(), version })
    }
}
