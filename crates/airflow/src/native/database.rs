//! PostgreSQL for Airflow's state and Redis for Celery's queue. Each listens on a Unix socket in a folder of
//! its own, so there is no port and no password, and nobody else can connect.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::start::Start;
use crate::keeper::Keep;

pub(super) struct Postgres {
    /// The folder with `initdb` and `postgres`.
    bin: PathBuf,
    /// The account to run as if we are root, because PostgreSQL refuses to run as root.
    run_as: Option<(u32, u32)>,
}

impl Postgres {
    pub fn find() -> Result<Self> {
        // Debian does not put the server's programs into PATH. It has a folder for each version.
        let packaged = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut folders: Vec<_> = packaged.map(|version| version.path().join("bin")).collect();
        folders.sort();
        folders.reverse();
        folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let bin = folders
            .into_iter()
            .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
            .context("PostgreSQL is not installed, and this Airflow keeps its state in it; install its server (Debian: apt-get install postgresql)")?;
        let run_as = if rustix::process::geteuid().is_root() { Some(account()?) } else { None };
        Ok(Self { bin, run_as })
    }

    /// Starts PostgreSQL and returns its URL for SQLAlchemy.
    pub fn start(&self, start: &mut Start<'_>) -> Result<String> {
        start.phases.begin("starting PostgreSQL");
        if let Some(account) = self.run_as {
            may_enter(start.scratch, account)?;
        }
        let folder = own_folder(start.scratch, "postgres", self.run_as)?;
        let data = folder.join("data").into_os_string();
        let keep = |words: &[OsString]| {
            let mut command = vec![self.bin.join(&words[0]).into_os_string()];
            command.extend_from_slice(&words[1..]);
            Keep { interrupt: true, run_as: self.run_as, command, ..Keep::default() }
        };
        let options =
            ["--username=airflow", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"];
        let mut initdb: Vec<OsString> = vec!["initdb".into(), "-D".into(), data.clone()];
        initdb.extend(options.map(Into::into));
        start.run_as("initdb", keep(&initdb))?;
        let mut server: Vec<OsString> = vec!["postgres".into(), "-D".into(), data, "-k".into()];
        server.push(folder.clone().into());
        // A running task holds about two connections. The database is thrown away afterwards, so nothing
        // needs to be safe on disk.
        let connections = format!("max_connections={}", 100 + 4 * start.options.parallelism);
        for setting in ["listen_addresses=", &connections, "fsync=off", "synchronous_commit=off"] {
            server.extend(["-c".into(), setting.into()]);
        }
        start.keep_as("postgres", keep(&server))?;
        let mut ready = std::process::Command::new(self.bin.join("pg_isready"));
        ready.args(["--quiet", "--host"]).arg(&folder);
        let ready = std::cell::RefCell::new(ready);
        start
            .await_service(&|| ready.borrow_mut().status().is_ok_and(|status| status.success()))?;
        Ok(format!("postgresql+psycopg2://airflow@/postgres?host={}", folder.display()))
    }
}

pub(super) struct Redis {
    program: PathBuf,
}

impl Redis {
    pub fn find() -> Result<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let program = std::env::split_paths(&path)
            .map(|folder| folder.join("redis-server"))
            .find(|path| path.exists());
        let program = program.context("Redis is not installed, and Celery's queue is kept in it; install its server (Debian: apt-get install redis-server)")?;
        Ok(Self { program })
    }

    /// Starts Redis and returns its URL for Celery.
    pub fn start(&self, start: &mut Start<'_>) -> Result<String> {
        start.phases.begin("starting Redis");
        let folder = own_folder(start.scratch, "redis", None)?;
        let socket = folder.join("redis.sock");
        let mut command = vec![self.program.clone().into_os_string()];
        let words = ["--port", "0", "--save", "", "--appendonly", "no", "--dir"];
        command.extend(words.map(Into::into));
        command.extend([folder.clone().into(), "--unixsocket".into(), socket.clone().into()]);
        start.keep_as("redis", Keep { command, ..Keep::default() })?;
        start.await_service(&|| UnixStream::connect(&socket).is_ok())?;
        Ok(format!("redis+socket://{}", socket.display()))
    }
}

fn own_folder(scratch: &Path, name: &str, owner: Option<(u32, u32)>) -> Result<PathBuf> {
    let folder = scratch.join(name);
    fs::create_dir(&folder)?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
    if let Some((user, group)) = owner {
        chown(&folder, Some(user), Some(group))?;
    }
    Ok(folder)
}

/// Checks that an account may enter a folder. The error names the folder that is in the way, which
/// PostgreSQL's own error does not.
fn may_enter(folder: &Path, (user, group): (u32, u32)) -> Result<()> {
    for folder in folder.ancestors() {
        let about = fs::metadata(folder)?;
        let bit = match about {
            ref about if about.uid() == user => 0o100,
            ref about if about.gid() == group => 0o010,
            _ => 0o001,
        };
        let enters = about.mode() & bit != 0;
        let folder = folder.display();
        ensure!(
            enters,
            "PostgreSQL does not run as root but as user {user} here, who may not enter {folder}; set TMPDIR to a folder that all may enter"
        );
    }
    Ok(())
}

/// User and group of an account that PostgreSQL can run as.
fn account() -> Result<(u32, u32)> {
    let accounts = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    let find = |wanted: &str| {
        let line = accounts.lines().find(|line| line.split(':').next() == Some(wanted))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    find("postgres").or_else(|| find("nobody")).context(
        "PostgreSQL does not run as root, and there is no user postgres or nobody; run as another user",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_keeps_others_out_is_named() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("inner");
        fs::create_dir(&inner).unwrap();
        let set = |mode| {
            fs::set_permissions(outer.path(), fs::Permissions::from_mode(mode)).unwrap();
        };
        set(0o700);
        let about = fs::metadata(&inner).unwrap();
        let stranger = (about.uid() + 1, about.gid() + 1);
        let refused = may_enter(&inner, stranger).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("may not enter {};", outer.path().display())),
            "{refused}"
        );
        may_enter(&inner, (about.uid(), about.gid())).unwrap();
        set(0o711);
        may_enter(&inner, stranger).unwrap();
    }
}
