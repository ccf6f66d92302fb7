//! An Airflow of our own: database, broker, scheduler, web server and workers. It uses sockets and ports
//! that nobody else uses, and a home folder that is removed afterwards. Dropping it ends it.

mod database;
mod environment;
mod limits;
mod options;
mod start;
mod stores;
mod warm_up;

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

pub use limits::parallelism_of_environment;
pub use options::{Executor, Login, Options};

use crate::api::Api;
use crate::installation::Installation;
use crate::keeper;
use crate::kit;
use crate::phases::Phases;
use crate::service::{Environment, Service, Stopped};
use crate::version::Version;
use limits::Limits;
use start::Start;
use stores::Needed;
use warm_up::WarmUp;

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

impl Native {
    /// Installs what is missing, starts everything and waits until the DAGs can be triggered. Blocks for
    /// a minute or so, and says on standard error what goes on.
    ///
    /// # Errors
    /// Something is not installed, a port is taken, a service has ended, or `is_stopped` says that the user
    /// wants to stop. What was started is ended then.
    pub fn start(options: &Options, is_stopped: &dyn Fn() -> bool) -> Result<Self> {
        let phases = Phases::on_standard_error();
        let limits = Limits::of(options.version, environment::variables(), options.parallelism);
        limits.sentences().iter().for_each(|sentence| phases.note(sentence));
        let database = Needed::find(options)?;
        let port = free_port(options.port)?;
        let installation = Installation::ensure(
            options.version,
            options.python.as_deref(),
            &options.keeper,
            &phases,
            is_stopped,
        )?;
        let is_stopped = || {
            phases.go_on(&String::new);
            is_stopped()
        };
        let mut native = Self::start_services(
            options,
            &limits,
            database,
            installation,
            port,
            &phases,
            &is_stopped,
        )?;
        native.await_ready(&phases, &is_stopped)?;
        phases.note(&format!("Airflow {} is ready", options.version));
        Ok(native)
    }

    fn start_services(
        options: &Options,
        limits: &Limits,
        database: Needed,
        installation: Installation,
        port: u16,
        phases: &Phases,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<Self> {
        let scratch = scratch()?;
        // As long as this process lives, no keeper removes the folder.
        let in_use = keeper::SharedFolder::enter(scratch.path())?;
        let mut start = Start {
            options,
            scratch: scratch.path(),
            environment: Environment::clean(),
            is_stopped,
            phases,
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
        start.environment = environment::environment(
            options,
            limits,
            &installation.bin(),
            &stores,
            &login,
            &home,
            port,
        )?;
        start.airflow(&installation, port)?;
        let name = stores.name;
        let Start { mut services, .. } = start;
        // The database was started first and is ended last.
        services.reverse();
        Ok(Self {
            api: Api::of(&login.url, options.version),
            installation,
            login,
            database: name,
            services,
            _in_use: in_use,
            _scratch: scratch,
        })
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

    /// What the log of a service tells about what went wrong, and where it is; nothing if there is no such
    /// service.
    pub fn told(&self, name: &str) -> String {
        let service = self.services.iter().find(|service| service.name() == name);
        service.map(Service::told).unwrap_or_default()
    }

    fn await_ready(&mut self, phases: &Phases, is_stopped: &dyn Fn() -> bool) -> Result<()> {
        let began = Instant::now();
        let dag_reader = match self.installation.version {
            Version::V2_8_1 => warm_up::SCHEDULER,
            Version::V3_3_2 => warm_up::DAG_PROCESSOR,
        };
        let mut warm_up = WarmUp::default();
        while let Some(awaited) = warm_up.look(&mut self.api, &self.login, dag_reader) {
            phases.begin(&format!("waiting until {}", awaited.what));
            self.check()?;
            if is_stopped() {
                bail!(Stopped);
            }
            if began.elapsed() > READY_TIME_MAX {
                bail!(
                    "Airflow was not ready after {} s: it was waited for until {}{}",
                    READY_TIME_MAX.as_secs(),
                    awaited.what,
                    self.told(awaited.service)
                );
            }
            std::thread::sleep(READY_POLL_INTERVAL);
        }
        if warm_up.is_slow() {
            phases.note("Airflow answers slowly, as this machine is busy; it goes on all the same");
        }
        Ok(())
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

/// Others may pass through, as PostgreSQL does not run as root and has its own folder in here.
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

/// Some of the machines that people have are small, and busy with other things.
const READY_TIME_MAX: Duration = Duration::from_secs(600);
const READY_POLL_INTERVAL: Duration = Duration::from_millis(250);
