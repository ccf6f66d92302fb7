//! Answers that are good for a moment, for questions that many may ask at once.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::locks::{Rank, Ranked};

/// The last answer, and when it was found.
#[derive(Debug)]
pub(crate) struct Moment<T>(Ranked<Mutex<Option<(Instant, T)>>>);

impl<T: Clone> Moment<T> {
    pub fn new(rank: Rank) -> Self {
        Self(Ranked::mutex(rank, None))
    }

    /// What `look` has found a moment ago, or finds now. Only one thread looks.
    pub fn get(&self, look: impl FnOnce() -> T) -> T {
        let mut known = self.0.lock();
        match &*known {
            Some((at, answer)) if at.elapsed() < MOMENT => answer.clone(),
            _ => {
                let answer = look();
                *known = Some((Instant::now(), answer.clone()));
                answer
            }
        }
    }
}

const MOMENT: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    #[tokio::test(start_paused = true)]
    async fn it_is_looked_once_in_a_moment() {
        let (moment, mut looks) = (Moment::new(Rank::Witnessed), 0);
        for (wait, expected) in [(0, 1), (50, 1), (50, 2), (99, 2), (1, 3)] {
            sleep(Duration::from_millis(wait)).await;
            let seen = moment.get(|| {
                looks += 1;
                looks
            });
            assert_eq!(seen, expected);
        }
    }
}
