//! A virtual environment with one version of Airflow. It is made once and kept in the user's cache.

mod packages;
mod python;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;

use crate::cache::Cache;
use crate::phases::Phases;
use crate::service::KeeperProgram;
use crate::version::Version;
use packages::Making;
use python::Python;

#[derive(Clone, Debug)]
pub struct Installation {
    folder: PathBuf,
    pub version: Version,
    /// The version of the Python that runs it, for example `3.11`.
    pub python: String,
    /// Nobody removes it from the cache meanwhile.
    _in_use: Arc<File>,
}

impl Installation {
    /// Finds the version in the cache or installs it there, with every package version pinned. If another
    /// process installs it at the same time, this one waits.
    ///
    /// # Errors
    /// There is no fitting Python, or the packages can't be downloaded.
    pub(crate) fn ensure(
        version: Version,
        python: Option<&Path>,
        keeper: &KeeperProgram,
        phases: &Phases,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Self> {
        phases.begin("looking for a Python");
        let python = Python::find(version, python)?;
        let cache = Cache::of_user()?;
        let name = format!("airflow-{version}-python{}", python.version);
        let folder = cache.path(&name);
        let is_complete = || {
            let installed = fs::read_to_string(folder.join(PACKAGES));
            installed.is_ok_and(|packages| packages == version.requirements())
        };
        loop {
            phases.begin(&format!("looking for Airflow {version} in {}", folder.display()));
            let in_use = Arc::new(cache.share(&name, is_stopped)?);
            if is_complete() {
                return Ok(Self { folder, version, python: python.version, _in_use: in_use });
            }
            drop(in_use);
            let _owned = cache.own(&name, is_stopped)?;
            // Another process may have made it meanwhile.
            if !is_complete() {
                let making = Making {
                    version,
                    python: &python,
                    folder: &folder,
                    keeper,
                    phases,
                    is_stopped,
                };
                making.make()?;
            }
        }
    }

    /// The folder with the programs `airflow` and `python`.
    pub fn bin(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// The version of the driver that tasks use.
    pub fn driver_version(&self) -> &'static str {
        let mut lines = self.version.requirements().lines();
        lines
            .find_map(|line| line.strip_prefix("neo4j=="))
            .expect("the requirements pin the driver")
    }
}

/// The file that says which packages are there. It is written last, so it says also that all of them are.
const PACKAGES: &str = "requirements.txt";
