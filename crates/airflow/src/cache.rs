//! The folder in the user's cache where installations are kept, who uses which of them, and how to get the disk
//! back. Beside each installation lies a lock file: whoever uses the installation shares it, and whoever
//! changes it has it alone. Lock files stay, because a lock on a file that is gone keeps nobody out.

use std::fs::{self, File, Metadata, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::service::{POLL_INTERVAL, Stopped};

/// The cache of BoltBouncer.
#[derive(Clone, Debug)]
pub struct Cache {
    folder: PathBuf,
}

/// What [`Cache::clean`] has removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Names such as `airflow-3.3.2-python3.11`.
    pub installations: Vec<String>,
    /// How much space the disk has more.
    pub bytes: u64,
    /// How much space files have taken that are in the cache of `uv` too, which keeps them.
    pub kept_by_uv_bytes: u64,
}

impl Cache {
    /// # Errors
    /// Neither `HOME` nor `XDG_CACHE_HOME` is set.
    pub fn of_user() -> Result<Self> {
        let named =
            |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")));
        let cache = cache.context("no folder for the cache; set HOME or XDG_CACHE_HOME")?;
        Ok(Self { folder: cache.join("boltbouncer") })
    }

    /// Where something of this name is kept.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Says that an installation is in use, until the result is dropped. If it is being made, this waits.
    pub(crate) fn share(&self, name: &str, is_stopped: &dyn Fn() -> bool) -> Result<File> {
        self.lock(name, File::try_lock_shared, is_stopped)
    }

    /// Waits until nobody else uses an installation, and keeps others out until the result is dropped.
    pub(crate) fn own(&self, name: &str, is_stopped: &dyn Fn() -> bool) -> Result<File> {
        self.lock(name, File::try_lock, is_stopped)
    }

