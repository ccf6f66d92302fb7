//! The wait for either side. Both sockets are polled by one task; a side that does not take what it
//! is sent is not sent more, and the other side is not read any further.

use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use bolt::chunk::NOOP;
use tokio::time::{Instant, sleep_until};

use super::requests::OUTPUT_MAX;
use super::{Lost, RECOVERY_TIMEOUT, Relay, Stop};
use crate::failures;
use crate::metrics::Fault;

/// When something last happened. The alarm, which is the upstream connection's, is set once and asks
/// again when it rings, so that nothing is spent on it while messages go back and forth.
pub(super) struct Clock {
    is_alarm_set: bool,
    /// When the limits were last looked at.
    checked: Instant,
    /// Bytes from upstream.
    heard: Instant,
    /// The server could have said something and we would have heard it.
    listening: Instant,
    /// Bytes from the client.
    client: Instant,
    client_took: Instant,
    client_written: u64,
    told_alive: Instant,
    /// Since when nobody waits for the answers.
    abandoned: Option<Instant>,
}

impl Clock {
    pub fn new(now: Instant, client_written: u64) -> Self {
        Self {
            is_alarm_set: false,
            checked: now,
            heard: now,
            listening: now,
            client: now,
            client_took: now,
            client_written,
            told_alive: now,
            abandoned: None,
        }
    }
}

enum Event {
    Bytes,
    Alarm,
    ClientGone,
    UpstreamGone,
}

