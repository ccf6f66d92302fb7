//! A timer that is cheap to have and to leave alone: it is set anew only if it would ring too late.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// Rings when something is due. To put it off costs nothing until the time comes that it was set to
/// before; to make and register a timer for every query would cost more. It is one word until it is
/// first needed: clients with nothing to do have one.
#[derive(Debug, Default)]
pub(crate) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready once `due` has come. Every poll may name another time.
    pub fn poll(&mut self, cx: &mut Context<'_>, due: Option<Instant>) -> Poll<()> {
        let Some(due) = due else { return Poll::Pending };
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if due < sleep.deadline() {
            sleep.as_mut().reset(due);
        }
        ready!(sleep.as_mut().poll(cx));
        if due <= sleep.deadline() {
            return Poll::Ready(());
        }
        // It was set to an earlier time, for something that is not due any more.
        sleep.as_mut().reset(due);
        sleep.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn it_rings_in_time_whatever_it_was_set_to_before() {
        let (mut alarm, start) = (Alarm::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let pending = poll_fn(|cx| Poll::Ready(alarm.poll(cx, Some(after(60))))).await;
        assert!(pending.is_pending());
        poll_fn(|cx| alarm.poll(cx, Some(after(5)))).await;
        assert_eq!(Instant::now(), after(5));
        let pending = poll_fn(|cx| Poll::Ready(alarm.poll(cx, Some(after(20))))).await;
        assert!(pending.is_pending());
        // Set to 20, it does not ring then for somebody who has meanwhile asked for 30.
        poll_fn(|cx| alarm.poll(cx, Some(after(30)))).await;
        assert_eq!(Instant::now(), after(30));
    }
}
