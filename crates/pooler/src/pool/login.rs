//! What a pool logs in with: nothing yet, something that the upstream takes, or nothing any more,
//! because the upstream has refused it.

use std::sync::Arc;
use std::time::Duration;

use bolt::Failure;
use tokio::time::Instant;

use crate::credential::Credential;

#[derive(Debug, Default)]
pub(super) struct Login {
    stand: Stand,
    /// When the upstream last took the credential.
    proven_at: Option<Instant>,
}

#[derive(Debug, Default)]
enum Stand {
    #[default]
    Nothing,
    Usable(Arc<Credential>),
    /// Clients have to bring another one.
    Refused(Failure),
}

impl Login {
    pub fn credential(&self) -> Option<&Arc<Credential>> {
        match &self.stand {
            Stand::Usable(credential) => Some(credential),
            _ => None,
        }
    }

    pub fn refusal(&self) -> Option<&Failure> {
        match &self.stand {
            Stand::Refused(why) => Some(why),
            _ => None,
        }
    }

    /// Takes a credential if there was none yet.
    pub fn suggest(&mut self, credential: &Arc<Credential>) {
        if matches!(self.stand, Stand::Nothing) {
            self.stand = Stand::Usable(credential.clone());
        }
    }

    /// This credential has just worked.
    pub fn prove(&mut self, credential: Arc<Credential>) {
        self.stand = Stand::Usable(credential);
        self.proven_at = Some(Instant::now());
    }

    /// Whether a credential is believed to be good because it has worked a moment ago.
    pub fn is_proven(&self) -> bool {
        self.proven_at.is_some_and(|since| since.elapsed() < PROOF_TTL)
    }

    /// Somebody may have changed the password.
    pub fn doubt(&mut self) {
        self.proven_at = None;
    }

    pub fn refuse(&mut self, why: Failure) {
        self.stand = Stand::Refused(why);
    }

    /// As [`Self::refuse`], if it is still this credential that connections are opened with.
    pub fn refuse_if_current(&mut self, credential: &Credential, why: Failure) {
        if self.credential().is_some_and(|current| current.id == credential.id) {
            self.refuse(why);
        }
    }
}

/// For how long a credential that has worked is believed to work still.
const PROOF_TTL: Duration = Duration::from_secs(5);
