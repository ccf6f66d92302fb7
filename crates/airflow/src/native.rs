//! An Airflow of our own: database, broker, scheduler, web server and workers. It uses sockets and ports
//! that nobody else uses, and a home folder that is removed afterwards. Dropping it ends it.

mod database;
mod environment;

use std::ffi::OsString;
use std::fmt;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use crate::api::Api;
use crate::installation::Installation;
use crate::keeper::{self, Keep};
use crate::kit;
use crate::service::{Environment, KeeperProgram, POLL_INTERVAL, Service, Stopped};
use crate::version::Version;
use database::{Postgres, Redis};
pub(crate) use environment::clean;

/// What runs the tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Executor {
    Local,
    /// Two workers, with Redis between them and the scheduler.
    Celery,
}

impl fmt::Display for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "LocalExecutor",
            Self::Celery => "CeleryExecutor",
        })
    }
}

#[derive(Clone, Debug)]
pub struct Options {
    pub version: Version,
    pub executor: Executor,
    /// The Python to install with. `None`: the first that fits.
    pub python: Option<PathBuf>,
    /// The port of the web server on 127.0.0.1. `None`: a free one.
    pub port: Option<u16>,
    /// How many tasks may run at once.
    pub parallelism: usize,
    /// Airflow's logs and its copy of the DAG files go here and are kept.
    pub folder: PathBuf,
    /// What the tasks find in their environment, such as `NEO4J_URI`.
    pub variables: Vec<(String, String)>,
    pub keeper: KeeperProgram,
}

#[derive(Debug)]
pub struct Native {
    api: Api,
    installation: Installation,
    login: Login,
    database: &'static str,
    /// The services, in the order in which they are ended.
    services: Vec<Service>,
    _in_use: keeper::SharedFolder,
    _scratch: TempDir,
}

/// The web server's address and a login that is made for this run only.
#[derive(Clone, Debug)]
pub struct Login {
    pub url: String,
    pub user: String,
    pub password: String,
}

impl Native {
    /// Installs what is missing, starts everything and waits until the DAGs can be triggered. Blocks for
    /// a minute or so.
    ///
    /// # Errors
    /// Something is not installed, a port is taken, a service has ended, or `is_stopped` says that the user
    /// wants to stop. What was started is ended then.
    pub fn start(options: &Options, is_stopped: &dyn Fn() -> bool) -> Result<Self> {
        let database = Needed::find(options)?;
        let port = free_port(options.port)?;
        let installation = Installation::ensure(
            options.version,
            options.python.as_deref(),
            &options.keeper,
            is_stopped,
        )?;
        eprintln!("starting Airflow {}, which takes a minute", options.version);
        let scratch = scratch()?;
        // As long as this process lives, no keeper removes the folder.
        let in_use = keeper::SharedFolder::enter(scratch.path())?;
        let mut start = Start {
            options,
            scratch: scratch.path(),
            environment: environment::clean(),
            is_stopped,
            services: Vec::new(),
        };
        kit::write(&options.folder.join("dags"))
            .with_context(|| format!("cannot write to {}", options.folder.display()))?;
        std::fs::create_dir_all(start.logs())?;
        let stores = database.start(&mut start)?;
        let login = Login {
            url: format!("http://127.0.0.1:{port}"),
            user: "admin".into(),
            password: environment::secret()?,
        };
        let home = scratch.path().join("airflow");
        std::fs::DirBuilder::new().mode(0o700).create(&home)?;
        start.environment =
            environment::environment(options, &installation, &stores, &login, &home, port)?;
        start.airflow(&installation, port)?;
        let name = stores.name;
        let Start { mut services, .. } = start;
        // The database was started first and is ended last.
        services.reverse();
        let mut native = Self {
            api: Api::of(&login.url, options.version),
            installation,
            login,
            database: name,
            services,
            _in_use: in_use,
            _scratch: scratch,
        };
        native.await_ready(is_stopped)?;
        Ok(native)
    }

    pub fn api(&self) -> &Api {
        &self.api
    }

