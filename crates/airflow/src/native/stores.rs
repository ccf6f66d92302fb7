//! The databases beside Airflow: what is needed, and where it is.

use anyhow::Result;

use super::database::{Postgres, Redis};
use super::options::{Executor, Options};
use super::start::Start;
use crate::version::Version;

/// The stores that a version and executor need; what is not installed is found out before anything is
/// started.
pub(super) struct Needed {
    postgres: Option<Postgres>,
    redis: Option<Redis>,
}

/// Where the stores are, as Airflow's settings name them.
pub(super) struct Stores {
    pub name: &'static str,
    /// SQLAlchemy's URL; `None` is SQLite in Airflow's home.
    pub database: Option<String>,
    pub broker: Option<String>,
}

impl Needed {
    pub fn find(options: &Options) -> Result<Self> {
        let is_celery = options.executor == Executor::Celery;
        let postgres = match Postgres::find() {
            Ok(postgres) => Some(postgres),
            // Airflow 3 runs local tasks on SQLite too, though many at once get in each other's way.
            Err(_) if !is_celery && options.version == Version::V3_3_2 => None,
            Err(error) => return Err(error),
        };
        Ok(Self { postgres, redis: is_celery.then(Redis::find).transpose()? })
    }

    pub fn start(&self, start: &mut Start<'_>) -> Result<Stores> {
        let database = self.postgres.as_ref().map(|postgres| postgres.start(start)).transpose()?;
        let broker = self.redis.as_ref().map(|redis| redis.start(start)).transpose()?;
        let name = if database.is_some() { "PostgreSQL" } else { "SQLite" };
        Ok(Stores { name, database, broker })
    }
}