    /// Removes every installation of Airflow that is kept here.
    ///
    /// # Errors
    /// One of them is in use, and none is removed then. Or the disk does not let itself be written.
    pub fn clean(&self) -> Result<Cleaned> {
        let names = self.installations()?;
        let mut owned = Vec::new();
        for name in &names {
            let lock = self.lock_file(name)?;
            match lock.try_lock() {
                Ok(()) => owned.push(lock),
                Err(TryLockError::WouldBlock) => bail!(
                    "{} is in use; end the lab or the Airflow that runs there first. Nothing was removed",
                    self.path(name).display()
                ),
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("cannot lock {name}"));
                }
            }
        }
        let mut cleaned = Cleaned::default();
        for name in names {
            for ending in ENDINGS {
                let path = self.path(&format!("{name}{ending}"));
                let (own, kept) = size(&path);
                remove(&path)?;
                cleaned.bytes += own;
                cleaned.kept_by_uv_bytes += kept;
            }
            cleaned.installations.push(name);
        }
        Ok(cleaned)
    }

    /// The names of all installations, half-made ones too.
    fn installations(&self) -> Result<Vec<String>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.with_context(|| format!("cannot read {}", self.folder.display()))?,
        };
        let files = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<_> =
            files.filter_map(|file| installation_of(&file).map(str::to_owned)).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn lock(
        &self,
        name: &str,
        try_lock: fn(&File) -> Result<(), TryLockError>,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<File> {
        let file = self.lock_file(name)?;
        loop {
            match try_lock(&file) {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) if is_stopped() => bail!(Stopped),
                Err(TryLockError::WouldBlock) => std::thread::sleep(POLL_INTERVAL),
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("cannot lock {name}"));
                }
            }
        }
    }

    fn lock_file(&self, name: &str) -> Result<File> {
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make the folder {}", self.folder.display()))?;
        let path = self.path(&format!("{name}.lock"));
        File::options()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Removes a file or a folder, if it is there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The installation that a file of the cache belongs to, if it is one of Airflow's and no lock.
fn installation_of(file: &str) -> Option<&str> {
    let name = [".txt", ".log"].iter().find_map(|end| file.strip_suffix(end)).unwrap_or(file);
    let (version, python) = name.strip_prefix("airflow-")?.split_once("-python")?;
    let is_version = |text: &str| {
        !text.is_empty() && text.chars().all(|letter| letter.is_ascii_digit() || letter == '.')
    };
    (is_version(version) && is_version(python)).then_some(name)
}

/// The space that a file or folder takes: what removing it gives back, and what other links to the same files
/// keep.
fn size(path: &Path) -> (u64, u64) {
    let Ok(about) = fs::symlink_metadata(path) else { return (0, 0) };
    let bytes = BLOCK_BYTES * Metadata::blocks(&about);
    if !about.is_dir() {
        return if about.nlink() > 1 { (0, bytes) } else { (bytes, 0) };
    }
    let inside = fs::read_dir(path).into_iter().flatten().flatten();
    inside
        .map(|entry| size(&entry.path()))
        .fold((bytes, 0), |sum, (own, kept)| (sum.0 + own, sum.1 + kept))
}

/// What belongs to an installation: its folder, the packages wanted, and the log of its making.
const ENDINGS: [&str; 3] = ["", ".txt", ".log"];
/// The unit in which a file's blocks are counted, whatever the disk's own is.
const BLOCK_BYTES: u64 = 512;

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "airflow-3.3.2-python3.11";

    fn cache() -> (tempfile::TempDir, Cache) {
        let outer = tempfile::tempdir().unwrap();
        let cache = Cache { folder: outer.path().join("boltbouncer") };
        fs::create_dir_all(cache.path(NAME).join("bin")).unwrap();
        fs::write(cache.path(NAME).join("bin/python"), vec![1; 100_000]).unwrap();
        fs::write(cache.path("airflow-2.8.1-python3.10.log"), "half-made").unwrap();
        for other in ["neo4j-5.26.0", "airflow-mine", "python-6", "airflow-3.3.2-pythonista"] {
            fs::create_dir_all(cache.path(other)).unwrap();
        }
        (outer, cache)
    }

    #[test]
    fn cleaning_gives_the_disk_back_and_touches_nothing_else() {
        let (_outer, cache) = cache();
        let cleaned = cache.clean().unwrap();
        assert_eq!(cleaned.installations, ["airflow-2.8.1-python3.10", NAME]);
        assert!((100_000..200_000).contains(&cleaned.bytes), "{} bytes", cleaned.bytes);
        assert_eq!(cleaned.kept_by_uv_bytes, 0);
        assert!(!cache.path(NAME).exists());
        assert!(cache.path("neo4j-5.26.0").exists() && cache.path("airflow-mine").exists());
        assert!(cache.path("python-6").exists() && cache.path("airflow-3.3.2-pythonista").exists());
        assert_eq!(cache.clean().unwrap(), Cleaned::default());
    }

    #[test]
    fn files_that_uv_keeps_too_give_no_space_back() {
        let (outer, cache) = cache();
        let python = cache.path(NAME).join("bin/python");
        fs::hard_link(python, outer.path().join("kept")).unwrap();
        let cleaned = cache.clean().unwrap();
        assert!(cleaned.kept_by_uv_bytes >= 100_000 && cleaned.bytes < 100_000, "{cleaned:?}");
    }

    #[test]
    fn nothing_is_removed_while_one_is_in_use() {
        let (_outer, cache) = cache();
        let in_use = cache.share(NAME, &|| false).unwrap();
        let also = cache.share(NAME, &|| false).unwrap();
        let refused = cache.clean().unwrap_err().to_string();
        assert!(refused.contains(NAME) && refused.contains("in use"), "{refused}");
        assert!(cache.path("airflow-2.8.1-python3.10.log").exists());
        drop(in_use);
        cache.clean().unwrap_err();
        drop(also);
        assert_eq!(cache.clean().unwrap().installations.len(), 2);
    }

    #[test]
    fn whoever_waits_for_an_installation_can_be_stopped() {
        let (_outer, cache) = cache();
        let _making = cache.own(NAME, &|| false).unwrap();
        assert!(cache.share(NAME, &|| true).unwrap_err().is::<Stopped>());
        assert!(cache.own(NAME, &|| true).unwrap_err().is::<Stopped>());
    }

    #[test]
    fn a_cache_that_was_never_used_is_clean() {
        let outer = tempfile::tempdir().unwrap();
        let cache = Cache { folder: outer.path().join("not there") };
        assert_eq!(cache.clean().unwrap(), Cleaned::default());
    }
}