    pub fn login(&self) -> &Login {
        &self.login
    }

    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The database that Airflow keeps its own state in.
    pub fn database(&self) -> &'static str {
        self.database
    }

    /// Process ids of everything that runs, the tasks among them.
    pub fn processes(&self) -> Vec<u32> {
        self.services.iter().flat_map(|service| keeper::descendants(service.pid())).collect()
    }

    /// # Errors
    /// A service has ended by itself.
    pub fn check(&mut self) -> Result<()> {
        self.services.iter_mut().try_for_each(Service::check)
    }

    fn await_ready(&mut self, is_stopped: &dyn Fn() -> bool) -> Result<()> {
        let began = Instant::now();
        loop {
            self.check()?;
            if self.is_ready() {
                return Ok(());
            }
            if is_stopped() {
                bail!(Stopped);
            }
            if began.elapsed() > READY_TIME_MAX {
                bail!("Airflow was not ready after {READY_TIME_MAX:?}; is this machine very busy?");
            }
            std::thread::sleep(READY_POLL_INTERVAL);
        }
    }

    /// Whether everything runs and the DAG files have been read.
    fn is_ready(&mut self) -> bool {
        if !self.api.is_logged_in()
            && self.api.log_in(&self.login.user, &self.login.password).is_err()
        {
            return false;
        }
        self.api.unhealthy().is_ok_and(|unhealthy| unhealthy.is_none())
            && DAGS.iter().all(|dag| self.api.dag(dag).is_ok())
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        // All but the database, which started first, are told to end at once. Then each is ended in order.
        let stores = self.services.len().saturating_sub(1);
        self.services[..stores].iter_mut().for_each(Service::cut);
        self.services.iter_mut().for_each(|service| {
            service.end();
        });
    }
}

/// The stores that a version and executor need. If one is not installed, this is found out before anything
/// is started.
struct Needed {
    postgres: Option<Postgres>,
    redis: Option<Redis>,
}

/// Where the stores are, as Airflow's settings name them.
pub(crate) struct Stores {
    name: &'static str,
    /// SQLAlchemy's URL; `None` is SQLite in Airflow's home.
    database: Option<String>,
    broker: Option<String>,
}

impl Needed {
    fn find(options: &Options) -> Result<Self> {
        let is_celery = options.executor == Executor::Celery;
        let postgres = match Postgres::find() {
            Ok(postgres) => Some(postgres),
            // Airflow 3 runs local tasks on SQLite too, but many tasks at once slow each other down there.
            Err(_) if !is_celery && options.version == Version::V3_3_2 => None,
            Err(error) => return Err(error),
        };
        Ok(Self { postgres, redis: is_celery.then(Redis::find).transpose()? })
    }

    fn start(&self, start: &mut Start<'_>) -> Result<Stores> {
        let database = self.postgres.as_ref().map(|postgres| postgres.start(start)).transpose()?;
        let broker = self.redis.as_ref().map(|redis| redis.start(start)).transpose()?;
        let name = if database.is_some() { "PostgreSQL" } else { "SQLite" };
        Ok(Stores { name, database, broker })
    }
}

/// What every step of starting needs.
pub(crate) struct Start<'a> {
    options: &'a Options,
    /// A folder that is removed afterwards. Other users may pass through it but can't list it.
    scratch: &'a Path,
    environment: Environment,
    is_stopped: &'a dyn Fn() -> bool,
    services: Vec<Service>,
}