impl Relay<'_> {
    pub(super) async fn wait(&mut self) -> Result<(), Stop> {
        match poll_fn(|cx| self.poll(cx)).await {
            Event::Bytes => Ok(()),
            Event::Alarm => self.on_alarm(),
            Event::UpstreamGone => Err(Lost::Upstream("upstream_closed").into()),
            Event::ClientGone => {
                self.client_has_left();
                Ok(())
            }
        }
    }

    /// From here on answers are thrown away, and the connection is made ready for the next client;
    /// a COMMIT that was sent is waited for.
    pub(super) fn client_has_left(&mut self) {
        if self.unit.client_gone {
            return;
        }
        if !self.unit.hang_up {
            self.session.client.output.clear();
        }
        self.unit.client_gone = true;
        self.unit.is_recovering = true;
        let now = Instant::now();
        self.clock.abandoned = Some(now);
        // The limit that holds from now on may be nearer than what the alarm was set to.
        self.clock.checked = now;
        self.clock.is_alarm_set = false;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let client_gone = self.unit.client_gone;
        let upstream = self.lease.as_mut().expect("the lease is held until the unit is over");
        if let Poll::Ready(Err(_)) = upstream.wire.poll_flush(cx) {
            // What the server said before it went may still be there to be read.
            return match upstream.wire.poll_fill(cx) {
                Poll::Ready(Ok(())) => Poll::Ready(Event::Bytes),
                _ => Poll::Ready(Event::UpstreamGone),
            };
        }
        let client = &mut self.session.client;
        if !client_gone
            && client.poll_flush(cx).map(|flushed| flushed.is_err()) == Poll::Ready(true)
        {
            return Poll::Ready(Event::ClientGone);
        }
        if client.written != self.clock.client_written {
            self.clock.client_written = client.written;
            self.clock.client_took = Instant::now();
        }
        if client_gone || client.output.len() < OUTPUT_MAX {
            match upstream.wire.poll_fill(cx) {
                Poll::Ready(Ok(())) => {
                    self.clock.heard = Instant::now();
                    return Poll::Ready(Event::Bytes);
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Event::UpstreamGone),
                Poll::Pending => {}
            }
        }
        if !client_gone && !self.session.inbox.is_full() && upstream.wire.output.len() < OUTPUT_MAX
        {
            match client.poll_fill(cx) {
                Poll::Ready(Ok(())) => {
                    self.clock.client = Instant::now();
                    return Poll::Ready(Event::Bytes);
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Event::ClientGone),
                Poll::Pending => {}
            }
        }
        self.poll_alarm(cx)
    }

    fn poll_alarm(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        let next = (!self.clock.is_alarm_set).then(|| self.next_check());
        self.clock.is_alarm_set = true;
        let alarm = &mut self.upstream().alarm;
        let alarm = match (alarm.as_mut(), next) {
            (Some(alarm), None) => alarm,
            (Some(alarm), Some(next)) => {
                alarm.as_mut().reset(next);
                alarm
            }
            (None, next) => alarm.insert(Box::pin(sleep_until(next.unwrap_or_else(Instant::now)))),
        };
        alarm.as_mut().poll(cx).map(|()| Event::Alarm)
    }

    /// The earliest time at which any limit could be passed.
    fn next_check(&mut self) -> Instant {
        let limits = self.session.shared.limits();
        let receive = self.upstream().receive_timeout;
        let clock = &self.clock;
        let optional = [
            limits
                .idle_in_transaction_timeout
                .limit()
                .map(|limit| clock.client.max(clock.heard) + limit),
            limits.transaction_timeout.limit().map(|limit| self.unit.started + limit),
            receive.map(|limit| clock.heard.max(clock.listening) + limit),
            clock.abandoned.map(|since| since + RECOVERY_TIMEOUT),
        ];
        let always = [
            clock.told_alive + limits.keep_alive_interval.0,
            clock.client_took + limits.client_write_timeout.0,
        ];
        // A limit whose time has passed without applying is asked about again after a while.
        let soonest = optional.into_iter().flatten().chain(always).min();
        soonest.filter(|at| *at > clock.checked).unwrap_or(clock.checked + RECHECK)
    }

    fn on_alarm(&mut self) -> Result<(), Stop> {
        self.clock.is_alarm_set = false;
        let limits = self.session.shared.limits();
        let now = Instant::now();
        self.clock.checked = now;
        let passed =
            |since: Instant, limit: Option<Duration>| limit.filter(|limit| now >= since + *limit);
        // A COMMIT under way is waited for as long as the server gives signs of life.
        let is_committing = self.unit.ending.is_some();
        if let Some(since) = self.clock.abandoned.filter(|_| !is_committing)
            && passed(since, Some(RECOVERY_TIMEOUT)).is_some()
        {
            return Err(Lost::Upstream("recovery_timeout").into());
        }
        self.notice_listening(now);
        let is_client_busy = !self.unit.client_gone && self.session.client.has_output();
        if is_client_busy {
            if passed(self.clock.client_took, Some(limits.client_write_timeout.0)).is_some() {
                self.session.shared.metrics().error(Fault::Client, "client_write_timeout");
                self.client_has_left();
                return Ok(());
            }
        } else {
            self.clock.client_took = now;
        }
        let waits_for_client = self.is_waiting_for_client();
        let waits_for_server = self.is_waiting_for_server();
        let receive = self.upstream().receive_timeout;
        if waits_for_server
            && !is_client_busy
            && passed(self.clock.heard.max(self.clock.listening), receive).is_some()
        {
            return Err(Lost::Upstream("upstream_silent").into());
        }
        if !self.unit.is_recovering {
            let idle_since = self.clock.client.max(self.clock.heard);
            let idle = limits.idle_in_transaction_timeout.limit().filter(|_| waits_for_client);
            if let Some(limit) = passed(idle_since, idle) {
                self.time_out(failures::idle_in_transaction(limit), "idle_in_transaction_timeout");
            } else if let Some(limit) =
                passed(self.unit.started, limits.transaction_timeout.limit())
            {
                self.time_out(failures::transaction_timed_out(limit), "transaction_timeout");
            }
        }
        self.tell_alive(now, limits.keep_alive_interval.0, waits_for_server);
        Ok(())
    }

    /// A server that we did not listen to is not silent.
    fn notice_listening(&mut self, now: Instant) {
        let is_client_busy = !self.unit.client_gone && self.session.client.has_output();
        if is_client_busy || !self.is_waiting_for_server() {
            self.clock.listening = now;
        }
    }

    /// A client that waits for an answer gives up if it hears nothing for too long.
    fn tell_alive(&mut self, now: Instant, interval: Duration, waits: bool) {
        if now < self.clock.told_alive + interval {
            return;
        }
        self.clock.told_alive = now;
        let at_boundary = self.upstream().scanner.is_at_boundary();
        let client = &mut self.session.client;
        if waits && at_boundary && !client.has_output() && !self.unit.client_gone {
            client.output.extend_from_slice(&NOOP);
        }
    }
}

const RECHECK: Duration = Duration::from_millis(250);
