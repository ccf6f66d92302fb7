//! Several ways to the same end, of which any may be slow, silent or wrong: RFC 8305 without the
//! sockets. It knows nothing of addresses; whoever calls says in which order, and what an attempt is.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// How long an attempt goes alone before the next one is begun beside it: RFC 8305, section 8.
pub const HEAD_START: Duration = Duration::from_millis(250);

/// Begins one attempt after the other, the next one when [`HEAD_START`] is over or all that are under
/// way have failed, and returns what the first to succeed has brought. The others are dropped.
///
/// # Errors
/// What every attempt failed with, in the order in which they failed; nothing if there was no attempt.
pub async fn race<T, E, A>(attempts: impl IntoIterator<Item = A>) -> Result<T, Vec<E>>
where
    A: Future<Output = Result<T, E>>,
{
    let mut heat = Heat { running: Vec::new(), failed: Vec::new() };
    for attempt in attempts {
        heat.running.push(Box::pin(attempt));
        let mut next = std::pin::pin!(sleep_until(Instant::now() + HEAD_START));
        let won = poll_fn(|cx| match heat.poll(cx) {
            Poll::Ready(won) => Poll::Ready(won),
            Poll::Pending => next.as_mut().poll(cx).map(|()| None),
        });
        if let Some(won) = won.await {
            return Ok(won);
        }
    }
    match poll_fn(|cx| heat.poll(cx)).await {
        Some(won) => Ok(won),
        None => Err(heat.failed),
    }
}

/// The attempts that are under way, and what others have failed with.
struct Heat<A, E> {
    running: Vec<Pin<Box<A>>>,
    failed: Vec<E>,
}

impl<T, E, A: Future<Output = Result<T, E>>> Heat<A, E> {
    /// Ready with a success, or with nothing once all have failed. The others are looked at even if
    /// one has succeeded: a connection that was established in this very moment must be counted.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut won = None;
        let failed = &mut self.failed;
        self.running.retain_mut(|attempt| match attempt.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(Ok(done)) => {
                won.get_or_insert(done);
                false
            }
            Poll::Ready(Err(error)) => {
                failed.push(error);
                false
            }
        });
        match won {
            None if !self.running.is_empty() => Poll::Pending,
            won => Poll::Ready(won),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;

    /// Fails or succeeds after so many milliseconds; says when it began.
    async fn attempt(outcome: Result<u32, u32>, after_ms: u64) -> Result<(u32, Duration), u32> {
        let began = Instant::now();
        sleep(Duration::from_millis(after_ms)).await;
        outcome.map(|number| (number, began.elapsed()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_mute_one_keeps_the_next_waiting_for_its_head_start_only() {
        let start = Instant::now();
        let attempts = [1, 2, 3].map(|number| async move {
            if number < 3 {
                pending::<()>().await
            }
            Ok::<_, ()>(number)
        });
        assert_eq!(race(attempts).await, Ok(3));
        assert_eq!(start.elapsed(), 2 * HEAD_START);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_lets_the_next_one_begin_at_once() {
        let start = Instant::now();
        let (won, _) = race([attempt(Err(1), 5), attempt(Ok(2), 5)]).await.unwrap();
        assert_eq!((won, start.elapsed()), (2, Duration::from_millis(10)));
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_may_still_win_when_the_second_has_begun() {
        let attempts = [attempt(Ok(1), 300), attempt(Ok(2), 300)];
        assert_eq!(race(attempts).await.unwrap().0, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn all_that_went_wrong_is_returned() {
        let attempts = [attempt(Err(1), 600), attempt(Err(2), 5)];
        assert_eq!(race(attempts).await, Err(vec![2, 1]));
        assert_eq!(race(Vec::<std::future::Ready<Result<(), ()>>>::new()).await, Err(vec![]));
    }
}