impl Start<'_> {
    fn logs(&self) -> PathBuf {
        self.options.folder.join("logs")
    }

    fn airflow(&mut self, installation: &Installation, port: u16) -> Result<()> {
        let airflow = |words: &[&str]| -> Vec<OsString> {
            let program = installation.bin().join("airflow").into_os_string();
            std::iter::once(program).chain(words.iter().map(Into::into)).collect()
        };
        let port = port.to_string();
        self.run("airflow db migrate", airflow(&["db", "migrate"]))?;
        let web = match self.options.version {
            Version::V2_8_1 => {
                let python = installation.bin().join("python").into_os_string();
                let create = vec![python, "-c".into(), CREATE_ADMIN.into()];
                self.run("the first user's creation", create)?;
                airflow(&[
                    "webserver",
                    "--hostname",
                    "127.0.0.1",
                    "--port",
                    &port,
                    "--workers",
                    "1",
                ])
            }
            Version::V3_3_2 => {
                self.keep("dag-processor", airflow(&["dag-processor"]))?;
                airflow(&["api-server", "--host", "127.0.0.1", "--port", &port, "--workers", "1"])
            }
        };
        self.keep("web server", web)?;
        // Logs are read from the folder. Serving them would need a port that can't be chosen.
        self.keep("scheduler", airflow(&["scheduler", "--skip-serve-logs"]))?;
        if self.options.executor == Executor::Celery {
            let concurrency = self.options.parallelism.div_ceil(WORKERS.len()).to_string();
            for worker in WORKERS {
                let pid = self.scratch.join(format!("{worker}.pid"));
                let hostname = format!("{worker}@%h");
                let pid = pid.to_string_lossy();
                let words = [
                    "celery",
                    "worker",
                    "--skip-serve-logs",
                    "--concurrency",
                    &concurrency,
                    "--celery-hostname",
                    &hostname,
                    "--pid",
                    &pid,
                ];
                self.keep(worker, airflow(&words))?;
            }
        }
        Ok(())
    }

    fn keep(&mut self, name: &'static str, command: Vec<OsString>) -> Result<()> {
        self.keep_as(name, Keep { command, ..Keep::default() })
    }

    fn keep_as(&mut self, name: &'static str, keep: Keep) -> Result<()> {
        let log = self.logs().join(format!("{}.log", name.replace(' ', "-")));
        self.services.push(self.start(name, keep, &log)?);
        Ok(())
    }

    fn run(&self, name: &'static str, command: Vec<OsString>) -> Result<()> {
        self.run_as(name, Keep { command, ..Keep::default() })
    }

    /// Runs a command to its end.
    fn run_as(&self, name: &'static str, keep: Keep) -> Result<()> {
        self.start(name, keep, &self.logs().join("set-up.log"))?.finish(self.is_stopped)
    }

    /// Starts a command under a keeper. Even if this process is killed, the last keeper removes the folder.
    fn start(&self, name: &'static str, keep: Keep, log: &Path) -> Result<Service> {
        let keep = Keep { folder: Some(self.scratch.to_owned()), ..keep };
        Service::start(name, &self.options.keeper, &keep, &self.environment, log)
    }

    /// Waits until the service that was started last is ready.
    fn await_service(&mut self, is_ready: &dyn Fn() -> bool) -> Result<()> {
        let began = Instant::now();
        while !is_ready() {
            if let Some(service) = self.services.last_mut() {
                service.check()?;
            }
            if (self.is_stopped)() {
                bail!(Stopped);
            }
            if began.elapsed() > STORE_TIME_MAX {
                bail!(
                    "a database was not ready after {STORE_TIME_MAX:?}; see {}",
                    self.logs().display()
                );
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }
}

/// Makes the folder. Other users may pass through it: PostgreSQL does not run as root, and its folder is in
/// here.
fn scratch() -> Result<TempDir> {
    use std::os::unix::fs::PermissionsExt;
    let permissions = std::fs::Permissions::from_mode(0o711);
    let scratch =
        tempfile::Builder::new().prefix("boltbouncer-airflow-").permissions(permissions).tempdir();
    scratch.context("cannot make a temporary folder; does TMPDIR name one?")
}

fn free_port(wanted: Option<u16>) -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted.unwrap_or(0))).with_context(|| {
        let port = wanted.unwrap_or(0);
        format!("port {port} is taken; choose another one for Airflow's web server with --airflow-port, or leave that out for a free one")
    })?;
    Ok(listener.local_addr()?.port())
}

/// The DAGs of [`kit`], by the names that the scheduler knows once it has read the files.
pub const DAGS: [&str; 6] = [
    "neo4j_problematic_pattern",
    "neo4j_improved_pattern",
    "neo4j_stress_test",
    "neo4j_pooled_pattern",
    "neo4j_hook_pattern",
    "neo4j_connection_monitor",
];

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

const WORKERS: [&str; 2] = ["worker-1", "worker-2"];
const READY_TIME_MAX: Duration = Duration::from_secs(180);
const READY_POLL_INTERVAL: Duration = Duration::from_millis(250);
const STORE_TIME_MAX: Duration = Duration::from_secs(60);
