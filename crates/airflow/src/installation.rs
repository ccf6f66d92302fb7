//! A virtual environment with one version of Airflow. It is made once and kept in the user's cache.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::keeper::Keep;
use crate::service::{Environment, KeeperProgram, POLL_INTERVAL, Service, Stopped};
use crate::version::Version;

#[derive(Clone, Debug)]
pub struct Installation {
    folder: PathBuf,
    pub version: Version,
    /// The version of the Python that runs it, for example `3.11`.
    pub python: String,
}

impl Installation {
    /// Finds the version in the cache or installs it there, with every package version pinned. If another
    /// process installs it at the same time, this one waits.
    ///
    /// # Errors
    /// There is no fitting Python, or the packages can't be downloaded.
    pub fn ensure(
        version: Version,
        python: Option<&Path>,
        keeper: &KeeperProgram,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Self> {
        let python = Python::find(version, python)?;
        let cache = cache().context("no folder for the cache; set HOME or XDG_CACHE_HOME")?;
        fs::create_dir_all(&cache)
            .with_context(|| format!("cannot make the folder {}", cache.display()))?;
        let name = format!("airflow-{version}-python{}", python.version);
        let folder = cache.join(&name);
        let _lock = lock(&cache.join(format!("{name}.lock")), is_stopped)?;
        let installed = folder.join("requirements.txt");
        if fs::read_to_string(&installed).is_ok_and(|text| text == version.requirements()) {
            return Ok(Self { folder, version, python: python.version });
        }
        eprintln!("installing Airflow {version} into {} (once; about 300 MB)", folder.display());
        remove(&folder)?;
        let log = cache.join(format!("{name}.log"));
        remove(&log)?;
        let run = |command: &[&Path]| {
            let command = command.iter().map(|word| word.as_os_str().to_owned()).collect();
            let keep = Keep { command, ..Keep::default() };
            Service::start("the installation", keeper, &keep, &Environment::clean(), &log)?
                .finish(is_stopped)
        };
        run(&[&python.program, "-m".as_ref(), "venv".as_ref(), &folder])?;
        let wanted = cache.join(format!("{name}.txt"));
        fs::write(&wanted, version.requirements())?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"].map(Path::new);
        let packages: [&Path; 4] =
            ["--no-deps".as_ref(), "--prefer-binary".as_ref(), "--requirement".as_ref(), &wanted];
        let program = folder.join("bin/python");
        run(&[&[program.as_path()], &pip[..], &packages].concat())
            .context("pip could not install the packages; is its index within reach?")?;
        // This comes last, because the file says that the installation is complete.
        fs::rename(&wanted, &installed)?;
        remove(&log)?;
        Ok(Self { folder, version, python: python.version })
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

struct Python {
    program: PathBuf,
    version: String,
}

impl Python {
    fn find(version: Version, named: Option<&Path>) -> Result<Self> {
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

fn cache() -> Option<PathBuf> {
    let named = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")))?;
    Some(cache.join("boltbouncer"))
}

/// A lock on a file, held until it is dropped.
fn lock(path: &Path, is_stopped: &dyn Fn() -> bool) -> Result<File> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if is_stopped() => bail!(Stopped),
            Err(TryLockError::WouldBlock) => std::thread::sleep(POLL_INTERVAL),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
    }
}

/// Removes a file or a folder, if it is there.
fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
