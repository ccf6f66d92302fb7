//! The right to use an upstream connection for one unit of work. However it ends, the connection
//! goes back clean or is closed.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::{Pool, Upstream};

#[derive(Debug)]
pub(crate) struct Lease {
    pool: Arc<Pool>,
    /// Gone only while the lease is being dropped.
    upstream: Option<Box<Upstream>>,
}

impl Lease {
    pub(super) fn new(pool: Arc<Pool>, mut upstream: Box<Upstream>) -> Self {
        upstream.was_used = true;
        Self { pool, upstream: Some(upstream) }
    }

    /// Takes the connection out; the pool's count stays as it is.
    pub(super) fn into_upstream(mut self) -> Box<Upstream> {
        self.upstream.take().expect(PRESENT)
    }

    /// Closes the connection, whatever state it is in.
    pub fn discard(mut self) {
        let upstream = self.upstream.take().expect(PRESENT);
        self.pool.discard(upstream);
    }
}

impl Deref for Lease {
    type Target = Upstream;

    fn deref(&self) -> &Upstream {
        self.upstream.as_ref().expect(PRESENT)
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Upstream {
        self.upstream.as_mut().expect(PRESENT)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        match self.upstream.take() {
            Some(upstream) if upstream.is_clean() => self.pool.offer(upstream),
            Some(upstream) => self.pool.discard(upstream),
            None => {}
        }
    }
}

const PRESENT: &str = "a lease holds its connection until it is dropped";
