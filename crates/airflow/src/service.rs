//! A service or a command that runs under a keeper. It ends when its [`Service`] is dropped.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::keeper::Keep;
use crate::log;

/// How to start a keeper: this program, and the arguments that make it a keeper.
#[derive(Clone, Debug)]
pub struct KeeperProgram {
    pub program: PathBuf,
    pub arguments: Vec<String>,
}

/// Changes to the environment that a service inherits. A variable without a value is removed.
#[derive(Clone, Debug, Default)]
pub struct Environment(pub Vec<(String, Option<OsString>)>);

impl Environment {
    /// Takes away what the user's own Airflow, driver and Python would bring in.
    pub(crate) fn clean() -> Self {
        Self::without(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))
    }

    fn without(names: impl Iterator<Item = String>) -> Self {
        let foreign = |name: &str| {
            ["AIRFLOW", "_AIRFLOW", "NEO4J_", "BOLTBOUNCER_"]
                .iter()
                .any(|prefix| name.starts_with(prefix))
                || ["PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"].contains(&name)
        };
        Self(names.filter(|name| foreign(name)).map(|name| (name, None)).collect())
    }

    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.0.push((name.to_owned(), Some(value.into())));
    }
}

#[derive(Debug)]
pub struct Service {
    name: &'static str,
    keeper: Child,
    lifeline: Option<ChildStdin>,
    log: PathBuf,
}

impl Service {
    /// Starts `keep.command`; its output goes to `log`.
    ///
    /// # Errors
    /// The log can't be written or the keeper can't be started. If the command itself can't be started,
    /// [`Self::check`] reports it.
    pub fn start(
        name: &'static str,
        keeper: &KeeperProgram,
        keep: &Keep,
        environment: &Environment,
        log: &Path,
    ) -> Result<Self> {
        let file = File::options().create(true).append(true).open(log);
        let file = file.with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(&keeper.program);
        command.args(&keeper.arguments).args(arguments(keep));
        for (variable, value) in &environment.0 {
            match value {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        let mut keeper = command
            .stdin(Stdio::piped())
            .stdout(file.try_clone()?)
            .stderr(file)
            // Ctrl-C in the terminal must reach only the lab, which ends its services in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start the keeper of {name}"))?;
        let lifeline = keeper.stdin.take();
        Ok(Self { name, keeper, lifeline, log: log.to_owned() })
    }

    /// The keeper's process id. The service is a child of the keeper.
    pub fn pid(&self) -> u32 {
        self.keeper.id()
    }

    /// # Errors
    /// The service has ended by itself.
    pub fn check(&mut self) -> Result<()> {
        let Some(status) = self.keeper.try_wait()? else { return Ok(()) };
        bail!("{} ended by itself ({status}){}", self.name, self.told())
    }

    /// Waits for a command to finish.
    ///
    /// # Errors
    /// The command failed, or `is_stopped` says that the user wants to stop.
    pub fn finish(mut self, is_stopped: &dyn Fn() -> bool) -> Result<()> {
        let status = loop {
            if let Some(status) = self.keeper.try_wait()? {
                break status;
            }
            if is_stopped() {
                bail!(Stopped);
            }
            std::thread::sleep(POLL_INTERVAL);
        };
        if status.success() {
            return Ok(());
        }
        bail!("{} failed ({status}){}", self.name, self.told())
    }

    /// Asks the keeper to end the service, without waiting for that.
    pub fn cut(&mut self) {
        self.lifeline = None;
    }

    /// Ends the service and everything that it has started.
    pub fn end(&mut self) -> Option<ExitStatus> {
        self.cut();
        self.keeper.wait().ok()
    }

    /// Which service this is.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The lines of its log that tell what went wrong, each on a line of its own, and where the whole log is.
    pub fn told(&self) -> String {
        let told = log::telling(&tail(&self.log).unwrap_or_default());
        let lines: String = told.iter().map(|line| format!("\n    {line}")).collect();
        let silent = if told.is_empty() { "; it said nothing" } else { "" };
        format!("{silent}{lines}\n  its log is {}", self.log.display())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.end();
    }
}

/// The user pressed Ctrl-C while something was being started.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("stopped before Airflow was ready")]
pub struct Stopped;

/// The arguments from which the hidden command `keep` reads a [`Keep`].
fn arguments(keep: &Keep) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    if keep.interrupt {
        words.push("--interrupt".into());
    }
    if let Some((user, group)) = keep.run_as {
        words.extend(["--run-as".into(), format!("{user}:{group}").into()]);
    }
    if let Some(folder) = &keep.folder {
        words.extend(["--folder".into(), folder.into()]);
    }
    words.push("--".into());
    words.extend(keep.command.iter().cloned());
    words
}

fn tail(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// An error may be followed by many lines about the end of everything.
const TAIL_BYTES: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_users_own_airflow_is_inherited() {
        let names = [
            "PATH",
            "HTTPS_PROXY",
            "AIRFLOW_HOME",
            "AIRFLOW_CONFIG",
            "AIRFLOW_CONN_PRODUCTION",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
            "AIRFLOW__CORE__FERNET_KEY_CMD",
            "_AIRFLOW_PROCESS_CONTEXT",
            "NEO4J_URI",
            "PYTHONPATH",
        ];
        let removed = Environment::without(names.iter().map(|name| (*name).to_owned())).0;
        let removed: Vec<_> = removed.iter().map(|(name, value)| (name.as_str(), value)).collect();
        assert_eq!(removed, names[2..].iter().map(|name| (*name, &None)).collect::<Vec<_>>());
    }
}
