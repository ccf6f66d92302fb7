//! How long a client may take: to log in, to take what it asked for, to end what it has begun to ask for, to
//! ask for anything.

use std::time::Duration;

use tokio::time::Instant;

use super::{Client, FAIR_BYTES, View};
use crate::reason::Reason;
use crate::shared::Shared;

/// Whether a client has nothing under way, and since when if a limit depends on it: to read the clock
/// after each unit of work would be felt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Idleness {
    Busy,
    Untimed,
    /// In seconds after the client has come. Clients are many.
    Since(u32),
}

impl Client {
    /// Notes that nothing is under way, and whether half a request has been sent.
    pub fn note_idle(&mut self) {
        if self.idleness == Idleness::Busy {
            self.idleness = Idleness::Untimed;
        }
        let is_half = self.view.is_logged_in() && self.inbox.is_inside_request(&self.wire.input);
        self.half_since = match self.half_since.take() {
            _ if !is_half => None,
            Some(since) => Some(since),
            None => Some(Box::new(Instant::now())),
        };
    }

    /// Whether it has sent half a request.
    pub fn has_half_request(&self) -> bool {
        self.half_since.is_some()
    }

    /// A whole request has come.
    pub fn request_is_whole(&mut self) {
        self.half_since = None;
        self.idleness = Idleness::Busy;
    }

    /// The time of a client with nothing to do begins when it is first waited for while that time is
    /// limited.
    pub(super) fn time_idleness(&mut self, shared: &Shared) {
        if self.idleness == Idleness::Untimed && shared.limits_idleness() {
            // Rounded up, so that no limit is too short.
            let seconds = self.entry.since().elapsed().as_secs() + 1;
            self.idleness = Idleness::Since(u32::try_from(seconds).unwrap_or(u32::MAX));
        }
    }

    pub(super) fn note_stall(&mut self) {
        let written = self.wire.written;
        self.stalled = match self.stalled.take() {
            _ if !self.wire.has_output() => None,
            Some(stalled) if written < stalled.1 + FAIR_BYTES => Some(stalled),
            _ => Some(Box::new((Instant::now(), written))),
        };
    }

    /// When the first of its limits is reached.
    pub fn due(&self, shared: &Shared) -> Option<Instant> {
        self.limits(shared).into_iter().flatten().map(|(due, _)| due).min()
    }

    /// The limit that has been reached by `now`.
    pub fn expired(&self, shared: &Shared, now: Instant) -> Option<Reason> {
        let mut limits = self.limits(shared).into_iter().flatten();
        limits.find(|(due, _)| *due <= now).map(|(_, reason)| reason)
    }

    /// The limits that hold for it: to log in, to take what it asked for, to end what it has begun to
    /// ask for, to ask for anything.
    fn limits(&self, shared: &Shared) -> [Option<(Instant, Reason)>; 4] {
        let login = match self.view {
            View::LoggingIn { until, .. } => Some((until, Reason::ClientLoginTimeout)),
            _ => None,
        };
        let stall = self.stalled.as_deref().map(|(since, _)| {
            (*since + shared.limits().client_write_timeout.0, Reason::ClientWriteTimeout)
        });
        let request = self.half_since.as_deref().map(|since| {
            (*since + shared.limits().client_request_timeout.0, Reason::ClientRequestTimeout)
        });
        [login, stall, request, self.idle_limit(shared)]
    }

    fn idle_limit(&self, shared: &Shared) -> Option<(Instant, Reason)> {
        let Idleness::Since(seconds) = self.idleness else { return None };
        let limit = shared.limits().client_idle_timeout.limit()?;
        let since = self.entry.since() + Duration::from_secs(seconds.into());
        self.view.is_logged_in().then_some((since + limit, Reason::ClientIdleTimeout))
    }
}
