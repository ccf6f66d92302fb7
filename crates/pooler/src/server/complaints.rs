//! How often the log hears of a server that does not answer.

use std::time::Duration;

use tokio::time::Instant;

/// How often the log hears of a server that stays away: less and less.
#[derive(Default)]
pub(super) struct Complaints {
    next: Option<Instant>,
    pause: Duration,
}

impl Complaints {
    /// Whether the log is to hear of it this time.
    pub fn is_due(&mut self) -> bool {
        let now = Instant::now();
        let is_due = self.next.is_none_or(|next| next <= now);
        if is_due {
            self.pause = (2 * self.pause).clamp(COMPLAINT_PAUSE_MIN, COMPLAINT_PAUSE_MAX);
            self.next = Some(now + self.pause);
        }
        is_due
    }
}

const COMPLAINT_PAUSE_MIN: Duration = Duration::from_secs(2);
const COMPLAINT_PAUSE_MAX: Duration = Duration::from_secs(10 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_log_hears_less_and_less_of_a_server_that_stays_away() {
        let (mut complaints, mut count) = (Complaints::default(), 0);
        for _ in 0..3600 {
            count += usize::from(complaints.is_due());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        // After 0, 2, 6, 14, 30, 62, 126, 254, 510 and 1022 seconds, then every ten minutes.
        assert_eq!(count, 14);
    }
}
