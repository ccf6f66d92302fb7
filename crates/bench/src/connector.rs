//! How a client connects to its target: it dials, agrees on a version, and logs in.

use std::time::Duration;

use bolt::message::Auth;
use client::{ClientError, Connection};
use net::Dialer;

#[derive(Debug)]
pub(crate) struct Connector {
    pub dialer: Dialer,
    /// For each answer of the server.
    pub timeout: Duration,
}

impl Connector {
    /// # Errors
    /// The target can't be reached, or refuses the login.
    pub async fn connect(&self, auth: &Auth) -> Result<Connection, ClientError> {
        let mut connection = Connection::dial_with(&self.dialer, self.timeout).await?;
        connection.login(USER_AGENT, auth).await?;
        Ok(connection)
    }
}

const USER_AGENT: &str = concat!("boltbouncer-bench/", env!("CARGO_PKG_VERSION"));
