//! The two ways to get a driver that the lab compares. The report shows the same two ways as Python code;
//! keep them alike.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use neo4j::Neo4jError;
use neo4j::driver::auth::AuthToken;
use neo4j::driver::{ConnectionConfig, Driver, DriverConfig};
use neo4j::session::SessionConfig;

use super::job::TaskSettings;
use super::log::log;

pub(super) trait DatabaseConnection {
    /// A driver that has a connection to the database.
    fn driver(&mut self, alias: &str) -> neo4j::Result<&Driver>;
    fn drivers_created(&self) -> u64;
    /// What the task does with its drivers when it is done.
    fn close(&mut self);
}

/// Makes a new driver for each call. It keeps all of them and closes none, as happens to drivers that
/// hooks, caches or tracebacks refer to.
pub(super) struct ProblematicDatabaseConnection<'a> {
    settings: &'a TaskSettings,
    drivers: Vec<Driver>,
}

impl<'a> ProblematicDatabaseConnection<'a> {
    pub fn new(settings: &'a TaskSettings) -> Self {
        Self { settings, drivers: Vec::new() }
    }
}

impl DatabaseConnection for ProblematicDatabaseConnection<'_> {
    fn driver(&mut self, alias: &str) -> neo4j::Result<&Driver> {
        log(&format!(
            "🍌 DEBUG: about to create NEW driver for alias '{alias}' (THIS IS THE PROBLEM!)🍌🍌🍌"
        ));
        let driver = open(self.settings, base_config(self.settings))?;
        log(&format!("🍌 Problematic: created new driver for alias '{alias}'"));
        self.drivers.push(driver);
        Ok(self.drivers.last().expect("just pushed"))
    }

    fn drivers_created(&self) -> u64 {
        self.drivers.len() as u64
    }

    fn close(&mut self) {}
}

/// Makes one driver for each alias and process. A driver is checked before it is used again, replaced if
/// the check fails, and closed at the end.
pub(super) struct ImprovedDatabaseConnection<'a> {
    settings: &'a TaskSettings,
    drivers: HashMap<String, Driver>,
    created: u64,
}

impl<'a> ImprovedDatabaseConnection<'a> {
    pub fn new(settings: &'a TaskSettings) -> Self {
        Self { settings, drivers: HashMap::new(), created: 0 }
    }
}

impl DatabaseConnection for ImprovedDatabaseConnection<'_> {
    fn driver(&mut self, alias: &str) -> neo4j::Result<&Driver> {
        let is_healthy = self.drivers.get(alias).map(|driver| driver.verify_connectivity().is_ok());
        if is_healthy == Some(true) {
            log(&format!("🍌 Improved: reusing existing sync driver for {alias}"));
        } else {
            self.drivers.remove(alias);
            let config = base_config(self.settings)
                .with_max_connection_pool_size(POOL_SIZE)
                .with_connection_acquisition_timeout(ACQUISITION_TIMEOUT)
                .with_max_connection_lifetime(LIFETIME);
            self.drivers.insert(alias.to_owned(), open(self.settings, config)?);
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

/// Makes a driver and lets it connect at once, so that the time for connecting is known apart from the
/// time for the query. The connection stays in the driver's pool for the query.
fn open(settings: &TaskSettings, config: DriverConfig) -> neo4j::Result<Driver> {
    let address: ConnectionConfig = settings.uri.parse().expect("the lab has read this URI before");
    let driver = Driver::new(address, config);
    driver.verify_connectivity()?;
    Ok(driver)
}

fn base_config(settings: &TaskSettings) -> DriverConfig {
    DriverConfig::new()
        .with_auth(Arc::new(AuthToken::new_basic_auth(&settings.user, &settings.password)))
        .with_user_agent(settings.user_agent.clone())
}

/// Runs one auto-commit query and reads its result to the end.
pub(super) fn query(driver: &Driver, settings: &TaskSettings) -> neo4j::Result<()> {
    let mut config = SessionConfig::new();
    if let Some(database) = &settings.database {
        config = config.with_database(Arc::new(database.clone()));
    }
    driver.session(config).auto_commit(&settings.query).run().map(drop)
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
/// Aura closes connections that were idle for 60 minutes; this is shorter.
const LIFETIME: Duration = Duration::from_secs(50 * 60);
