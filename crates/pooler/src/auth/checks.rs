//! The checks that are under way, and who waits for each of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::sync::watch;

use super::{Directory, Outcome};
use crate::credential::Digest;
use crate::tries::CheckId;

/// Tells those who wait for a check apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct AskerId(pub u64);

/// By the digest of what is being checked: the same login is not checked twice at once.
#[derive(Debug, Default)]
pub(super) struct Checks(HashMap<Digest, Running>);

#[derive(Debug)]
struct Running {
    id: CheckId,
    outcome: watch::Receiver<Option<Outcome>>,
    asking: HashSet<AskerId>,
}

/// Somebody who waits for a check. When the last one has left, the check need not begin.
#[derive(Debug)]
pub(super) struct Asking {
    directory: Arc<Directory>,
    digest: Digest,
    check: CheckId,
    id: AskerId,
    outcome: watch::Receiver<Option<Outcome>>,
}

impl Checks {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Somebody is the first to wait for a check. None of the same digest is under way.
    pub fn begin(
        &mut self,
        digest: &Digest,
        id: CheckId,
        outcome: watch::Receiver<Option<Outcome>>,
        asker: AskerId,
        directory: &Arc<Directory>,
    ) -> Asking {
        let running = Running { id, outcome, asking: HashSet::new() };
        let running = self.0.entry(digest.clone()).insert_entry(running);
        running.into_mut().ask(digest, asker, directory)
    }

    /// Somebody more waits for the check of this digest, if there is one.
    pub fn ask(
        &mut self,
        digest: &Digest,
        asker: AskerId,
        directory: &Arc<Directory>,
    ) -> Option<Asking> {
        Some(self.0.get_mut(digest)?.ask(digest, asker, directory))
    }

    /// Somebody more waits for this check, if it is under way.
    pub fn ask_for(
        &mut self,
        id: CheckId,
        asker: AskerId,
        directory: &Arc<Directory>,
    ) -> Option<Asking> {
        let (digest, running) = self.0.iter_mut().find(|(_, running)| running.id == id)?;
        Some(running.ask(digest, asker, directory))
    }

    pub fn is_wanted(&self, digest: &Digest, id: CheckId) -> bool {
        self.running(digest, id).is_some_and(|running| !running.asking.is_empty())
    }

    /// The check is over. It may be another one of the same digest that is under way now.
    pub fn end(&mut self, digest: &Digest, id: CheckId) {
        if self.running(digest, id).is_some() {
            self.0.remove(digest);
        }
    }

    fn leave(&mut self, digest: &Digest, id: CheckId, asker: AskerId) {
        if let Some(running) = self.0.get_mut(digest).filter(|running| running.id == id) {
            running.asking.remove(&asker);
        }
    }

    fn running(&self, digest: &Digest, id: CheckId) -> Option<&Running> {
        self.0.get(digest).filter(|running| running.id == id)
    }
}

impl Running {
    fn ask(&mut self, digest: &Digest, id: AskerId, directory: &Arc<Directory>) -> Asking {
        self.asking.insert(id);
        let (directory, outcome) = (directory.clone(), self.outcome.clone());
        Asking { directory, digest: digest.clone(), check: self.id, id, outcome }
    }
}

impl Asking {
    /// Waits until the check is over. Nothing comes of one that broke off.
    pub async fn outcome(mut self) -> Option<Outcome> {
        let seen = self.outcome.wait_for(Option::is_some).await;
        seen.ok().and_then(|seen| seen.clone())
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.directory.change(|state| state.checks.leave(&self.digest, self.check, self.id));
    }
}
