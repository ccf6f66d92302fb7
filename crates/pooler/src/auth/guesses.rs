//! Wrong passwords by where they come from and for whom. Neo4j locks a name after three of them, and
//! after that lets one try through every five seconds until a login works. Here a pair of source and
//! name is limited in the same way, and nobody else with it: past the limit even the right password
//! is refused there, or the answers would tell which one it is.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::source::Source;
use crate::credential::Digest;
use crate::tries::NameId;

/// Who may be guessing, and whose password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Suspect {
    pub source: Source,
    pub name: NameId,
}

#[derive(Debug, Default)]
pub(super) struct Guesses(HashMap<Suspect, Guesser>);

#[derive(Debug)]
struct Guesser {
    /// Different ones, the oldest first. The same again is no guess, but a task with an old password.
    refused: VecDeque<Digest>,
    /// When one was refused that had not been before.
    refused_at: Instant,
    /// Those that have no answer yet, each with the logins that brought it.
    pending: HashMap<Digest, HashSet<u64>>,
}

/// What came of a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GuessOutcome {
    Right,
    /// It was refused, be it unseen because there were too many.
    Wrong,
    /// Nobody knows: the client has left, or the upstream could not be asked.
    Unknown,
}

impl Guesses {
    /// Whether this pair has had its tries, the one in question not counted.
    pub fn is_past(&self, suspect: &Suspect, digest: &Digest) -> bool {
        self.0.get(suspect).is_some_and(|guesser| guesser.is_past(digest))
    }

    /// A login of this pair needs an answer. To say so again changes nothing.
    pub fn begin(&mut self, suspect: Suspect, digest: &Digest, login: u64) {
        let new = || Guesser {
            refused: VecDeque::new(),
            refused_at: Instant::now(),
            pending: HashMap::new(),
        };
        let guesser = self.0.entry(suspect).or_insert_with(new);
        guesser.pending.entry(digest.clone()).or_default().insert(login);
    }

    /// It has one.
    pub fn end(&mut self, suspect: Suspect, digest: &Digest, login: u64, outcome: GuessOutcome) {
        let Some(guesser) = self.0.get_mut(&suspect) else { return };
        guesser.settle(digest, login);
        match outcome {
            GuessOutcome::Right => guesser.refused.clear(),
            GuessOutcome::Wrong => guesser.refuse(digest),
            GuessOutcome::Unknown => {}
        }
        if guesser.is_empty() {
            self.0.remove(&suspect);
        }
    }

    /// Forgets pairs that have been quiet for long, and more of them if there are very many.
    pub fn tidy(&mut self) {
        let patience = if self.0.len() > SUSPECTS_MAX { LOCK_TIME } else { MEMORY };
        self.0.retain(|_, guesser| {
            !guesser.pending.is_empty() || guesser.refused_at.elapsed() < patience
        });
    }
}

impl Guesser {
    fn is_past(&self, digest: &Digest) -> bool {
        let is_open = |other: &&Digest| *other != digest && !self.refused.contains(other);
        let open = self.pending.keys().filter(is_open).count();
        let refused = self.refused.iter().filter(|other| *other != digest).count();
        let may_try_again = open == 0 && self.refused_at.elapsed() >= LOCK_TIME;
        refused + open >= GUESSES_MAX && !may_try_again
    }

    fn settle(&mut self, digest: &Digest, login: u64) {
        if let Some(logins) = self.pending.get_mut(digest) {
            logins.remove(&login);
            if logins.is_empty() {
                self.pending.remove(digest);
            }
        }
    }

    fn refuse(&mut self, digest: &Digest) {
        if self.refused.contains(digest) {
            return;
        }
        if self.refused.len() == REMEMBERED_MAX {
            self.refused.pop_front();
        }
        self.refused.push_back(digest.clone());
        self.refused_at = Instant::now();
    }

    fn is_empty(&self) -> bool {
        self.refused.is_empty() && self.pending.is_empty()
    }
}

/// Neo4j's `dbms.security.auth_max_failed_attempts` and `auth_lock_time`.
const GUESSES_MAX: usize = 3;
const LOCK_TIME: Duration = Duration::from_secs(5);
/// How many wrong passwords are known again. A few tasks may each have an old one.
const REMEMBERED_MAX: usize = 16;
const MEMORY: Duration = Duration::from_secs(10 * 60);
const SUSPECTS_MAX: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    const EVE: Suspect = Suspect { source: Source::Unknown, name: NameId(1) };

    fn digest(number: u8) -> Digest {
        Digest([number; crate::credential::DIGEST_BYTES])
    }

    fn refuse(guesses: &mut Guesses, number: u8) {
        guesses.begin(EVE, &digest(number), 0);
        guesses.end(EVE, &digest(number), 0, GuessOutcome::Wrong);
    }

    #[tokio::test(start_paused = true)]
    async fn after_three_wrong_ones_there_is_one_try_in_five_seconds() {
        let mut guesses = Guesses::default();
        (1..=3).for_each(|number| refuse(&mut guesses, number));
        assert!(guesses.is_past(&EVE, &digest(9)));
        tokio::time::advance(LOCK_TIME).await;
        assert!(!guesses.is_past(&EVE, &digest(9)));
        // While that one has no answer, there is no other.
        guesses.begin(EVE, &digest(9), 0);
        assert!(guesses.is_past(&EVE, &digest(8)));
        guesses.end(EVE, &digest(9), 0, GuessOutcome::Wrong);
        assert!(guesses.is_past(&EVE, &digest(8)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_wrong_one_again_is_no_guess() {
        let mut guesses = Guesses::default();
        for _ in 0..100 {
            refuse(&mut guesses, 1);
            refuse(&mut guesses, 2);
        }
        assert!(!guesses.is_past(&EVE, &digest(9)));
        // Nor does it put off the time from which others may try.
        refuse(&mut guesses, 3);
        tokio::time::advance(LOCK_TIME / 2).await;
        refuse(&mut guesses, 1);
        tokio::time::advance(LOCK_TIME / 2).await;
        assert!(!guesses.is_past(&EVE, &digest(9)));
    }

    #[tokio::test(start_paused = true)]
    async fn many_at_once_are_as_many() {
        let mut guesses = Guesses::default();
        (1..=3).for_each(|number| guesses.begin(EVE, &digest(number), u64::from(number)));
        assert!(guesses.is_past(&EVE, &digest(9)));
        tokio::time::advance(LOCK_TIME).await;
        assert!(guesses.is_past(&EVE, &digest(9)), "they have no answer yet");
        (1..=3).for_each(|number| {
            guesses.end(EVE, &digest(number), u64::from(number), GuessOutcome::Unknown);
        });
        assert!(!guesses.is_past(&EVE, &digest(9)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_that_works_lets_the_count_begin_anew() {
        let mut guesses = Guesses::default();
        (1..=2).for_each(|number| refuse(&mut guesses, number));
        guesses.begin(EVE, &digest(9), 0);
        guesses.end(EVE, &digest(9), 0, GuessOutcome::Right);
        refuse(&mut guesses, 3);
        assert!(!guesses.is_past(&EVE, &digest(9)));
        tokio::time::advance(MEMORY).await;
        guesses.tidy();
        assert!(guesses.0.is_empty());
    }
}
