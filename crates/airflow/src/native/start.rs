//! Starts the parts of an Airflow one after the other, each under a keeper.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::options::{Executor, Options};
use super::warm_up::{DAG_PROCESSOR, SCHEDULER, WEB_SERVER};
use crate::installation::Installation;
use crate::keeper::Keep;
use crate::phases::Phases;
use crate::service::{Environment, POLL_INTERVAL, Service, Stopped};
use crate::version::Version;

/// What starting needs, step after step.
pub(super) struct Start<'a> {
    pub options: &'a Options,
    /// A folder that is gone afterwards. Everybody may pass through, nobody may look.
    pub scratch: &'a Path,
    pub environment: Environment,
    pub is_stopped: &'a dyn Fn() -> bool,
    pub phases: &'a Phases,
    pub services: Vec<Service>,
}

impl Start<'_> {
    pub fn logs(&self) -> PathBuf {
        self.options.folder.join("logs")
    }

    pub fn airflow(&mut self, installation: &Installation, port: u16) -> Result<()> {
        let airflow = |words: &[&str]| -> Vec<OsString> {
            let program = installation.bin().join("airflow").into_os_string();
            std::iter::once(program).chain(words.iter().map(Into::into)).collect()
        };
        self.phases.begin("making Airflow's tables (airflow db migrate)");
        self.run("airflow db migrate", airflow(&["db", "migrate"]))?;
        self.web_server(installation, &port.to_string(), &airflow)?;
        // Logs are read from the folder; serving them would take a port that is always the same.
        self.keep(SCHEDULER, airflow(&["scheduler", "--skip-serve-logs"]))?;
        match self.options.executor {
            Executor::Local => Ok(()),
            Executor::Celery => self.workers(&airflow),
        }
    }

    /// The web server, and what its version wants beside it. `airflow` makes a command of Airflow's
    /// own program and these words.
    fn web_server(
        &mut self,
        installation: &Installation,
        port: &str,
        airflow: &dyn Fn(&[&str]) -> Vec<OsString>,
    ) -> Result<()> {
        let web = match self.options.version {
            Version::V2_8_1 => {
                let python = installation.bin().join("python").into_os_string();
                let create = vec![python, "-c".into(), CREATE_ADMIN.into()];
                self.phases.begin("making the first user");
                self.run("the first user's creation", create)?;
                airflow(&["webserver", "--hostname", "127.0.0.1", "--port", port, "--workers", "1"])
            }
            Version::V3_3_2 => {
                self.keep(DAG_PROCESSOR, airflow(&["dag-processor"]))?;
                airflow(&["api-server", "--host", "127.0.0.1", "--port", port, "--workers", "1"])
            }
        };
        self.keep(WEB_SERVER, web)
    }

    fn workers(&mut self, airflow: &dyn Fn(&[&str]) -> Vec<OsString>) -> Result<()> {
        for worker in WORKERS {
            let pid = self.scratch.join(format!("{worker}.pid"));
            let hostname = format!("{worker}@%h");
            let pid = pid.to_string_lossy();
            let words = [
                "celery",
                "worker",
                "--skip-serve-logs",
                "--celery-hostname",
                &hostname,
                "--pid",
                &pid,
            ];
            self.keep(worker, airflow(&words))?;
        }
        Ok(())
    }

    fn keep(&mut self, name: &'static str, command: Vec<OsString>) -> Result<()> {
        self.keep_as(name, Keep { command, ..Keep::default() })
    }

    pub fn keep_as(&mut self, name: &'static str, keep: Keep) -> Result<()> {
        let log = self.logs().join(format!("{}.log", name.replace(' ', "-")));
        self.services.push(self.start(name, keep, &log)?);
        Ok(())
    }

    fn run(&self, name: &'static str, command: Vec<OsString>) -> Result<()> {
        self.run_as(name, Keep { command, ..Keep::default() })
    }

    /// Runs a command to its end.
    pub fn run_as(&self, name: &'static str, keep: Keep) -> Result<()> {
        self.start(name, keep, &self.logs().join("set-up.log"))?.finish(self.is_stopped)
    }

    /// Even if this process is killed, the last keeper takes the folder with it.
    fn start(&self, name: &'static str, keep: Keep, log: &Path) -> Result<Service> {
        let keep = Keep { folder: Some(self.scratch.to_owned()), ..keep };
        Service::start(name, &self.options.keeper, &keep, &self.environment, log)
    }

    /// Waits until the service that was started last is ready.
    pub fn await_service(&mut self, is_ready: &dyn Fn() -> bool) -> Result<()> {
        let began = Instant::now();
        while !is_ready() {
            if let Some(service) = self.services.last_mut() {
                service.check()?;
            }
            if (self.is_stopped)() {
                bail!(Stopped);
            }
            if began.elapsed() > STORE_TIME_MAX {
                let last = self.services.last();
                bail!(
                    "{} was not ready after {} s{}",
                    last.map_or("a database", Service::name),
                    STORE_TIME_MAX.as_secs(),
                    last.map(Service::told).unwrap_or_default()
                );
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }
}

/// `airflow users create` would take the password as an argument, where `ps` shows it.
const CREATE_ADMIN: &str = "
import os
from airflow.auth.managers.fab.cli_commands.utils import get_application_builder
with get_application_builder() as builder:
    manager = builder.sm
    user, password = os.environ['BOLTBOUNCER_AIRFLOW_USER'], os.environ['BOLTBOUNCER_AIRFLOW_PASSWORD']
    role = manager.find_role('Admin')
    if not manager.add_user(user, 'BoltBouncer', 'Lab', 'lab@example.com', role, password):
        raise SystemExit('the user could not be made')
";

pub(super) const WORKERS: [&str; 2] = ["worker-1", "worker-2"];
const STORE_TIME_MAX: Duration = Duration::from_secs(180);
