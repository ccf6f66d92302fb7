//! A keeper starts one command. As soon as the keeper's standard input closes, it ends the command and
//! everything that the command has started. Whoever starts a keeper holds the other end of that pipe, so
//! no service outlives the lab, even if the lab is killed.
//!
//! On Linux the keeper adopts what its command leaves orphaned, so it also ends daemons and processes with
//! sessions of their own. Elsewhere it ends only the command itself.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::Duration;

use anyhow::{Context, Result};
use kernel::process::{self, Process};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};

/// What a keeper is to do.
#[derive(Clone, Debug, Default)]
pub struct Keep {
    /// End the command with SIGINT instead of SIGTERM. On SIGINT PostgreSQL does not wait for its clients.
    pub interrupt: bool,
    /// User and group that the command runs as, if not those of the keeper.
    pub run_as: Option<(u32, u32)>,
    /// A folder that several keepers share; the last one removes it when its command is gone.
    pub folder: Option<PathBuf>,
    /// Program and arguments.
    pub command: Vec<OsString>,
}

enum Event {
    /// Standard input was closed: the command is no longer wanted.
    Cut,
    /// The command ended, with this exit code.
    Ended(i32),
    /// Neither the command nor anything that it started is left.
    Alone,
}

/// Runs the command until it ends or standard input closes. Returns the exit code for this process.
///
/// # Errors
/// The command can't be started.
pub fn main(keep: &Keep) -> Result<i32> {
    adopt_orphans();
    let folder = keep.folder.as_deref().map(SharedFolder::enter).transpose()?;
    let (program, arguments) = keep.command.split_first().context("a keeper needs a command")?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    if let Some((user, group)) = keep.run_as {
        command.uid(user).gid(group);
    }
    let child = command
        .spawn()
        .with_context(|| format!("cannot start {}", program.to_string_lossy()))?
        .id();
    let (events, received) = mpsc::channel();
    watch_standard_input(events.clone());
    watch_children(child, events);
    let code = keep_until_the_end(keep, child, &received);
    if let Some(folder) = folder {
        folder.leave();
    }
    Ok(code)
}

/// A folder that several processes use. Each holds a shared lock on a file in it.
#[derive(Debug)]
pub(crate) struct SharedFolder {
    path: PathBuf,
    lock: File,
}

impl SharedFolder {
    pub fn enter(path: &Path) -> Result<Self> {
        let lock = File::options().create(true).append(true).open(path.join("in-use"));
        let lock = lock.with_context(|| format!("cannot use the folder {}", path.display()))?;
        lock.lock_shared()?;
        Ok(Self { path: path.to_owned(), lock })
    }

    /// Removes the folder if nobody else uses it. Only the last process to leave can lock the file alone.
    fn leave(self) {
        if self.lock.unlock().is_ok() && self.lock.try_lock().is_ok() {
            // The process that made the folder may have removed it already.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

fn keep_until_the_end(keep: &Keep, child: u32, events: &Receiver<Event>) -> i32 {
    let mut code = CUT;
    match events.recv() {
        Ok(Event::Alone) | Err(_) => return code,
        Ok(Event::Ended(exit_code)) => {
            code = exit_code;
            signal_all(Signal::TERM);
        }
        Ok(Event::Cut) => {
            signal(child, if keep.interrupt { Signal::INT } else { Signal::TERM });
        }
    }
    if is_alone_within(GRACE, events) {
        return code;
    }
    signal_all(Signal::TERM);
    let mut patience = GRACE;
    while !is_alone_within(patience, events) {
        // The children of a killed process become the keeper's own, so one round may not be enough.
        signal_all(Signal::KILL);
        patience = Duration::from_millis(50);
    }
    code
}

fn is_alone_within(time: Duration, events: &Receiver<Event>) -> bool {
    loop {
        match events.recv_timeout(time) {
            Ok(Event::Alone) | Err(RecvTimeoutError::Disconnected) => return true,
            Ok(Event::Cut | Event::Ended(_)) => {}
            Err(RecvTimeoutError::Timeout) => return false,
        }
    }
}

fn watch_standard_input(events: Sender<Event>) {
    std::thread::spawn(move || {
        let mut byte = [0];
        while matches!(std::io::stdin().read(&mut byte), Ok(1..)) {}
        let _ = events.send(Event::Cut);
    });
}

/// Waits for every child, adopted ones too, until there is none.
fn watch_children(child: u32, events: Sender<Event>) {
    std::thread::spawn(move || {
        loop {
            match wait(WaitOptions::empty()) {
                Ok(Some((pid, status))) if pid.as_raw_nonzero().get().cast_unsigned() == child => {
                    let code =
                        status.exit_status().or_else(|| Some(128 + status.terminating_signal()?));
                    let _ = events.send(Event::Ended(code.unwrap_or(1)));
                }
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => break,
            }
        }
        let _ = events.send(Event::Alone);
    });
}

fn signal(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        // The process may have ended meanwhile.
        let _ = kill_process(pid, signal);
    }
}

fn signal_all(which: Signal) {
    for pid in descendants(std::process::id()) {
        signal(pid, which);
    }
}

/// Every process below this one.
pub fn descendants(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in process::ids() {
        if let Some(process) = Process::read(pid) {
            children.entry(process.parent).or_default().push(pid);
        }
    }
    let mut found = children.remove(&root).unwrap_or_default();
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children.remove(pid).unwrap_or_default());
        next += 1;
    }
    found
}

#[cfg(target_os = "linux")]
fn adopt_orphans() {
    // `Some` process id, whichever it is, means yes.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

#[cfg(not(target_os = "linux"))]
fn adopt_orphans() {}

/// How long the command gets to end after it was asked. Everything that it has started then gets as long.
const GRACE: Duration = Duration::from_secs(5);
/// The exit code of a keeper that was told to end.
const CUT: i32 = 0;
