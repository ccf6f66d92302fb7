//! The two ways to get a driver that the lab compares. The report shows this code's ideas; keep
//! them recognisable.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use neo4j::Neo4jError;
use neo4j::driver::auth::AuthToken;
use neo4j::driver::{ConnectionConfig, Driver, DriverConfig};
use neo4j::session::SessionConfig;

use super::{Job, log};

pub(super) trait Connections {
    /// A driver that has a connection to the database.
    fn driver(&mut self, alias: &str) -> neo4j::Result<&Driver>;
    fn drivers_created(&self) -> u64;
    /// What the task does with its drivers when it is done.
    fn close(&mut self);
}

/// A new driver for each call. All of them are kept and none is closed, as happens to drivers that
/// hooks, caches or tracebacks refer to.
pub(super) struct ProblematicDatabaseConnection<'a> {
    job: &'a Job,
    drivers: Vec<Driver>,
}

impl<'a> ProblematicDatabaseConnection<'a> {
    pub fn new(job: &'a Job) -> Self {
        Self { job, drivers: Vec::new() }
    }
}

impl Connections for ProblematicDatabaseConnection<'_> {
    fn driver(&mut self, alias: &str) -> neo4j::Result<&Driver> {
        log(&format!(
            "🍌 DEBUG: about to create NEW driver for alias '{alias}' (THIS IS THE PROBLEM!)🍌🍌🍌"
        ));
        let driver = open(self.job, base_config(self.job))?;
        log(&format!("🍌 Problematic: created new driver for alias '{alias}'"));
        self.drivers.push(driver);
        Ok(self.drivers.last().expect("just pushed"))
    }

    fn drivers_created(&self) -> u64 {
        self.drivers.len() as u64
    }

    fn close(&mut self) {}
}

/// One driver for each alias and process, checked before it is used again, made anew if the check
/// fails, closed at the end.
pub(super) struct ImprovedDatabaseConnection<'a> {
    job: &'a Job,
    drivers: HashMap<String, Driver>,
    created: u64,
}

impl<'a> ImprovedDatabaseConnection<'a> {
    pub fn new(job: &'a Job) -> Self {
        Self { job, drivers: HashMap::new(), created: 0 }
    }
}

impl Connections for ImprovedDatabaseConnection<'_> {
    fn driver(&mut self, alias: &str) -> neo4j::Result<&Driver> {
        let is_healthy = self.drivers.get(alias).map(|driver| driver.verify_connectivity().is_ok());
        if is_healthy == Some(true) {
            log(&format!("🍌 Improved: reusing existing sync driver for {alias}"));
        } else {
            self.drivers.remove(alias);
            let config = base_config(self.job)
                .with_max_connection_pool_size(POOL_SIZE)
                .with_connection_acquisition_timeout(ACQUISITION_TIMEOUT)
                .with_max_connection_lifetime(LIFETIME);
            self.drivers.insert(alias.to_owned(), open(self.job, config)?);
            self.created += 1;
            log(&format!("🍌 Improved: created the one driver for {alias}"));
        }
        Ok(&self.drivers[alias])
    }

    fn drivers_created(&self) -> u64 {
        self.created
    }

    fn close(&mut self) {
        self.drivers.clear();
    }
}

/// Makes a driver and lets it connect, so that connecting can be told from querying. The connection
/// stays in the driver's pool for the query.
fn open(job: &Job, config: DriverConfig) -> neo4j::Result<Driver> {
    let address: ConnectionConfig = job.uri.parse().expect("the lab has read this URI before");
    let driver = Driver::new(address, config);
    driver.verify_connectivity()?;
    Ok(driver)
}

fn base_config(job: &Job) -> DriverConfig {
    DriverConfig::new()
        .with_auth(Arc::new(AuthToken::new_basic_auth(&job.user, &job.password)))
        .with_user_agent(job.user_agent.clone())
}

/// One auto-commit query, its result read to the end.
pub(super) fn query(driver: &Driver, job: &Job) -> neo4j::Result<()> {
    let mut config = SessionConfig::new();
    if let Some(database) = &job.database {
        config = config.with_database(Arc::new(database.clone()));
    }
    driver.session(config).auto_commit(&job.query).run().map(drop)
}

/// The server's error code, or the driver's word for what went wrong.
pub(super) fn code(error: &Neo4jError) -> String {
    match error {
        Neo4jError::ServerError { error, .. } => error.code().to_owned(),
        Neo4jError::Disconnect { .. } => "ServiceUnavailable".into(),
        Neo4jError::Timeout { .. } => "ConnectionAcquisitionTimeout".into(),
        Neo4jError::InvalidConfig { .. } => "ConfigurationError".into(),
        Neo4jError::ProtocolError { .. } => "ProtocolError".into(),
        _ => "DriverError".into(),
    }
}

/// A task runs one query at a time; a few more connections leave room for nested sessions.
const POOL_SIZE: usize = 5;
const ACQUISITION_TIMEOUT: Duration = Duration::from_secs(30);
/// Below Aura's cut of idle connections after 60 minutes.
const LIFETIME: Duration = Duration::from_secs(50 * 60);
