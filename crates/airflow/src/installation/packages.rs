//! Makes the virtual environment and installs the packages into it: with `uv` if it is there, else with pip.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::PACKAGES;
use super::python::Python;
use crate::cache::remove;
use crate::keeper::Keep;
use crate::phases::Phases;
use crate::service::{Environment, KeeperProgram, Service, Stopped};
use crate::version::Version;

/// An installation that is being made. Nobody else uses its folder.
pub(super) struct Making<'a> {
    pub version: Version,
    pub python: &'a Python,
    pub folder: &'a Path,
    pub keeper: &'a KeeperProgram,
    pub phases: &'a Phases,
    pub is_stopped: &'a dyn Fn() -> bool,
}

impl Making<'_> {
    /// # Errors
    /// The packages can't be downloaded, or the disk is full. The log stays then.
    pub fn make(&self) -> Result<()> {
        self.phases.note(&format!(
            "Airflow {} comes into {} (once; about 400 MB)",
            self.version,
            self.folder.display()
        ));
        remove(self.folder)?;
        remove(&self.log())?;
        let wanted = self.beside("txt");
        fs::write(&wanted, self.version.requirements())?;
        match on_path("uv") {
            Some(uv) => self.with_uv(&uv, &wanted)?,
            None => self.with_pip(&wanted)?,
        }
        // This comes last, because the file says that the installation is complete.
        fs::rename(&wanted, self.folder.join(PACKAGES))?;
        remove(&self.log())
    }

    fn with_uv(&self, uv: &Path, wanted: &Path) -> Result<()> {
        self.environment(&["--without-pip"])?;
        self.phases.begin(&format!("installing {} packages with uv", self.count()));
        let mut command = vec![uv.into()];
        command.extend(uv_words(&self.folder.join("bin/python"), wanted));
        let installed = self.run("uv", command, &String::new);
        if let Err(error) = installed {
            if error.is::<Stopped>() {
                return Err(error);
            }
            // It does not read pip's settings, which may name an index that is within reach.
            self.phases.note(&format!("pip takes over, as {error:#}"));
            return self.with_pip(wanted);
        }
        Ok(())
    }

    fn with_pip(&self, wanted: &Path) -> Result<()> {
        self.environment(&[])?;
        self.phases.begin(&format!("installing {} packages with pip", self.count()));
        let mut command = vec![self.folder.join("bin/python").into_os_string()];
        command.extend(pip_words(wanted));
        let detail = || {
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            match collected(&log) {
                count if count < self.count() => format!("{count} downloaded"),
                _ => "all downloaded, now they are unpacked".into(),
            }
        };
        self.run("pip", command, &detail)
            .context("pip could not install the packages; is its index within reach?")
    }

    fn environment(&self, words: &[&str]) -> Result<()> {
        self.phases.begin(&format!("making an environment for Python {}", self.python.version));
        let mut command: Vec<OsString> = vec![self.python.program.clone().into()];
        command.extend(["-m", "venv"].iter().chain(words).map(Into::into));
        command.push(self.folder.into());
        self.run("venv", command, &String::new)
    }

    fn run(
        &self,
        name: &'static str,
        command: Vec<OsString>,
        detail: &dyn Fn() -> String,
    ) -> Result<()> {
        let keep = Keep { command, ..Keep::default() };
        let service = Service::start(name, self.keeper, &keep, &Environment::clean(), &self.log())?;
        service.finish(&|| {
            self.phases.go_on(detail);
            (self.is_stopped)()
        })
    }

    fn count(&self) -> usize {
        let lines = self.version.requirements().lines();
        lines.filter(|line| line.contains("==")).count()
    }

    fn log(&self) -> PathBuf {
        self.beside("log")
    }

    /// A file beside the folder. The version in the folder's name has dots of its own.
    fn beside(&self, ending: &str) -> PathBuf {
        let mut path = self.folder.as_os_str().to_owned();
        path.push(format!(".{ending}"));
        path.into()
    }
}

fn uv_words(python: &Path, wanted: &Path) -> Vec<OsString> {
    let mut words: Vec<OsString> =
        ["pip", "install", "--no-progress", "--no-deps", "--python"].map(Into::into).into();
    words.extend([python.into(), "--requirement".into(), wanted.into()]);
    words
}

fn pip_words(wanted: &Path) -> Vec<OsString> {
    let words = ["-m", "pip", "install", "--progress-bar=off", "--disable-pip-version-check"];
    let mut words: Vec<OsString> = words.map(Into::into).into();
    words.extend(["--no-deps", "--prefer-binary", "--requirement"].map(Into::into));
    words.push(wanted.into());
    words
}

/// How many packages pip has downloaded so far, by its log.
fn collected(log: &str) -> usize {
    log.lines().filter(|line| line.starts_with("Collecting ")).count()
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_pinned_so_neither_installer_resolves_any() {
        let wanted = Path::new("wanted.txt");
        for words in [uv_words(Path::new("python"), wanted), pip_words(wanted)] {
            assert!(words.contains(&"--no-deps".into()), "{words:?}");
            assert_eq!(words[words.len() - 2..], [OsString::from("--requirement"), wanted.into()]);
        }
    }

    #[test]
    fn what_pip_has_downloaded_is_counted() {
        let log = "Collecting alembic==1.18.5 (from -r w.txt (line 1))\n  Downloading alembic.whl\nCollecting amqp==5.3.1\n";
        assert_eq!(collected(log), 2);
        assert_eq!(collected(""), 0);
    }
}
