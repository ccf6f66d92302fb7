//! A timer that is cheap to have and to leave alone: it is set anew only if it would ring too late.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::time::{Instant, Sleep, sleep_until};

/// Rings at the time that is wanted, or before. Who hears it has to ask what is due, and to wait again
/// if nothing is. To put a timer off costs little; to make and register one for every query would not.
#[derive(Debug, Default)]
pub(crate) struct Alarm {
    sleep: Option<Pin<Box<Sleep>>>,
    /// What it is set to; `None` once it has rung.
    at: Option<Instant>,
}

impl Alarm {
    /// Ready not later than `due`.
    pub fn poll(&mut self, cx: &mut Context<'_>, due: Option<Instant>) -> Poll<()> {
        let Some(due) = due else { return Poll::Pending };
        let is_late = self.at.is_none_or(|at| due < at);
        let at = if is_late { due } else { self.at.unwrap_or(due) };
        let sleep = match &mut self.sleep {
            Some(sleep) => {
                if is_late {
                    sleep.as_mut().reset(at);
                }
                sleep
            }
            None => self.sleep.insert(Box::pin(sleep_until(at))),
        };
        let rung = sleep.as_mut().poll(cx);
        self.at = rung.is_pending().then_some(at);
        rung
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
        // Set to 20, it may ring then for somebody who wants to be called at 30, who asks again.
        let pending = poll_fn(|cx| Poll::Ready(alarm.poll(cx, Some(after(20))))).await;
        assert!(pending.is_pending());
        poll_fn(|cx| alarm.poll(cx, Some(after(30)))).await;
        assert_eq!(Instant::now(), after(20));
        poll_fn(|cx| alarm.poll(cx, Some(after(30)))).await;
        assert_eq!(Instant::now(), after(30));
    }
}
