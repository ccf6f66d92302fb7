//! What a client has logged in with, and what it is recognised by.

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::constant_time;
use bolt::message::Auth;

/// All of a login, credentials included, under the process's own key. It is as good as an id: two
/// logins have the same one only if they are the same.
#[derive(Clone, Debug, Eq)]
pub(crate) struct Digest(pub [u8; DIGEST_BYTES]);

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

/// A login that can be sent to the upstream. It has an id because two of them may hold the same words
/// and still have to be told apart: a refusal counts only against the one that was sent.
#[derive(Debug)]
pub(crate) struct Credential {
    pub id: u64,
    pub auth: Auth,
    pub digest: Digest,
    is_void: AtomicBool,
}

impl Credential {
    pub fn new(id: u64, auth: Auth, digest: Digest) -> Self {
        Self { id, auth, digest, is_void: AtomicBool::new(false) }
    }

    /// The upstream has said that connections on which this was sent can't be used any more.
    pub fn void(&self) {
        self.is_void.store(true, Ordering::Relaxed);
    }

    pub fn is_void(&self) -> bool {
        self.is_void.load(Ordering::Relaxed)
    }
}

pub(crate) const DIGEST_BYTES: usize = 32;
