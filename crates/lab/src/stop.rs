//! How somebody tells a run that it is to end before its time.

use tokio::sync::watch;

/// Clones are one and the same: what one is told, all know.
#[derive(Clone, Debug)]
pub struct Stop(watch::Sender<bool>);

impl Default for Stop {
    fn default() -> Self {
        Self(watch::channel(false).0)
    }
}

impl Stop {
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    pub(crate) async fn stopped(&self) {
        // The sender is `self`, so waiting can't fail.
        let _ = self.0.subscribe().wait_for(|stopped| *stopped).await;
    }
}
