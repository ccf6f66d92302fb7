//! The right to use an upstream connection for one unit of work. However it ends, the connection
//! goes back clean or is closed.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use bolt::Failure;
use tokio::time::Instant;

use super::connection::Connection;
use super::{Hold, Holder, Pool};
use crate::credential::Credential;
use crate::server::Upstream;
use crate::unit::Doing;

#[derive(Debug)]
pub(crate) struct Lease {
    pool: Arc<Pool>,
    /// Gone only while the lease is being dropped.
    connection: Option<Connection>,
}

impl Lease {
    pub(super) fn new(pool: Arc<Pool>, connection: Connection) -> Self {
        Self { pool, connection: Some(connection) }
    }

    /// Who has the connection now, for those who ask.
    pub fn begin(&self, holder: Holder) {
        self.hold().begin(holder);
    }

    /// What happens on the connection, and since when.
    pub fn does(&self, doing: Doing, since: Instant) {
        if self.hold().does(doing, since) {
            let id = self.connection.as_ref().expect(PRESENT).id;
            self.pool.change(|state, _| state.connections.unpark(id));
        }
    }

    pub fn hold(&self) -> &Hold {
        &self.connection.as_ref().expect(PRESENT).hold
    }

    /// The connection, and who has it.
    pub fn parts(&mut self) -> (&mut Upstream, &Hold) {
        let connection = self.connection.as_mut().expect(PRESENT);
        (&mut connection.upstream, &connection.hold)
    }

    /// The upstream says on this connection that its authorization has expired.
    pub fn authorization_expired(&self) {
        self.pool.retire(self.connection.as_ref().expect(PRESENT).epoch);
    }

    /// The upstream says on this connection that what it was opened with has expired. Returns that.
    pub fn credential_expired(&self, why: &Failure) -> Arc<Credential> {
        let credential = self.connection.as_ref().expect(PRESENT).credential.clone();
        self.pool.void_credential(&credential, why);
        credential
    }

    /// Returns the connection without having used it.
    pub(super) fn give_back(mut self) {
        let connection = self.connection.take().expect(PRESENT);
        self.pool.put_back(connection);
    }

    /// Closes the connection, whatever state it is in.
    pub fn discard(mut self) {
        let connection = self.connection.take().expect(PRESENT);
        self.pool.discard(connection);
    }
}

impl Deref for Lease {
    type Target = Upstream;

    fn deref(&self) -> &Upstream {
        &self.connection.as_ref().expect(PRESENT).upstream
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Upstream {
        &mut self.connection.as_mut().expect(PRESENT).upstream
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        match self.connection.take() {
            Some(mut connection) if connection.upstream.is_clean() => {
                connection.was_used = true;
                self.pool.put_back(connection);
            }
            Some(connection) => self.pool.discard(connection),
            None => {}
        }
    }
}

const PRESENT: &str = "a lease holds its connection until it is dropped";
