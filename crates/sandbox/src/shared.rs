//! What all connections of a server share: its databases, its users, its limits and its books.

use std::net::SocketAddr;
use std::sync::Arc;

use bolt::Failure;
use bolt::failure::code;
use bolt::version::VersionRange;
use graph::Database;
use net::Certificate;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::books::Books;
use crate::login::Users;
use crate::procedures::Catalog;
use crate::settings::Settings;
use crate::work::{Engine, SYSTEM};

/// What every session of a server uses.
#[derive(Debug)]
pub(crate) struct Shared {
    pub address: SocketAddr,
    pub served: Vec<VersionRange>,
    pub engine: Engine,
    pub users: Arc<Users>,
    /// One permit for each open transaction.
    pub transactions: Arc<Semaphore>,
    pub books: Arc<Books>,
    /// With which clients encrypt, if they have to.
    pub certificate: Option<Certificate>,
    threads: Handle,
    neo4j: Arc<Database>,
    system: Arc<Database>,
}

impl Shared {
    pub fn new(
        address: SocketAddr,
        served: Vec<VersionRange>,
        settings: Settings,
        books: Arc<Books>,
        certificate: Option<Certificate>,
        threads: Handle,
    ) -> Self {
        let users = Arc::new(Users::new(&settings));
        let catalog = Catalog {
            books: books.clone(),
            agent: settings.agent.clone(),
            max_bolt: settings.max_bolt,
            max_threads: settings.max_threads,
            users: users.names(),
            denies_listing: settings.denies_listing,
        };
        Self {
            address,
            served,
            users,
            transactions: Arc::new(Semaphore::new(
                settings.max_threads.min(Semaphore::MAX_PERMITS),
            )),
            books,
            certificate,
            threads,
            neo4j: Arc::default(),
            system: Arc::default(),
            engine: Engine { catalog: Arc::new(catalog), settings: Arc::new(settings) },
        }
    }

    /// The database with this name, or the default one.
    pub fn database(&self, name: Option<&str>) -> Result<(&'static str, Arc<Database>), Failure> {
        match name {
            None => Ok((DEFAULT_DATABASE, self.neo4j.clone())),
            Some(name) if name.eq_ignore_ascii_case(DEFAULT_DATABASE) => {
                Ok((DEFAULT_DATABASE, self.neo4j.clone()))
            }
            Some(name) if name.eq_ignore_ascii_case(SYSTEM) => Ok((SYSTEM, self.system.clone())),
            Some(name) => {
                Err(Failure::new(code::DATABASE_NOT_FOUND, format!("Graph not found: {name}")))
            }
        }
    }

    /// Threads with the stack that the engine needs.
    pub fn threads(&self) -> &Handle {
        &self.threads
    }
}

const DEFAULT_DATABASE: &str = "neo4j";
